/**
 * What machines cost: making one, snapshots and restoring by number of dirty pages, the way from `import` to the first
 * guest instruction, and host memory over guest RAM. Run with `deno run -A` or `deno bench -A`.
 */
import { asm } from "../../lib/cpu/i386/asm/template.ts";
import { pc, tiny } from "../../lib/machine/presets.ts";
import type { Machine } from "../../lib/machine/machine.ts";
import { MiB } from "../../lib/base/bits.ts";
import { figure, least } from "./measure.ts";

const IDLE = asm`jmp $`;
/** Writes EAX pages from address 1 MiB up. */
const SWEEP = asm`
  mov edi, 0x100000
  again: mov [edi], eax
  add edi, 0x1000
  dec eax
  jnz again
  hlt`;

function made(make: () => Machine): void {
  const m = make();
  m.load(0x8000, IDLE);
  m.run({ instructions: 1 });
}

figure("new tiny() to first instruction", least(() => made(() => tiny()), 30), "ms", 10, true);
figure("new tiny(), memory 64 MiB", least(() => made(() => tiny({ memory: 64 * MiB })), 30), "ms", 10, true);
figure("new pc(), 64 MiB, to first instruction", least(() => made(() => pc()), 30), "ms", 10, true);

for (
  const [name, make] of [["tiny", () => tiny({ memory: 16 * MiB })], ["pc", () => pc({ memory: 16 * MiB })]] as const
) {
  const m = make();
  m.load(0x8000, SWEEP);
  const start = m.snapshot();
  for (const pages of [0, 10, 100, 1000]) {
    const round = (restore: boolean): void => {
      for (let i = 0; i < 20; i++) {
        m.cpu.set("eax", Math.max(1, pages));
        m.run({ instructions: pages === 0 ? 1 : 10_000 });
        if (restore) m.restore(start);
        else {
          m.cpu.set("eip", 0x8000);
          m.cpu.set("halted", 0);
        }
      }
    };
    m.restore(start);
    const us = 1000 / 20;
    const both = least(() => round(true), 15) * us;
    figure(`${name}: short run and restore, ${pages} dirty pages`, both, "us", 100 + pages, true);
  }
  m.restore(start);
  for (const pages of [0, 100, 1000]) {
    const take = least(() => {
      m.restore(start);
      m.cpu.set("eax", Math.max(1, pages));
      m.run({ instructions: pages === 0 ? 1 : 10_000 });
      m.snapshot();
    }, 15) * 1000;
    figure(`${name}: restore, run and snapshot, ${pages} dirty pages`, take, "us");
  }
}

/** Runs a program in a child and gives its output. */
function child(code: string): string {
  const args = ["eval", "--no-check", `--ext=ts`, code];
  return new TextDecoder().decode(new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).outputSync().stdout);
}

const MOD = new URL("../../mod.ts", import.meta.url).href;
const first = (make: string): string => `
  import process from "node:process";
  const ms = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1000; };
  const [wall, cpu] = [performance.now(), ms()];
  const { asm, ${make} } = await import("${MOD}");
  const loaded = performance.now();
  const m = ${make}();
  m.load(0x8000, asm\`hlt\`);
  m.run({ instructions: 1 });
  console.log(performance.now() - wall, loaded - wall, ms() - cpu);`;
for (const make of ["tiny", "pc"]) {
  const runs = Array.from({ length: 7 }, () => child(first(make)).split(" ").map(Number));
  const by = (n: number): number => Math.min(...runs.map((r) => r[n]));
  figure(`import to first instruction of ${make}(), wall clock`, by(0), "ms", 100, true);
  figure(`  of which import, wall clock`, by(1), "ms");
  figure(`  all of it, CPU time`, by(2), "ms");
}

const idle = (make: string, mib: number): string => `
  const rss = () => Number(/VmRSS:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))[1]) / 1024;
  const empty = rss();
  const { asm, ${make}, MiB } = await import("${MOD}");
  const imported = rss();
  const m = ${make}({ memory: ${mib} * MiB });
  m.load(0x8000, asm\`
    mov edi, 0
    mov ecx, \${${mib} * 256}
    again: mov eax, [edi]
    add edi, 4096
    dec ecx
    jnz again
    jmp $\`);
  m.run({ instructions: 100000 });
  console.log(empty, imported - empty, rss() - imported, rss() - empty);`;
for (const [make, mib] of [["tiny", 1], ["pc", 64]] as const) {
  const [empty, imported, made, over] = child(idle(make, mib)).split(" ").map(Number);
  figure(`${make}(), ${mib} MiB: memory over an empty Deno (${empty.toFixed(0)} MiB)`, over, "MiB", 64 + mib, true);
  figure("  of which import", imported, "MiB");
  figure("  of which machine, its guest has read all its RAM", made, "MiB");
}
