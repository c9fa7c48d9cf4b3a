/**
 * Real guests for tests: kernels, firmware and programs that nobody here built, taken from Debian's archive when a test runs.
 *
 * `deno task test` fetches them all beforehand; a test then only looks ({@linkcode guestSync}) and is ignored, by name and
 * with the reason, where one could not be had. Nothing is installed and nothing is committed. Cold.
 *
 * Not offered: kernels with VMI inside (2.6.21 to 2.6.36), which no archive of today carries.
 */
import { type Apt, extract, privateApt } from "./apt.ts";
import { cacheFolder, exists, lookEntry, makeEntry, type Outside } from "./cache.ts";

/** What is taken from one package. */
interface Recipe {
  readonly package: string;
  /** The package only depends on the one that is meant, whose name holds a version. */
  readonly meta?: true;
  /** Name of ours, and the expression that finds the file by its path in the package. */
  readonly files: Readonly<Record<string, RegExp>>;
  /** Expression for files that go together into a folder `modules`. */
  readonly modules?: RegExp;
}

/** A package of guests: one entry of the cache. */
type EntryName = "linux-686" | "linux-686-pae" | "busybox" | "memtest86+" | "seabios" | "ipxe";

// Enough to use an IDE disk or CD and the file systems on it; the consoles need no module.
const MODULES = new RegExp(
  String.raw`^(usr/)?lib/modules/[^/]+/kernel/(` + [
    String.raw`drivers/ata/(libata|ata_piix|ata_generic)`,
    String.raw`drivers/scsi/(scsi_common|scsi_mod|sd_mod|sr_mod)`,
    String.raw`drivers/cdrom/cdrom`,
    String.raw`fs/((isofs|fat|ext4|jbd2)/\w+|mbcache|nls/nls_(ascii|cp437|iso8859-1|utf8))`,
    String.raw`block/t10-pi`,
    String.raw`(lib|crypto)/(libcrc|crc|crct10dif)[\w-]*`,
  ].join("|") + String.raw`)\.ko(\.xz)?$`,
);

const RECIPES: Readonly<Record<EntryName, Recipe>> = {
  "linux-686": { package: "linux-image-686", meta: true, files: { vmlinuz: /^boot\/vmlinuz-/ }, modules: MODULES },
  "linux-686-pae": {
    package: "linux-image-686-pae",
    meta: true,
    files: { vmlinuz: /^boot\/vmlinuz-/ },
    modules: MODULES,
  },
  "busybox": { package: "busybox-static", files: { busybox: /^(usr\/)?bin\/busybox$/ } },
  "memtest86+": {
    package: "memtest86+",
    files: { "memtest.bin": /^boot\/(memtest86\+ia32|mt86\+ia32|mt86\+x32)(\.bin)?$/ },
  },
  "seabios": {
    package: "seabios",
    files: {
      "bios.bin": /^usr\/share\/seabios\/bios\.bin$/,
      "bios-256k.bin": /^usr\/share\/seabios\/bios-256k\.bin$/,
      "vgabios.bin": /^usr\/share\/seabios\/vgabios-isavga\.bin$/,
      "vgabios-stdvga.bin": /^usr\/share\/seabios\/vgabios-stdvga\.bin$/,
    },
  },
  "ipxe": { package: "ipxe", files: { "ipxe.lkrn": /^boot\/ipxe\.lkrn$/ } },
};

/**
 * A guest that tests may ask for:
 * - `linux-686`, `linux-686-pae`: Debian's stock kernels, bzImages; the second has PAE and NX.
 * - `linux-686-modules`, `linux-686-pae-modules`: folder of their modules for IDE, SCSI disks and CDs, and file systems.
 * - `busybox`: statically linked i386 BusyBox, an ELF program.
 * - `memtest86+`: memtest86+ for 32-bit machines, an image in bzImage format.
 * - `seabios`, `seabios-256k`: SeaBIOS of 128 and 256 KiB.
 * - `vgabios`, `vgabios-stdvga`: its VGA BIOS for a VGA without PCI and for a standard PCI VGA.
 * - `ipxe`: iPXE as a Linux kernel image.
 */
