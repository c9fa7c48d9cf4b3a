/**
 * Runs a multiboot image on Unicorn, through its C library and Deno's foreign functions, until the program halts; then ends
 * with exit code 0 if the program was content, 1 if its result was wrong, 2 if Unicorn failed. Argument: image. A process of
 * its own, so that its CPU time is its own. Facts: unicorn.h and x86.h of Unicorn 2. Cold.
 */
import { DONE } from "./words.ts";

/** UC_ARCH_X86, UC_MODE_32, UC_PROT_ALL, UC_X86_REG_EAX. */
const ARCH = 4, MODE = 4, ALL = 7, EAX = 19;
const ORIGIN = 0x10_0000n;

const { symbols: uc } = Deno.dlopen("libunicorn.so.2", {
  uc_open: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  uc_mem_map: { parameters: ["pointer", "u64", "usize", "u32"], result: "i32" },
  uc_mem_write: { parameters: ["pointer", "u64", "buffer", "usize"], result: "i32" },
  uc_emu_start: { parameters: ["pointer", "u64", "u64", "u64", "usize"], result: "i32" },
  uc_reg_read: { parameters: ["pointer", "i32", "buffer"], result: "i32" },
});

/** Ends the process if a call failed. */
function demand(what: string, code: number): void {
  if (code === 0) return;
  console.error(`${what}: Unicorn's error ${code}`);
  Deno.exit(2);
}

const handle = new BigUint64Array(1);
demand("open", uc.uc_open(ARCH, MODE, handle));
const engine = Deno.UnsafePointer.create(handle[0]);
const image = Deno.readFileSync(Deno.args[0]);
const entry = new DataView(image.buffer).getUint32(28, true); // of the multiboot header, which comes first here
demand("map", uc.uc_mem_map(engine, 0n, 4n << 20n, ALL));
demand("load", uc.uc_mem_write(engine, ORIGIN, image, BigInt(image.length)));
demand("run", uc.uc_emu_start(engine, BigInt(entry), 0xffff_ffffn, 0n, 0n));
const eax = new Uint32Array(2);
demand("read", uc.uc_reg_read(engine, EAX, eax));
Deno.exit((eax[0] & 0xff) === DONE.charCodeAt(DONE.length - 1) ? 0 : 1);
