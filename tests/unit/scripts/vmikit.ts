/**
 * A command line of vmikit without a process, over files in memory. Cold.
 */
import type { Io } from "../../../scripts/cli/io.ts";
import { main } from "../../../scripts/vmikit.ts";
import { elfFile } from "../machine/images.ts";

/** What a command line did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line over files in memory. */
export async function vmikit(
  args: readonly string[],
  files: Record<string, Uint8Array> = {},
  more: Partial<Io> = {},
): Promise<Ran> {
  const said = { out: "", err: "" };
  let time = 0;
  const io: Io = {
    out: (text) => said.out += text,
    err: (text) => said.err += text,
    read: (path) => {
      const bytes = files[path];
      if (bytes === undefined) return Promise.reject(new Deno.errors.NotFound(path));
      return Promise.resolve(Uint8Array.from(bytes));
    },
    write: (path, bytes) => {
      files[path] = bytes;
      return Promise.resolve();
    },
    load: (path) => path.startsWith("bad") ? Promise.reject(new Error("broken")) : Promise.resolve({}),
    now: () => time += 10,
    ...more,
  };
  return { code: await main(args, io), ...said };
}

/** A text as the bytes of a file. */
export const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** mov dx, 0x3f8; mov al, 'O'; out dx, al; mov al, 'K'; out dx, al; out 0xe9, al; cli; hlt */
export const HELLO: Uint8Array<ArrayBuffer> = Uint8Array.of(
  0xba,
  0xf8,
  3,
  0xb0,
  0x4f,
  0xee,
  0xb0,
  0x4b,
  0xee,
  0xe6,
  0xe9,
  0xfa,
  0xf4,
);
/** Jumps to itself. */
export const LOOP: Uint8Array<ArrayBuffer> = Uint8Array.of(0xeb, 0xfe);
/** Runs a.bin at 0x7c00. */
export const FLAT: readonly string[] = ["flat", "--image", "a.bin@0x7c00"];

/** A disk: 512 bytes with a boot sector's signature. */
const DISK = new Uint8Array(512);
DISK.set([0x55, 0xaa], 510);

/** A BIOS that writes OK to the first serial port and halts: at its end a jump to its code. */
const BIOS = new Uint8Array(0x10000);
BIOS.set(HELLO, 0xe000);
BIOS.set([0xe9, 0x0d, 0xe0], 0xfff0);

/** Files of each kind. */
export const FILES: Record<string, Uint8Array> = {
  "a.bin": HELLO,
  "bad.asm": text("mov eax,\n"),
  disk: DISK,
  bios: BIOS,
  elf: elfFile(),
};
