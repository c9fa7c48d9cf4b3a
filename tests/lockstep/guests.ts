/**
 * Recorded guests in lockstep: a machine with the JIT and the same machine with the interpreter. Both run a stretch at
 * full speed, then a window in which the interpreter follows the JIT from region boundary to region boundary and the CPUs
 * are compared at each; at the end of every stretch and window the whole machines are. Memory is compared inside windows
 * too, but only now and then, since there is much of it. Cold.
 */
import { guests, linux, type Machine, MiB, pc, vmiPc } from "../../mod.ts";
import { asm16 } from "../../lib/cpu/i386/asm/template.ts";
import type { I386Cpu } from "../../lib/cpu/i386/cpu.ts";
import type { JitOptions } from "../../lib/cpu/i386/engines/jit/options.ts";
import { guestSync } from "../guests/guest.ts";
import { cpuDifference, ramDifference } from "./state.ts";

/** A CPU's engine as options of a preset. */
interface EngineChoice {
  readonly engine: "interpreter" | "jit";
  readonly jit?: JitOptions;
}

/** Guests by name; undefined: not here. */
export const GUESTS: Readonly<Record<string, (choice: EngineChoice) => Machine | undefined>> = {
  minikernel: (choice) => {
    const m = vmiPc(choice);
    m.boot(guests.minikernel());
    return m;
  },
  "linux-686": (choice) => boot("linux-686", choice),
  "memtest86+": (choice) => boot("memtest86+", choice),
  seabios: firmware,
};

/** Real mode and 32-bit code in turn; from the video BIOS to a floppy that counts in 16-bit code for ever. */
function firmware(choice: EngineChoice): Machine | undefined {
  const bios = guestSync("seabios"), vga = guestSync("vgabios-stdvga");
  if (!bios.available || !vga.available) return undefined;
  const [image, vgaBios] = [bios, vga].map(({ path }) => Deno.readFileSync(path));
  const sector = new Uint8Array(1440 * 1024);
  sector.set(SECTOR.bytes);
  sector.set([0x55, 0xaa], 510);
  return pc({ memory: 16 * MiB, bios: image, vgaBios, disks: [sector], ...choice });
}

/** Prints through the BIOS, and counts through other segments. */
const SECTOR = asm16`
         mov sp, 0x7000
  again: mov ax, 0x0e2e
         xor bx, bx
         int 0x10
         mov ax, 0x2000
         mov ds, ax
         mov cx, 300
  next:  add [bx], cx
         adc word [bx+2], 7
         add bx, 6
         push bx
         call leaf
         pop dx
         loop next
         jmp again
  leaf:  xor [bx+si], dx
         ret`;

function boot(name: "linux-686" | "memtest86+", choice: EngineChoice): Machine | undefined {
  const image = guestSync(name);
  if (!image.available) return undefined;
  const m = pc({ memory: 64 * MiB, ...choice });
  m.boot(linux({ kernel: Deno.readFileSync(image.path), append: "console=ttyS0 nokaslr" }));
  return m;
}

/** How a guest is run. */
export interface Sampling {
  /** Instructions between windows. */
  readonly stretch: number;
  /** Instructions of a window. */
  readonly window: number;
  /** Instructions in all. */
  readonly total: number;
  /** Boundaries between comparisons of memory inside windows. */
  readonly memoryEvery: number;
}

/** What came out. */
export interface Outcome {
  /** What differs first. */
  readonly difference: string | undefined;
  /** Instructions executed. */
  readonly instructions: number;
  /** Region boundaries at which the CPUs were compared. */
  readonly boundaries: number;
}

class Difference extends Error {}

/** Runs a guest on both engines; `undefined`: it is not here. */
export function lockstepGuest(name: string, sampling: Sampling, options: JitOptions = {}): Outcome | undefined {
  let boundary = (): void => {};
  const tested = GUESTS[name]({ engine: "jit", jit: { ...options, boundary: () => boundary() } });
  const other = GUESTS[name]({ engine: "interpreter" });
  if (tested === undefined || other === undefined) return undefined;
  const run = new GuestRun(tested, other, sampling);
  boundary = (): void => run.boundary();
  return run.run();
}

class GuestRun {
  readonly #tested: Machine;
  readonly #other: Machine;
  readonly #cpus: readonly [I386Cpu, I386Cpu];
  readonly #sampling: Sampling;
  #isWindow = false;
  #boundaries = 0;

  constructor(tested: Machine, other: Machine, sampling: Sampling) {
    this.#tested = tested;
    this.#other = other;
    this.#cpus = [tested.cpu.cpu as I386Cpu, other.cpu.cpu as I386Cpu];
    this.#sampling = sampling;
  }

  run(): Outcome {
    const { stretch, window, total } = this.#sampling;
    let difference: string | undefined, goesOn = true;
    for (let n = 0; goesOn && difference === undefined && this.#tested.cpu.instructions < total; n++) {
      this.#isWindow = n % 2 === 1;
      const length = this.#isWindow ? window : stretch;
      if (length > 0) ({ difference, goesOn } = this.#piece(length));
    }
    return { difference, instructions: this.#tested.cpu.instructions, boundaries: this.#boundaries };
  }

  #piece(length: number): { difference: string | undefined; goesOn: boolean } {
    const a = this.#tested, b = this.#other;
    try {
      const begin = b.cpu.instructions, x = a.run({ instructions: length });
      const y = b.run({ instructions: begin + length - b.cpu.instructions });
      const [end, other] = [{ ...x, instructions: 0 }, { ...y, instructions: 0 }].map((one) => JSON.stringify(one));
      const where = `in the ${length} instructions before ${a.cpu.instructions}`;
      if (end !== other) return { difference: `${where}: ended by ${end} against ${other}`, goesOn: false };
      const different = cpuDifference(...this.#cpus, false) ?? (a.hash() === b.hash() ? undefined : "machines differ");
      return { difference: different && `${where}: ${different}`, goesOn: x.kind === "budget" };
    } catch (thrown) {
      if (!(thrown instanceof Difference)) throw thrown;
      return { difference: thrown.message, goesOn: false };
    }
  }

  /** The tested machine is at a region boundary: the other one follows, and both are compared. */
  boundary(): void {
    if (!this.#isWindow) return;
    const [a, b] = this.#cpus;
    while (b.instructions < a.instructions) {
      const before = b.instructions;
      this.#other.run({ instructions: a.instructions - before });
      if (b.instructions === before) break;
    }
    this.#boundaries++;
    const isMemoryDue = this.#boundaries % this.#sampling.memoryEvery === 0;
    const different = cpuDifference(a, b, true) ??
      (isMemoryDue ? ramDifference(a.board.space, b.board.space) : undefined);
    if (different !== undefined) {
      throw new Difference(`at instruction ${a.instructions}, a region boundary: ${different}`);
    }
  }
}
