/**
 * `deno task fuzz`: the long run of the oracle. Arguments: `--cases N`, `--seed N`, `--engine NAME`, `--group NAME`,
 * `--only PATTERN` (of mnemonics), `--most N` failures, `--lengths N` byte strings for the decoder, `--x87 N` cases of
 * the x87 alone, `--system N` cases against Bochs, `--segments N` cases of local tables, `--lockstep N` programs for each
 * setting of the JIT (`--variant NAME` for one), `--guests N` million instructions of recorded guests (`--guest NAME` for
 * one, `--whole yes` compares all of them at every region boundary rather than a tenth), `--changing N` million of code
 * that changes (on an idle host 300 take less than a minute, 3000 six); `--parts` with some of lengths, system, segments,
 * x87, lockstep, native for those alone. Exit code 1 with the shortest failing case of each kind; what cannot be judged
 * here is said by name.
 */
import { interpreter } from "../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../lib/cpu/i386/engines/reference.ts";
import { campaign, type Failure } from "./campaign.ts";
import { CODE_AT } from "./case.ts";
import { compareLengths } from "./decode_length.ts";
import type { Group } from "./generate.ts";
import { Native, whyNoNative } from "./native.ts";
import { Ours } from "./ours.ts";
import { reportCase } from "./report.ts";
import { fullX87 } from "./x87_full.ts";
import { fullChanging, fullGuests, fullPrograms } from "../lockstep/full.ts";
import { toolSync } from "../guests/tool.ts";
import { segmentCampaign } from "./segments/campaign.ts";
import { SegmentNative } from "./segments/native.ts";
import { pagedCampaign } from "./system/paged.ts";
import { systemCampaign } from "./system/campaign.ts";

/** Cases in one image of the system oracle, and of one local table. */
const IMAGE_CASES = 8000;

const ENGINES = { interpreter, jit: jit({ threshold: 1 }), reference };

function option(name: string, otherwise: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Deno.args[at + 1] ?? otherwise;
}

function disassembly(ours: Ours, failure: Failure): string[] {
  try {
    ours.run(failure.one);
    return ours.cpu.disassemble(CODE_AT, failure.one.starts.length - 1);
  } catch (error) {
    return [`(no disassembly: ${error})`];
  }
}

/** Instruction lengths against an independent decoder. */
function lengths(): number {
  const { strings, instructions, wrong } = compareLengths(
    Number(option("lengths", "1000000")),
    Number(option("seed", "1")),
  );
  for (const line of wrong.slice(0, 20)) console.log(line);
  console.log(`${strings} byte strings, ${instructions} instructions, ${wrong.length} lengths differ`);
  return wrong.length === 0 ? 0 : 1;
}

/** Real and virtual-8086 mode, segments, gates and tasks against Bochs, in images of some thousand cases. */
function system(): number {
  const bochs = toolSync("bochs");
  if (!bochs.available) {
    console.log(`not run: system oracle: ${bochs.reason}`);
    return 0;
  }
  const cases = Number(option("system", "32000")), seed = Number(option("seed", "1"));
  let failures = 0;
  for (let done = 0; done < cases; done += IMAGE_CASES) {
    const count = Math.min(IMAGE_CASES, cases - done);
    const found = systemCampaign(bochs.path, seed + done / IMAGE_CASES, count, "interpreter");
    for (const failure of found.slice(0, 10)) console.log(failure.text);
    failures += found.length;
    console.log(`${done + count} system cases, ${failures} failures`);
  }
  const kinds = [{ paged: true, watched: false }, { paged: false, watched: true }, { paged: true, watched: true }];
  kinds.forEach((additions, i) => {
    const count = Math.min(IMAGE_CASES, Math.ceil(cases / 8));
    const found = pagedCampaign(bochs.path, seed + i, count, "interpreter", additions);
    for (const failure of found.slice(0, 10)) console.log(failure.text);
    failures += found.length;
    const name = `${additions.paged ? " under paging" : ""}${additions.watched ? " with breakpoints" : ""}`;
    console.log(`${count} system cases${name}, ${failures} failures`);
  });
  return failures === 0 ? 0 : 1;
}

