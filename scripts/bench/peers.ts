/**
 * The long comparison: the same programs on every engine of vmikit, on v86, on QEMU's TCG and on the host CPU itself. Each
 * run is a process of its own; what counts is its CPU time less that of the same process with nothing to do, so start-up
 * and firmware are left out and warm-up of translators is left in. Runs are interleaved, so that a busy host hits all
 * alike; the table shows medians. Cold.
 *
 * Started by `deno task bench --peers [--runs N] [--scale X] [--only TEXT] [--json]`. Peers that are not installed are named.
 */
import { MiB, multiboot, pc } from "../../mod.ts";
import { ENGINES } from "../cli/options.ts";
import { fromFileUrl } from "../deps/std.ts";
import { median, type Timed, timed } from "./cpu_time.ts";
import { DONE, linuxProgram, multibootImage } from "./images.ts";
import { type Kernel, KERNELS } from "./kernels.ts";

/** Guest instructions of one run of a program, by kind: a second or two here. */
const WORK = { integer: 1_000_000_000, x87: 120_000_000, code: 100_000_000, short: 40_000_000 } as const;

/** Short jobs run so often for each run of the others: start-up weighs as much as they do. */
const SHORT_RUNS = 3;
/** Seconds below which the difference of two processes says nothing. */
const LEAST = 0.004;

/** Where Debian and others put SeaBIOS. */
const FIRMWARE = ["/usr/share/seabios", "/usr/share/qemu"];

const HERE = fromFileUrl(new URL("./", import.meta.url));
const UNICORN = `${HERE}unicorn_child.ts`;
const DENO = [Deno.execPath(), "run", "--no-prompt", "--allow-read", "--allow-env", "--allow-sys"];

/** Something that runs programs. */
export interface Peer {
  /** For the table. */
  readonly name: string;
  /** The command that runs an image. */
  command(image: string): readonly string[];
  /** The image of a program; default: multiboot. */
  readonly image?: (kernel: Kernel, times: number) => Uint8Array;
  /**
   * The command that boots a Linux kernel and ends when it prints `text`, or reboots after that; what the first serial port
   * says goes to standard output. Absent: it cannot.
   */
  boot?(kernel: string, initrd: string, append: string, text: string): readonly string[];
  /** Exit codes of a good run. */
  readonly good: readonly number[];
}

/** Figures of one program on one peer. */
export interface Figure {
  /** Program. */
  readonly kernel: string;
  /** Its kind. */
  readonly kind: Kernel["kind"];
  /** Peer. */
  readonly peer: string;
  /** Guest instructions in millions, as vmikit counts them. */
  readonly millions: number;
  /** CPU seconds, median, less the empty run's. */
  readonly seconds: number;
  /** Millions of guest instructions a second; NaN: too short to say. */
  readonly mips: number;
}

/** The result of {@linkcode comparePeers}. */
export interface Comparison {
  /** One for each program and peer. */
  readonly figures: readonly Figure[];
  /** Peers that are not here, with the reason. */
  readonly missing: readonly string[];
  /** Programs that failed on a peer or came to a wrong result there; they have no figure. */
  readonly failures: readonly string[];
  /** CPU seconds of an empty run by peer, median. */
  readonly empty: Readonly<Record<string, number>>;
}

/** The slow engine is for reading, not for racing. */
const RACERS = ENGINES.filter((engine) => engine !== "reference");

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function firstLine(text: string): string {
  return text.split("\n").find((line) => /\w/.test(line))?.trim() ?? "it says nothing";
}

/** vmikit's own engines as peers. */
function ourselves(): readonly Peer[] {
  const program = fromFileUrl(new URL("../vmikit.ts", import.meta.url));
  const limits = ["--until", DONE, "--serial", "none", "--instructions", "1000G"];
  return RACERS.map((engine) => ({
    name: `vmikit ${engine}`,
    command: (image) => [...DENO, program, "boot", "--kernel", image, "--engine", engine, ...limits],
    boot: (kernel, initrd, append, text) => [
      ...[...DENO, program, "boot", "--kernel", kernel, "--initrd", initrd, "--append", append, "--engine", engine],
      ...["--until", text, "--serial", "stdio", "--memory", "128", "--instructions", "1000G"],
    ],
    good: [0],
  }));
}

