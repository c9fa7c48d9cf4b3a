/**
 * The host CPU as the judge of segments: builds the native program with gcc and sends a table and its cases through it.
 * Sources: native/segments.c. Cold.
 */
import { CaseAt, LDT_ENTRIES, ResultAt, WINDOW_PAGES } from "./places.ts";
import { type Entry, kernelForm } from "./table.ts";
import { FLAGS } from "../native.ts";

/** The program, built; its folder goes when it is disposed of. */
export class SegmentNative implements Disposable {
  readonly #folder: string;

  /** Builds it. */
  constructor() {
    this.#folder = Deno.makeTempDirSync({ prefix: "vmikit-segments-" });
    const source = new URL("native/segments.c", import.meta.url).pathname;
    const args = [...FLAGS, "-o", `${this.#folder}/segments`, source];
    const { success, stderr } = new Deno.Command("gcc", { args, stdin: "null", stdout: "null", stderr: "piped" })
      .outputSync();
    if (!success) throw new Error(`The native program does not build: ${new TextDecoder().decode(stderr)}`);
  }

  /** Results of cases, {@linkcode ResultAt} each. */
  async run(
    table: readonly Entry[],
    protections: readonly number[],
    cases: readonly Uint8Array[],
  ): Promise<Uint8Array> {
    const child = new Deno.Command(`${this.#folder}/segments`, { stdin: "piped", stdout: "piped" }).spawn();
    const written = new Blob([head(table, protections), ...cases.map((c) => c.slice())]).stream().pipeTo(child.stdin);
    const { stdout, code } = await child.output();
    await written;
    if (code !== 0 || stdout.length !== cases.length * ResultAt.size) {
      throw new Error(`The native program ended with ${code} after ${stdout.length / ResultAt.size} results`);
    }
    return stdout;
  }

  /** Removes the folder. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function head(table: readonly Entry[], protections: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(WINDOW_PAGES + 16 * LDT_ENTRIES), view = new DataView(bytes.buffer);
  bytes.set(protections);
  table.forEach((one, i) =>
    kernelForm(one, i).forEach((v, n) => view.setUint32(WINDOW_PAGES + 16 * i + 4 * n, v, true))
  );
  return bytes;
}

/** Bytes of a case; the program's own number. */
export const CASE_BYTES: number = CaseAt.size;