export type GuestName =
  | "linux-686"
  | "linux-686-modules"
  | "linux-686-pae"
  | "linux-686-pae-modules"
  | "busybox"
  | "memtest86+"
  | "seabios"
  | "seabios-256k"
  | "vgabios"
  | "vgabios-stdvga"
  | "ipxe";

const GUESTS: Readonly<Record<GuestName, readonly [EntryName, string]>> = {
  "linux-686": ["linux-686", "vmlinuz"],
  "linux-686-modules": ["linux-686", "modules"],
  "linux-686-pae": ["linux-686-pae", "vmlinuz"],
  "linux-686-pae-modules": ["linux-686-pae", "modules"],
  "busybox": ["busybox", "busybox"],
  "memtest86+": ["memtest86+", "memtest.bin"],
  "seabios": ["seabios", "bios.bin"],
  "seabios-256k": ["seabios", "bios-256k.bin"],
  "vgabios": ["seabios", "vgabios.bin"],
  "vgabios-stdvga": ["seabios", "vgabios-stdvga.bin"],
  "ipxe": ["ipxe", "ipxe.lkrn"],
};

/** Every guest's name, in a fixed order. */
export const GUEST_NAMES: readonly GuestName[] = Object.keys(GUESTS) as GuestName[];

/**
 * The guest, fetched if it is not in the cache yet (kernels: some 50 MB each).
 *
 * @param name Which guest.
 * @returns Its path and Debian version, or the reason why it cannot be had here.
 */
export async function guest(name: GuestName): Promise<Outside> {
  const [entry, file] = GUESTS[name];
  return within(await makeEntry(entry, (folder) => fetchEntry(RECIPES[entry], folder)), file);
}

/** The guest if it is in the cache; fetches nothing. For the head of a test: `ignore: !guestSync("busybox").available`. */
export function guestSync(name: GuestName): Outside {
  const [entry, file] = GUESTS[name];
  return within(lookEntry(entry), file);
}

function within(entry: Outside, file: string): Outside {
  if (!entry.available) return entry;
  const path = `${entry.path}/${file}`;
  return exists(path) ? { ...entry, path } : { available: false, reason: `${entry.version} has no ${file}` };
}

// One list update for all guests of a process; a failure is shared too, so that an offline run waits for it once.
let apt: Promise<Apt> | undefined;

async function freshApt(): Promise<Apt> {
  const made = privateApt(`${cacheFolder()}/apt-i386`, "i386");
  await made.update();
  return made;
}

async function fetchEntry(recipe: Recipe, folder: string): Promise<string> {
  const source = await (apt ??= freshApt());
  const name = recipe.meta === true ? await source.target(recipe.package) : recipe.package;
  const { deb, version } = await source.download(name);
  const raw = `${folder}/raw`;
  Deno.mkdirSync(raw);
  const wanted = [...Object.values(recipe.files), ...(recipe.modules === undefined ? [] : [recipe.modules])];
  const found = await extract(deb, raw, (path) => wanted.some((expression) => expression.test(path)));
  Deno.removeSync(deb.slice(0, deb.lastIndexOf("/")), { recursive: true });
  for (const [file, expression] of Object.entries(recipe.files)) {
    const path = found.find((candidate) => expression.test(candidate));
    if (path === undefined) throw new Error(`package ${name} ${version} has no file like ${expression.source}`);
    Deno.renameSync(`${raw}/${path}`, `${folder}/${file}`);
  }
  if (recipe.modules !== undefined) {
    Deno.mkdirSync(`${folder}/modules`);
    for (const path of found.filter((candidate) => recipe.modules?.test(candidate))) {
      Deno.renameSync(`${raw}/${path}`, `${folder}/modules/${path.slice(path.lastIndexOf("/") + 1)}`);
    }
  }
  Deno.removeSync(raw, { recursive: true });
  return `${name} ${version}`;
}