/** Everybody who is here, and why others are not. */
export async function findPeers(): Promise<{ readonly peers: readonly Peer[]; readonly missing: readonly string[] }> {
  const peers: Peer[] = [...ourselves()];
  const missing: string[] = [];
  const firmware = FIRMWARE.find((f) => exists(`${f}/bios.bin`) && exists(`${f}/vgabios.bin`));
  if (firmware === undefined) missing.push("v86: SeaBIOS is not installed (package seabios)");
  else {
    const child = `${HERE}v86_child.ts`;
    peers.push({
      name: "v86",
      command: (image) => [...DENO, child, firmware, DONE, image],
      boot: (kernel, initrd, append, text) => [...DENO, child, firmware, text, kernel, initrd, append],
      good: [0],
    });
  }
  const qemu = ["qemu-system-i386", "-accel", "tcg", "-m", "128", "-display", "none", "-nodefaults"];
  if ((await timed([qemu[0], "--version"])).code === 0) {
    const exit = ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"];
    const code = (2 * DONE.charCodeAt(DONE.length - 1) + 1) & 0xff; // the value written, doubled and one added
    peers.push({
      name: "QEMU TCG",
      command: (image) => [...qemu, ...exit, "-serial", "none", "-kernel", image],
      boot: (kernel, initrd, append) => [
        ...[...qemu, "-serial", "stdio", "-no-reboot", "-kernel", kernel, "-initrd", initrd, "-append", append],
      ],
      good: [0, code],
    });
  } else missing.push("QEMU TCG: qemu-system-i386 is not installed");
  const unicorn = { name: "Unicorn", good: [0], command: (image: string) => [...DENO, "--allow-ffi", UNICORN, image] };
  const try1 = await oneRun(unicorn, KERNELS[0], 1);
  if (try1.code === 0) peers.push(unicorn);
  else missing.push(`Unicorn: libunicorn.so.2 does not run (package libunicorn2): ${firstLine(try1.said)}`);
  const native: Peer = { name: "host CPU", command: (image) => [image], image: linuxProgram, good: [0] };
  const proof = await oneRun(native, KERNELS[0], 1).catch((error) => ({ code: -1, said: String(error) }));
  if (proof.code === 0) peers.push(native);
  else missing.push(`host CPU: it runs no 32-bit Linux programs (${proof.said || `exit code ${proof.code}`})`);
  return { peers, missing };
}

/** Runs a program once. */
async function oneRun(peer: Peer, kernel: Kernel, times: number): Promise<Timed> {
  const path = await Deno.makeTempFile({ prefix: "vmikit-bench-" });
  try {
    await Deno.writeFile(path, (peer.image ?? multibootImage)(kernel, times), { mode: 0o755 });
    await Deno.chmod(path, 0o755);
    return await timed(peer.command(path));
  } finally {
    await Deno.remove(path);
  }
}

/** As {@linkcode oneRun}. @throws {Error} The run failed. */
async function seconds(peer: Peer, kernel: Kernel, times: number): Promise<number> {
  const { code, said, seconds } = await oneRun(peer, kernel, times);
  if (!peer.good.includes(code)) throw new Error(`${peer.name} failed on ${kernel.name}, exit code ${code}: ${said}`);
  return seconds;
}

/** Guest instructions of doing a program's work once more, counted by running it. */
function instructionsPerTime(kernel: Kernel): number {
  const count = (times: number): number => {
    const m = pc({ memory: 4 * MiB });
    m.boot(multiboot({ kernel: multibootImage(kernel, times) }));
    const { kind } = m.run({ instructions: 100_000_000, until: m.serial.contains(DONE) });
    if (kind !== "until") throw new Error(`${kernel.name} did not end well on vmikit: ${kind}`);
    return m.cpu.instructions;
  };
  const more = kernel.checked === true ? 1 : 20; // a checked program does the same every time
  return (count(1 + more) - count(1)) / more;
}

