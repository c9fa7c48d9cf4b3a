/**
 * Runs a multiboot image, or a Linux kernel, on v86 until a text is seen on its first serial port, then ends the process;
 * exit code 1: the program says that its result is wrong. What the port says goes to standard output.
 * Arguments: folder of SeaBIOS, text, image[, initrd, command line]. A process of its own, so that its CPU time is its own.
 * Cold.
 */
import { WRONG } from "./words.ts";
import { V86, V86_FILES } from "../deps/v86.ts";

const [firmware, text, image, initrd, cmdline] = Deno.args;
const file = (path: string): { buffer: ArrayBuffer } => ({ buffer: Deno.readFileSync(path).buffer });

const machine = new V86({
  wasm_path: decodeURIComponent(new URL("v86.wasm", V86_FILES).pathname),
  memory_size: 128 * 2 ** 20,
  bios: file(`${firmware}/bios.bin`),
  vga_bios: file(`${firmware}/vgabios.bin`),
  ...(initrd === undefined
    ? { multiboot: file(image) }
    : { bzimage: file(image), initrd: file(initrd), cmdline: cmdline ?? "" }),
  autostart: true,
});
const longest = Math.max(text.length, WRONG.length);
let tail = "";
machine.add_listener("serial0-output-byte", (byte) => {
  Deno.stdout.writeSync(Uint8Array.of(byte));
  tail = (tail + String.fromCharCode(byte)).slice(-longest);
  if (tail.endsWith(text)) Deno.exit(0);
  if (initrd === undefined && tail.endsWith(WRONG)) Deno.exit(1);
});
