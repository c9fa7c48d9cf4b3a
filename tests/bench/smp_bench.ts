/**
 * What several CPUs cost: rounds of turns by quantum, a contended spin lock with and without PAUSE, host memory of a new
 * machine and of one whose CPUs all run. Run with `deno run -A` or `deno bench -A`.
 */
import { asm } from "../../lib/cpu/i386/asm/template.ts";
import { MiB } from "../../lib/base/bits.ts";
import { i386 } from "../../lib/cpu/i386/factory.ts";
import { type Machine, machine } from "../../lib/machine/machine.ts";
import { pc } from "../../lib/machine/presets.ts";
import { ram } from "../../lib/memory/region.ts";
import { figure, least } from "./measure.ts";

const LOOP = asm`
  again: inc eax
  add ebx, eax
  dec ecx
  jmp again`;
const WITH_PAUSE = asm`
  mov ecx, 20000
  again: mov al, 1
  xchg [0x700], al
  test al, al
  jz taken
  pause
  jmp again
  taken: mov edx, 50
  work: dec edx
  jnz work
  mov byte [0x700], 0
  loop again
  hlt`;
const WITHOUT = asm`
  mov ecx, 20000
  again: mov al, 1
  xchg [0x700], al
  test al, al
  jnz again
  mov edx, 50
  work: dec edx
  jnz work
  mov byte [0x700], 0
  loop again
  hlt`;

function running(cpus: number, quantum: number, program: typeof LOOP): Machine {
  const m = machine({ cpu: i386(), cpus, quantum, memory: [ram({ at: 0, size: 1 * MiB })] });
  m.poke(0x9000, program.at(0x9000).bytes);
  for (const cpu of m.cpus) cpu.start({ mode: "flat32", entry: 0x9000 });
  return m;
}

const rss = (): number => Deno.memoryUsage().rss / MiB;
const kept: Machine[] = [];
for (const cpus of [1, 8]) {
  const before = rss();
  const m = pc({ cpus, memory: 64 * MiB });
  m.load(0x9000, asm`hlt`);
  m.run({ instructions: 10 });
  kept.push(m);
  figure(`memory of a new pc() with ${cpus} CPUs, 64 MiB untouched`, rss() - before, "MiB", 64, true);
  for (const cpu of m.cpus) cpu.start({ mode: "flat32", entry: 0x9000 });
  m.run({ instructions: 100 });
  figure(`the same, all CPUs started`, rss() - before, "MiB", 64, true);
}

for (const [cpus, quantum] of [[1, 1000], [2, 10], [2, 100], [2, 1000], [2, 10_000], [8, 1000]] as const) {
  const m = running(cpus, quantum, LOOP);
  m.run({ instructions: cpus * 50_000_000 }); // so that the engine of each is optimised
  const ms = least(() => m.run({ instructions: 2_000_000 }), 15) / 2;
  figure(`register loop, ${cpus} CPUs, quantum ${quantum}`, ms, "ms per 1 M");
}

for (const [name, program] of [["with PAUSE", WITH_PAUSE], ["without PAUSE", WITHOUT]] as const) {
  const m = running(4, 1000, program);
  const start = m.snapshot();
  for (let i = 0; i < 20; i++) {
    m.restore(start);
    m.run({ instructions: 1e9 });
  }
  const ms = least(() => {
    m.restore(start);
    m.run({ instructions: 1e9 });
  }, 7);
  figure(`80000 turns of a spin lock, 4 CPUs, ${name}`, ms, "ms");
}
