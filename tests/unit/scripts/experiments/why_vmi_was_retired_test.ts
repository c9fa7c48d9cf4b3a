/** The experiment: the same to the last bit on every run, and its header's story told by its own counts. */
import { COSTS } from "../../../../scripts/experiments/retired/costs.ts";
import { measure, type Result } from "../../../../scripts/experiments/retired/measure.ts";
import { chart, csv, table } from "../../../../scripts/experiments/retired/report.ts";
import { SETTINGS } from "../../../../scripts/experiments/retired/settings.ts";
import { assert, assertEquals, assertGreater, assertLess, fromFileUrl } from "../../../../scripts/deps/std.ts";

const SCRIPT = fromFileUrl(new URL("../../../../scripts/experiments/why_vmi_was_retired.ts", import.meta.url));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const permissions = args.includes("--csv") ? ["--allow-write"] : [];
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "--no-prompt", ...permissions, SCRIPT, ...args] });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

Deno.test("why_vmi_was_retired: two runs on two engines agree to the last bit, files hold what the table shows, the story is true", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "vmikit-retired-" });
  try {
    const [first, second] = await Promise.all([
      run("--json"),
      run("--json", "--engine", "interpreter", "--csv", `${folder}/a.csv`, "--svg", `${folder}/a.svg`),
    ]);
    assertEquals([first.code, first.err], [0, ""]);
    assertEquals(second.out, first.out);
    const { results } = JSON.parse(first.out) as { results: Result[] };
    assertEquals(Deno.readTextFileSync(`${folder}/a.csv`), csv(results));
    const svg = Deno.readTextFileSync(`${folder}/a.svg`);
    assertEquals(svg, chart(results));
    assertEquals(svg.match(/<title>/g)?.length, 6 * SETTINGS.length);
    assertEquals(table(results).split("\n").length, 1 + 6 * SETTINGS.length);
    story(results);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** What the script's header says. */
function story(results: readonly Result[]): void {
  const of = (workload: string, setting: string): Result => {
    const found = results.find((r) => r.workload === workload && r.setting === setting);
    assert(found !== undefined, `${workload} on ${setting}`);
    return found;
  };
  const cycles = (workload: string, setting: string): number => of(workload, setting).cycles;
  for (const { workload } of results.filter((r) => r.setting === "bare")) {
    const [bare, native, shadow, direct] = ["bare", "native", "shadow", "direct"].map((s) => of(workload, s)) as [
      ...[Result, Result, Result, Result],
    ];
    assertLess(native.cycles, bare.cycles * 1.06);
    assertEquals([native.counts.hypercalls, native.counts.exits], [0, 0]);
    assertGreater(shadow.cycles, bare.cycles * 1.5);
    assert(direct.cycles <= shadow.cycles, workload);
    assertEquals(direct.counts.hypercalls, shadow.counts.hypercalls);
    for (const setting of ["trap", "vt-x", "nested"]) assertEquals(of(workload, setting).counts.hypercalls, 0);
  }
  assertEquals(of("syscall", "shadow").reasons, { "call IRET": 1, "exits software interrupt": 1 });
  assertEquals(of("syscall", "trap").reasons, { "exits sti": 1, "exits sysenter": 1, "exits sysexit": 1 });
  assertEquals(of("syscall", "bare").counts.fastCalls, 1);
  for (const setting of ["vt-x", "nested"]) assertEquals(of("syscall", setting).counts, of("syscall", "bare").counts);
  assertGreater(cycles("switch", "shadow"), 2 * cycles("switch", "direct"));
  for (const workload of ["fault", "fork"]) assertGreater(cycles(workload, "shadow"), cycles(workload, "trap"));
  for (const workload of ["fault", "fork", "switch"]) {
    for (const software of ["trap", "shadow", "direct"]) {
      assertGreater(cycles(workload, "vt-x"), cycles(workload, software));
    }
  }
  for (const workload of ["syscall", "fault", "switch"]) assertEquals(of(workload, "nested").counts.exits, 0);
  assertEquals(of("tick", "nested").reasons, { "exits hlt": 1, "exits interrupt": 1, "exits io": 1 });
  assertLess(cycles("mixed", "nested") / cycles("mixed", "bare"), 1.2);
  for (const before of ["trap", "shadow", "direct", "vt-x"]) {
    assertGreater(cycles("mixed", before) / cycles("mixed", "bare"), 1.7);
  }
}

Deno.test("why_vmi_was_retired: prices can be edited, counts stay", () => {
  const setting = SETTINGS.find((s) => s.name === "shadow");
  assert(setting !== undefined);
  const dear = measure(setting, "syscall", { ...COSTS, ringExit: 10_000 }, "jit");
  const cheap = measure(setting, "syscall", COSTS, "jit");
  assertEquals(dear.counts, cheap.counts);
  assertEquals(dear.cycles - cheap.cycles, 2 * (10_000 - COSTS.ringExit));
});

Deno.test("why_vmi_was_retired: wrong usage is refused", async () => {
  assertEquals((await run("--cvs", "x")).code, 64);
  assertEquals((await run("--svg")).code, 64);
  assertEquals((await run("--engine", "jet")).code, 64);
});
