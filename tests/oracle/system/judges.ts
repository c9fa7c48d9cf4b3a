/**
 * Runs an image of the system oracle on an emulator and gives back the results: ours, or Bochs, which checks segment
 * limits and types as processors do. Cold.
 */
import { type EngineName, i386 } from "../../../lib/cpu/i386/factory.ts";
import { debugConsole } from "../../../lib/device/small_ports.ts";
import { biosRegions } from "../../../lib/machine/loader/raw.ts";
import { machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";
import { MARK, RESULT_DWORDS, WINDOW_BYTES } from "./places.ts";

/** Results, {@linkcode RESULT_DWORDS} dwords a case. */
export type Results = Uint32Array;

/** What an image printed. */
export interface Printed {
  /** Results of its cases. */
  readonly results: Results;
  /** The data windows as the last case left them; empty unless the image was made to print them. */
  readonly windows: Uint8Array;
}

/** Most instructions of a case, its harness included. */
const STEPS_A_CASE = 1_000_000;

/** Runs it on ours; the JIT translates code the first time that it is executed. */
export function runOurs(image: Uint8Array, cases: number, engine: EngineName): Printed {
  const out: number[] = [];
  const m = machine({
    cpu: i386({ engine, ...(engine === "jit" ? { jit: { threshold: 1 } } : {}) }),
    memory: [ram({ at: 0, size: 0xe0000 }), ram({ at: 0x100000, size: 15 << 20 }), ...biosRegions(image)],
    devices: [debugConsole({ onByte: (byte) => out.push(byte) })],
  });
  const stop = m.run({ instructions: 2_000_000 + cases * STEPS_A_CASE });
  if (stop.kind !== "halt") throw new Error(`ours ended with ${JSON.stringify(stop)}`);
  return resultsOf(Uint8Array.from(out), cases);
}

/** Runs it on Bochs, as a Pentium 4 of one kind or another. */
export function runBochs(path: string, image: Uint8Array, cases: number, model = "p4_willamette"): Printed {
  const folder = Deno.makeTempDirSync({ prefix: "vmikit-bochs-" });
  try {
    Deno.writeFileSync(`${folder}/bios.bin`, image);
    const vga = new Uint8Array(512);
    vga.set([0x55, 0xaa, 1]);
    Deno.writeFileSync(`${folder}/vga.bin`, vga);
    Deno.writeTextFileSync(`${folder}/bochsrc`, configuration(folder, image.length, model));
    const shell = `printf 'c\\nq\\n' | exec timeout 300 "$0" -q -f "$1"`;
    const { stdout } = new Deno.Command("sh", { args: ["-c", shell, path, `${folder}/bochsrc`], stderr: "null" })
      .outputSync();
    return resultsOf(stdout, cases);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function configuration(folder: string, size: number, model: string): string {
  return [
    'display_library: rfb, options="timeout=0"',
    `romimage: file=${folder}/bios.bin, address=0x${(2 ** 32 - size).toString(16)}`,
    `vgaromimage: file=${folder}/vga.bin`,
    "megs: 32",
    `cpu: model=${model}, ips=100000000, reset_on_triple_fault=0`,
    "port_e9_hack: enabled=1",
    `log: ${folder}/log`,
    "panic: action=fatal",
    "speaker: enabled=0",
    "boot: disk",
  ].join("\n");
}

function resultsOf(bytes: Uint8Array, cases: number): Printed {
  const at = find(bytes, new TextEncoder().encode(MARK));
  const size = cases * RESULT_DWORDS * 4;
  if (at < 0 || bytes.length < at + MARK.length + size) {
    const tail = new TextDecoder("latin1").decode(bytes.subarray(-400));
    throw new Error(`the image printed no results; the last it said was: ${tail}`);
  }
  const from = at + MARK.length, end = from + size;
  const windows = bytes.length >= end + WINDOW_BYTES ? bytes.slice(end, end + WINDOW_BYTES) : new Uint8Array(0);
  return { results: new Uint32Array(bytes.slice(from, end).buffer), windows };
}

function find(bytes: Uint8Array, what: Uint8Array): number {
  outer: for (let i = 0; i + what.length <= bytes.length; i++) {
    for (let j = 0; j < what.length; j++) if (bytes[i + j] !== what[j]) continue outer;
    return i;
  }
  return -1;
}
