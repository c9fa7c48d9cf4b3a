/**
 * What the work of an operating system costs: system calls, pipes between two processes, fork and exec, page faults, by the
 * first program of a Linux kernel (system.c) on every emulator. It says on the console when each part is over; what counts
 * is the CPU time of the emulator's process between two such marks, read from the host's /proc, so that firmware and boot
 * are left out and what runs besides on the host hardly matters. Needs gcc with -m32. Cold.
 */
import { writeCpio } from "../../mod.ts";
import { median } from "../../scripts/bench/cpu_time.ts";
import { geomean } from "../../scripts/bench/measure.ts";
import { findPeers, type Peer } from "../../scripts/bench/peers.ts";
import { cell, line, sides } from "../../scripts/bench/table.ts";
import { compile } from "./programs.ts";

/** The parts in their order, as system.c names them. */
export const PARTS: readonly string[] = ["system calls", "pipes", "fork+exec", "page faults"];
/** Wall time after which a run is given up, milliseconds. */
const LIMIT = 600_000;
/** What the host counts CPU time in, seconds (Linux's USER_HZ). */
const TICK = 0.01;

const FLAGS = [
  ...["-m32", "-O1", "-march=i686", "-mno-sse", "-ffreestanding", "-nostdlib", "-fno-pic", "-no-pie", "-static"],
  ...["-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none"],
];

/** CPU seconds of one part on one peer, median. */
export interface SystemFigure {
  /** Part: system calls and so on; `boot` is all before. */
  readonly part: string;
  /** Peer. */
  readonly peer: string;
  /** CPU seconds. */
  readonly seconds: number;
}

/** The result of {@linkcode compareSystem}. */
export interface SystemComparison {
  /** One for each part and peer that ran. */
  readonly figures: readonly SystemFigure[];
  /** Peers that are not here, with the reason. */
  readonly missing: readonly string[];
  /** Runs that went wrong. */
  readonly failures: readonly string[];
}

/** The initial file system: a console and the program. @param scale Share of the usual work. */
export async function systemInitrd(scale: number): Promise<Uint8Array> {
  const data = await compile("system.c", [...FLAGS, `-DPERCENT=${Math.round(scale * 100)}`]);
  return writeCpio([
    { kind: "device", path: "/dev/console", type: "char", major: 5, minor: 1 },
    { kind: "file", path: "/init", data, mode: 0o755 },
  ]);
}

/** The mark that a part is over. */
export function systemMark(part: string): string {
  return `[${part}]`;
}

/** CPU seconds of a living process so far, its threads included. */
async function cpuSeconds(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/stat`], stderr: "null" }).output();
  const fields = new TextDecoder().decode(stdout).replace(/^.*\) /s, "").split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]); // utime, stime
  if (!Number.isFinite(ticks)) throw new Error("the host's /proc tells no CPU time");
  return ticks * TICK;
}

/** Runs once. @returns CPU seconds by mark. @throws {Error} A mark did not come. */
async function oneRun(peer: Peer, command: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    ...{ stdin: "null", stdout: "piped", stderr: "null" },
  }).spawn();
  const stop = setTimeout(() => child.kill("SIGKILL"), LIMIT);
  const at = new Map<string, number>();
  let text = "";
  try {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const fresh = ["begin", ...PARTS].filter((mark) => !at.has(mark) && text.includes(systemMark(mark)));
      if (fresh.length > 0) {
        const now = await cpuSeconds(child.pid);
        for (const mark of fresh) at.set(mark, now);
      }
      if (text.includes("[wrong")) child.kill("SIGKILL");
    }
    await child.status;
  } finally {
    clearTimeout(stop);
  }
  if (at.size === PARTS.length + 1) return at;
  throw new Error(`${peer.name} did not come to the end of the system rows: ${JSON.stringify(text.slice(-200))}`);
}

/** Compares. @param scale Share of the usual work, 0.01 or more. */
export async function compareSystem(
  kernel: string,
  scale: number,
  runs: number,
  say: (text: string) => void,
): Promise<SystemComparison> {
  const { peers, missing } = await findPeers();
  const able = peers.filter((peer) => peer.boot !== undefined);
  const taken = new Map<string, number[]>();
  const failures = new Set<string>();
  const initrd = await Deno.makeTempFile({ prefix: "vmikit-bench-" });
  try {
    await Deno.writeFile(initrd, await systemInitrd(scale));
    for (const [run, peer] of Array.from({ length: runs }, (_, i) => able.map((p) => [i + 1, p] as const)).flat()) {
      say(`run ${run} of ${runs}: system rows on ${peer.name}`);
      try {
        const last = systemMark(PARTS[PARTS.length - 1]);
        const at = await oneRun(peer, peer.boot?.(kernel, initrd, "console=ttyS0 nokaslr quiet", last) ?? []);
        let before = 0;
        for (const part of ["boot", ...PARTS]) {
          const now = at.get(part === "boot" ? "begin" : part) ?? NaN;
          taken.set(`${part}/${peer.name}`, [...taken.get(`${part}/${peer.name}`) ?? [], now - before]);
          before = now;
        }
      } catch (error) {
        failures.add(error instanceof Error ? error.message : String(error));
      }
    }
  } finally {
    await Deno.remove(initrd);
  }
  const figures = [...taken].map(([key, all]) => {
    const [part, peer] = key.split("/");
    return { part, peer, seconds: median(all) };
  });
  return { figures, missing, failures: [...failures] };
}

/** As a Markdown table: CPU seconds, and how many times less vmikit's engines need than the others. */
export function systemTable({ figures, missing, failures }: SystemComparison): string {
  const peers = [...new Set(figures.map((f) => f.peer))];
  const { ratios, titles } = sides(peers);
  const of = (part: string, peer: string): number =>
    figures.find((f) => f.part === part && f.peer === peer)?.seconds ?? NaN;
  const rows = ["boot", ...PARTS].map((part) => [
    part,
    ...peers.map((peer) => cell(of(part, peer), 2)),
    ...ratios.map(([o, p]) => cell(of(part, p) / of(part, o), 2)),
  ]);
  const mean = ratios.map(([o, p]) => cell(geomean(PARTS.map((part) => of(part, p) / of(part, o))), 2));
  rows.push(["**without boot, geometric mean**", ...peers.map(() => ""), ...mean]);
  const head = ["CPU seconds", ...peers, ...titles];
  return [
    ...[head, head.map((_, i) => i === 0 ? "---" : "---:"), ...rows].map(line),
    ...["", ...failures.map((f) => `FAILED: ${f}.`), ...missing.map((m) => `Not run: ${m}.`), ""],
  ].join("\n");
}