/** A program with its amount of work. */
interface Job {
  readonly kernel: Kernel;
  readonly times: number;
  readonly instructions: number;
}

/** Short jobs keep their length. */
function job(kernel: Kernel, scale: number): Job {
  const each = instructionsPerTime(kernel);
  const work = (kernel.work ?? WORK[kernel.kind]) * (kernel.kind === "short" ? 1 : scale);
  const times = Math.max(1, Math.round(work / each));
  return { kernel, times, instructions: times * each };
}

/**
 * Compares.
 * @param kernels The programs.
 * @param runs Times each program runs on each peer.
 * @param scale Share of the usual work.
 * @param say Told what goes on, and at once what failed.
 */
export async function comparePeers(
  kernels: readonly Kernel[],
  runs: number,
  scale: number,
  say: (text: string) => void,
): Promise<Comparison> {
  const { peers, missing } = await findPeers();
  const work = kernels.map((kernel) => job(kernel, scale));
  const empties = new Map(peers.map((peer) => [peer, [] as number[]]));
  const taken = new Map(work.map(({ kernel }) => [kernel, new Map(peers.map((peer) => [peer, [] as number[]]))]));
  const failures = new Set<string>();
  for (let run = 1; run <= runs; run++) {
    for (const peer of [...peers, ...peers]) empties.get(peer)?.push(await seconds(peer, KERNELS[0], 0));
    for (const { kernel, times } of work) {
      say(`run ${run} of ${runs}: ${kernel.name}`);
      for (const peer of Array.from({ length: kernel.kind === "short" ? SHORT_RUNS : 1 }, () => peers).flat()) {
        try {
          taken.get(kernel)?.get(peer)?.push(await seconds(peer, kernel, times));
        } catch (error) {
          const text = error instanceof Error ? error.message : String(error);
          say(`FAILED: ${text}`);
          failures.add(text);
          taken.get(kernel)?.delete(peer);
        }
      }
    }
  }
  const empty = new Map(peers.map((peer) => [peer, median(empties.get(peer) ?? [])]));
  const figures = work.flatMap(({ kernel, instructions }) =>
    [...taken.get(kernel) ?? []].map(([peer, all]): Figure => {
      const millions = instructions / 1e6;
      const seconds = median(all) - (empty.get(peer) ?? 0);
      const mips = seconds < LEAST ? NaN : millions / seconds;
      return { kernel: kernel.name, kind: kernel.kind, peer: peer.name, millions, seconds, mips };
    })
  );
  const idle = Object.fromEntries([...empty].map(([peer, s]) => [peer.name, s]));
  return { figures, missing, failures: [...failures], empty: idle };
}

/** CPU seconds of booting a kernel until it prints a text, by peer, medians; firmware and start-up included. */
export async function compareBoots(
  boot: { readonly kernel: string; readonly initrd: string; readonly append: string; readonly text: string },
  runs: number,
  say: (text: string) => void,
): Promise<Readonly<Record<string, number>>> {
  const peers = (await findPeers()).peers.filter((peer) => peer.boot !== undefined);
  const taken = new Map(peers.map((peer) => [peer.name, [] as number[]]));
  for (let run = 1; run <= runs; run++) {
    for (const peer of peers) {
      say(`run ${run} of ${runs}: boot on ${peer.name}`);
      const command = peer.boot?.(boot.kernel, boot.initrd, boot.append, boot.text) ?? [];
      const { code, seconds, said } = await timed(command, 600);
      if (!peer.good.includes(code)) throw new Error(`${peer.name} did not boot, exit code ${code}: ${said}`);
      taken.get(peer.name)?.push(seconds);
    }
  }
  return Object.fromEntries([...taken].map(([name, seconds]) => [name, median(seconds)]));
}