/** Segments of local tables, 16-bit code and alignment checks on the host CPU. */
async function segments(): Promise<number> {
  const cases = Number(option("segments", "60000")), seed = Number(option("seed", "1"));
  if (cases === 0) return 0;
  const reason = whyNoNative();
  if (reason !== undefined) {
    console.log(`not run: oracle of segments: ${reason}`);
    return 0;
  }
  using native = new SegmentNative();
  let failures = 0;
  for (let done = 0; done < cases; done += IMAGE_CASES) {
    const count = Math.min(IMAGE_CASES, cases - done);
    const found = await segmentCampaign(native, ENGINES.interpreter, seed + done / IMAGE_CASES, count);
    for (const text of found.failures.slice(0, 10)) console.log(text);
    failures += found.failures.length;
    console.log(`${done + count} cases of segments, ${failures} failures`);
  }
  return failures === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const reason = whyNoNative();
  if (reason !== undefined) {
    console.log(`not run: native oracle: ${reason}`);
    return 0;
  }
  const engine = option("engine", "interpreter") as keyof typeof ENGINES;
  const seed = Number(option("seed", "1")), cases = Number(option("cases", "200000"));
  const group = option("group", ""), only = option("only", "");
  const ours = new Ours(ENGINES[engine], engine === "jit" ? 3 : 1);
  await using native = await Native.start();
  let shown = 0;
  const result = await campaign(native, ours, {
    cases,
    seed,
    most: Number(option("most", "50")),
    ...(group === "" ? {} : { groups: [group as Group] }),
    ...(only === "" ? {} : { only: new RegExp(only) }),
    progress: (done, failures) => {
      if (done - shown < 10_000 && done < cases) return;
      shown = done;
      console.log(`${done} cases, ${failures} failures`);
    },
  });
  const seen = new Set<string>();
  for (const failure of result.failures) {
    if (seen.has(failure.one.name)) continue;
    seen.add(failure.one.name);
    const { one, lines, ours: mine, host } = failure;
    console.log(reportCase(one, lines.slice(0, 6), mine, host, disassembly(ours, failure)));
  }
  console.log(`${result.cases} cases, ${result.coverage.size} mnemonics alone, ${result.failures.length} failures`);
  if (result.failures.length === 0) return 0;
  const filters = `${group === "" ? "" : ` --group ${group}`}${only === "" ? "" : ` --only '${only}'`}`;
  console.log(`again: deno task fuzz --engine ${engine} --seed ${seed} --cases ${cases}${filters}`);
  return 1;
}

/** The x87 with all its state; a difference throws. */
async function x87(): Promise<number> {
  const cases = Number(option("x87", "60000"));
  if (cases > 0) await fullX87(cases, Number(option("seed", "1")));
  return 0;
}

/** The JIT against the interpreter. */
async function lockstep(): Promise<number> {
  const programs = Number(option("lockstep", "1000")), seed = Number(option("seed", "1"));
  const guests = Number(option("guests", "1000")), changing = Number(option("changing", "300"));
  const variant = option("variant", ""), whole = option("whole", "") === "yes";
  const failures = (programs > 0 ? fullPrograms(seed, programs, variant) : 0) +
    (guests > 0 ? fullGuests(guests, whole, option("guest", ""), variant === "" ? "all on" : variant) : 0) +
    (changing > 0 ? await fullChanging(changing) : 0);
  return failures === 0 ? 0 : 1;
}

/** The parts of the run by name, each with its exit code. */
const PARTS: Readonly<Record<string, () => number | Promise<number>>> = {
  lengths,
  system,
  segments,
  x87,
  lockstep,
  native: main,
};

let code = 0;
for (const name of option("parts", Object.keys(PARTS).join()).split(",")) {
  const part = PARTS[name];
  if (part === undefined) {
    console.log(`There is no part "${name}"; there are ${Object.keys(PARTS).join(", ")}`);
    code = 64;
  } else code = Math.max(code, await part());
}
Deno.exit(code);
