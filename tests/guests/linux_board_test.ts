/**
 * Debian's stock kernels on the whole board: ACPI tables without a complaint, APICs or only the 8259A pair, an IDE disk and a
 * CD by DMA, and power-off.
 */
import { type CpioEntry, linux, MiB, pc, type PcMachine, Snapshot, writeCpio } from "../../mod.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { isoImage } from "./iso9660.ts";

const busybox = guestSync("busybox");

// In an order in which each finds what it needs.
const MODULES = [
  ...["scsi_common", "scsi_mod", "libata", "ata_piix", "crc64", "crc64-rocksoft", "crct10dif_common", "crc-t10dif"],
  ...["t10-pi", "sd_mod", "cdrom", "sr_mod", "isofs"],
];

const HEAD = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for m in ${MODULES.join(" ")}; do [ -e /mod/$m.ko ] && insmod /mod/$m.ko; done
n=0
while [ ! -b /dev/sda ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
`;

interface Boot {
  readonly kernel: "linux-686" | "linux-686-pae";
  readonly append: string;
  readonly script: string;
  readonly disk: Uint8Array;
  readonly cd?: Uint8Array;
}

function boot(o: Boot): PcMachine | undefined {
  const [kernel, modules] = [guestSync(o.kernel), guestSync(`${o.kernel}-modules`)];
  if (!kernel.available || !modules.available || !busybox.available) return undefined;
  const found = [...Deno.readDirSync(modules.path)].map((e) => e.name).filter((n) => MODULES.includes(n.slice(0, -3)));
  const files = found.map((name): CpioEntry => (
    { kind: "file", path: `/mod/${name}`, data: Deno.readFileSync(`${modules.path}/${name}`) }
  ));
  const initrd = writeCpio([
    { kind: "device", path: "/dev/console", type: "char", major: 5, minor: 1 },
    { kind: "file", path: "/bin/busybox", data: Deno.readFileSync(busybox.path), mode: 0o755 },
    ...["/proc", "/mnt", "/mod"].map((path): CpioEntry => ({ kind: "directory", path })),
    ...files,
    { kind: "file", path: "/init", data: HEAD + o.script, mode: 0o755 },
  ]);
  const m = pc({ memory: 128 * MiB, disks: [o.disk], ...(o.cd === undefined ? {} : { cd: o.cd }) });
  m.boot(linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: `console=ttyS0 nokaslr quiet ${o.append}` }));
  return m;
}

const disk = (): Uint8Array => Uint8Array.from({ length: 1 * MiB }, (_, i) => (i * 7) ^ (i >> 9));

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes.slice());
  return [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

function missing(kernel: Boot["kernel"]): boolean {
  return ![guestSync(kernel), guestSync(`${kernel}-modules`), busybox].every((g) => g.available);
}

function title(what: string, kernel: Boot["kernel"]): string {
  return `Debian's kernel ${kernel} ${what}${missing(kernel) ? " (guest not available)" : ""}`;
}

Deno.test({
  name: title("has no complaint about ACPI, reads and writes disk and CD by DMA, switches off", "linux-686"),
  ignore: missing("linux-686"),
  async fn() {
    const bytes = disk();
    const cd = isoImage(new Uint8Array(2048), [
      { name: "HELLO.TXT", data: new TextEncoder().encode("hello from the CD\n") },
    ]);
    const script = `sha256sum /dev/sda
mount -t iso9660 /dev/sr0 /mnt && cat /mnt/hello.txt
printf 'written by the guest' | dd of=/dev/sda bs=512 seek=9 conv=notrunc
sync
dmesg
cat /proc/interrupts
poweroff -f
`;
    const m = boot({ kernel: "linux-686", append: "", script, disk: bytes, cd });
    if (m === undefined) return;
    // In the middle of it another machine takes over from a snapshot and comes as far, to the bit.
    assertEquals(m.run({ until: m.serial.contains("/dev/sda\r\n"), instructions: 20_000_000_000 }).kind, "until");
    const other = pc({ memory: 128 * MiB, disks: [disk()], cd });
    other.restore(Snapshot.fromBytes(m.snapshot().toBytes()));
    for (const on of [m, other]) on.run({ ticks: 30_000_000 });
    assertEquals(other.hash(), m.hash());
    assertEquals(m.run({ instructions: 20_000_000_000 }).kind, "power-off", m.serial.tail(2000));
    const text = m.serial.text.replaceAll("\r", "");
    assertStringIncludes(text, `${await sha256(bytes)}  /dev/sda`);
    assertStringIncludes(text, "hello from the CD");
    assertEquals(new TextDecoder().decode(m.disks[0].changed.get(9)?.subarray(0, 20)), "written by the guest");
    assertEquals(bytes, disk(), "the image itself stays as it is");
    assertStringIncludes(text, "ACPI: Interpreter enabled");
    assertStringIncludes(text, "ACPI: Using IOAPIC for interrupt routing");
    const bad = text.split("\n").filter((l) =>
      /ACPI.*(error|warning|exception|invalid)|firmware bug|can't claim/i.test(l)
    );
    assertEquals(bad, []);
    assertMatch(text, /ata1: PATA max MWDMA2 cmd 0x1f0 ctl 0x3f6 bmdma 0xc000 irq 14/);
    assertMatch(text, /14: +[1-9]\d* +IO-APIC +14-edge +ata_piix/);
    assertMatch(text, /LOC: +[1-9]\d* +Local timer interrupts/);
    assertStringIncludes(text, "reboot: Power down");
  },
});

Deno.test({
  name: title("boots on the 8259A pair alone, without ACPI", "linux-686-pae"),
  ignore: missing("linux-686-pae"),
  async fn() {
    const script = "sha256sum /dev/sda\ncat /proc/interrupts\nreboot -f\n";
    const bytes = disk();
    const append = "acpi=off noapic nolapic";
    const m = boot({ kernel: "linux-686-pae", append, script, disk: bytes });
    if (m === undefined) return;
    assertEquals(m.run({ instructions: 20_000_000_000 }).kind, "reset", m.serial.tail(2000));
    const text = m.serial.text.replaceAll("\r", "");
    assertStringIncludes(text, `${await sha256(bytes)}  /dev/sda`);
    assertMatch(text, /0: +[1-9]\d* +XT-PIC +timer/);
    assertMatch(text, /14: +[1-9]\d* +XT-PIC +ata_piix/);
    assert(!text.includes("IO-APIC"), "no IO-APIC in use");
  },
});
