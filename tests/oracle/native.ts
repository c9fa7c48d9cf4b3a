/**
 * The host CPU as an oracle: builds the native runner with gcc and streams cases through it.
 *
 * The runner is a process of its own; what a snippet breaks there breaks only it. Sources: native/runner.c.
 */
import { toolSync } from "../guests/tool.ts";
import { type Case, CODE_BYTES, type Outcome, WINDOW_BYTES } from "./case.ts";

const CASE_SIZE = 1152, RESULT_SIZE = 1088;
/** How the runner is built: no C library, no addresses but its own. */
export const FLAGS: readonly string[] = [
  "-m32",
  "-O1",
  "-ffreestanding",
  "-fno-builtin",
  "-fno-pic",
  "-no-pie",
  "-nostdlib",
  "-static",
  "-fno-stack-protector",
  "-mgeneral-regs-only",
];

/** Why the host cannot be asked, or `undefined` if it can. */
export function whyNoNative(): string | undefined {
  const gcc = toolSync("gcc-m32");
  if (!gcc.available) return gcc.reason;
  return Deno.build.os === "linux" && Deno.build.arch === "x86_64" ? undefined : "the host is not x86-64 Linux";
}

/** A running native runner. */
export class Native implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  private constructor(folder: string) {
    this.#folder = folder;
    this.#child = new Deno.Command(`${folder}/runner`, { stdin: "piped", stdout: "piped" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.getReader();
  }

  /** Builds and starts the runner. */
  static async start(): Promise<Native> {
    const folder = await Deno.makeTempDir({ prefix: "vmikit-oracle-" });
    const source = new URL("native/runner.c", import.meta.url).pathname;
    const args = [...FLAGS, "-o", `${folder}/runner`, source];
    const { success, stderr } = await new Deno.Command("gcc", { args, stdin: "null", stdout: "null", stderr: "piped" })
      .output();
    if (!success) throw new Error(`The native runner does not build: ${new TextDecoder().decode(stderr)}`);
    return new Native(folder);
  }

  /** Runs cases natively, in order. */
  async run(cases: readonly Case[]): Promise<Outcome[]> {
    const input = new Uint8Array(cases.length * CASE_SIZE);
    cases.forEach((one, i) => encode(one, input.subarray(i * CASE_SIZE, (i + 1) * CASE_SIZE)));
    const written = this.#writer.write(input);
    const output = await this.#read(cases.length * RESULT_SIZE);
    await written;
    return cases.map((_, i) => decode(output.subarray(i * RESULT_SIZE, (i + 1) * RESULT_SIZE)));
  }

  async #read(size: number): Promise<Uint8Array> {
    const all = new Uint8Array(size);
    for (let at = 0; at < size;) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#reader.read();
        if (done) {
          throw new Error(`The native runner ended after ${Math.floor(at / RESULT_SIZE)} results of this batch`);
        }
        this.#rest = value;
      }
      const n = Math.min(size - at, this.#rest.length);
      all.set(this.#rest.subarray(0, n), at);
      this.#rest = this.#rest.subarray(n);
      at += n;
    }
    return all;
  }

  /** Ends the runner and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#reader.cancel().catch(() => {});
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function encode(one: Case, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  one.regs.forEach((v, i) => view.setUint32(4 * i, v, true));
  view.setUint32(32, one.eflags | 2, true);
  if (one.code.length > CODE_BYTES) throw new Error(`Code of ${one.code.length} bytes; the most is ${CODE_BYTES}`);
  view.setUint32(36, one.code.length, true);
  into.set(one.fx, 64);
  into.set(one.memory, 576);
  into.set(one.code, 1088);
}

function decode(from: Uint8Array): Outcome {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  return {
    regs: Uint32Array.from({ length: 8 }, (_, i) => view.getUint32(4 * i, true)),
    eflags: view.getUint32(32, true),
    vector: view.getInt32(36, true),
    error: view.getUint32(40, true),
    cr2: view.getUint32(44, true),
    eip: view.getUint32(48, true),
    hash: view.getUint32(52, true),
    fx: from.slice(64, 576),
    memory: from.slice(576, 576 + WINDOW_BYTES),
  };
}
