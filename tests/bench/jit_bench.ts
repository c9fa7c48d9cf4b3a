/**
 * The JIT beside the interpreter on the integer programs of kernels.c, and what each optimisation of it is worth: CPU
 * time of the whole process, translation included, for the same number of guest instructions. Needs gcc with -m32.
 * Run with `deno run -A tests/bench/jit_bench.ts [kernel,... [switch,...]]`.
 */
import { i386, type I386Options } from "../../lib/cpu/i386/factory.ts";
import { elf } from "../../lib/machine/loader/elf.ts";
import { machine } from "../../lib/machine/machine.ts";
import { ram } from "../../lib/memory/region.ts";
import { SWITCHES } from "../lockstep/variants.ts";
import { figure, least } from "./measure.ts";

/** In the order of the table in kernels.c. */
const NAMES = [
  ...["sieve", "crc32", "copy", "list", "quicksort", "sha256", "fib", "vm", "pointers", "strings", "matrix", "divide"],
] as const;
/** Guest instructions of one measurement. */
const INSTRUCTIONS = 10_000_000;

/** The programs as an ELF image, or why there are none. */
async function build(): Promise<Uint8Array | string> {
  const source = new URL("./kernels.c", import.meta.url).pathname;
  const out = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    const { success, stderr } = await new Deno.Command("gcc", {
      args: [
        ...["-m32", "-O2", "-march=i686", "-mno-sse", "-mno-mmx", "-mno-80387", "-ffreestanding", "-nostdlib"],
        ...["-fno-pic", "-no-pie", "-static", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"],
        ...["-Wl,-Ttext=0x100000,-z,norelro,--build-id=none,-e,_start", "-o", out, source],
      ],
    }).output();
    return success ? await Deno.readFile(out) : new TextDecoder().decode(stderr);
  } catch (error) {
    return String(error);
  } finally {
    await Deno.remove(out);
  }
}

/** CPU milliseconds of {@linkcode INSTRUCTIONS} of a program on warm code. */
function measure(image: Uint8Array, kernel: number, options: I386Options): number {
  const m = machine({ cpu: i386(options), memory: [ram({ at: 0, size: 4 << 20 })] });
  m.boot(elf(image));
  m.cpu.set("esp", 0x9_0000);
  m.cpu.set("esi", kernel);
  m.cpu.set("edi", 1);
  return least(() => void m.run({ instructions: INSTRUCTIONS }), 10);
}

const image = await build();
if (typeof image === "string") console.log(`No programs, so nothing is measured: ${image.trim()}`);
else {
  const wanted = Deno.args[0]?.split(",") ?? NAMES;
  const kernels = NAMES.filter((name) => wanted.includes(name));
  const mean = (list: readonly number[]): number => Math.exp(list.reduce((s, v) => s + Math.log(v), 0) / list.length);
  const all: number[] = [];
  const ratios = kernels.map((name) => {
    const kernel = NAMES.indexOf(name);
    const plain = measure(image, kernel, { engine: "interpreter" }), fast = measure(image, kernel, { engine: "jit" });
    all.push(fast);
    figure(`${name}: interpreter`, INSTRUCTIONS / plain / 1000, "M/s");
    figure(`${name}: jit`, INSTRUCTIONS / fast / 1000, `M/s   ${(plain / fast).toFixed(2)} x the interpreter`);
    return plain / fast;
  });
  figure("jit against interpreter, geometric mean", mean(ratios), "x");
  for (const name of Deno.args[1]?.split(",") ?? SWITCHES) {
    const jit = { [name]: false };
    const slower = kernels.map((k, i) => measure(image, NAMES.indexOf(k), { engine: "jit", jit }) / all[i]);
    figure(`time without ${name}, geometric mean`, mean(slower), "x");
  }
}
