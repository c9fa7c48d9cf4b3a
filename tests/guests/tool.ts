/**
 * Programs that tests use as oracles: assemblers, compilers, debuggers, other emulators, archivers, a browser.
 *
 * One that is installed is used where it is. A small one that is not is borrowed: its Debian package is opened into the
 * cache, not installed. The others are reported as not there. Cold.
 */
import { extract, privateApt } from "./apt.ts";
import { cacheFolder, lookEntry, makeEntry, type Outside } from "./cache.ts";

/**
 * A program that tests may ask for:
 * - `nasm`, `ndisasm`: assembler and disassembler to compare ours with.
 * - `gcc-m32`: a C compiler that makes 32-bit programs without a C library, and a kernel that runs them.
 * - `gdb`: the real debugger, as a client of ours.
 * - `qemu-system-i386`: another emulator, for comparing state and speed.
 * - `bochs`: another emulator, exact in segment limits, gates and tasks.
 * - `cpio`: reads what our archive writer wrote.
 * - `chromium`: a real browser for the lab page.
 */
export type ToolName = "nasm" | "ndisasm" | "gcc-m32" | "gdb" | "qemu-system-i386" | "bochs" | "cpio" | "chromium";

interface Recipe {
  /** Program looked for on the PATH, and the argument that makes it print its version. */
  readonly program: string;
  readonly version: string;
  /** Debian package that needs no more than the C library, so that it can be borrowed. */
  readonly borrow?: string;
  /** Further proof that the program can do what tests need. */
  readonly proof?: () => string | undefined;
}

const TOOLS: Readonly<Record<ToolName, Recipe>> = {
  "nasm": { program: "nasm", version: "-v", borrow: "nasm" },
  "ndisasm": { program: "ndisasm", version: "-v", borrow: "nasm" },
  "gcc-m32": { program: "gcc", version: "--version", proof: prove32Bit },
  "gdb": { program: "gdb", version: "--version" },
  "qemu-system-i386": { program: "qemu-system-i386", version: "--version" },
  "bochs": { program: "bochs", version: "--help" },
  "cpio": { program: "cpio", version: "--version", borrow: "cpio" },
  "chromium": { program: "chromium", version: "--version" },
};

/** Every tool's name, in a fixed order. */
export const TOOL_NAMES: readonly ToolName[] = Object.keys(TOOLS) as ToolName[];

/** The tool, borrowed if it is not installed and can be. */
export async function tool(name: ToolName): Promise<Outside> {
  const here = toolSync(name);
  const { program, borrow } = TOOLS[name];
  if (here.available || borrow === undefined) return here;
  const entry = await makeEntry(`tool-${borrow}`, (folder) => fetchTool(borrow, folder));
  return entry.available
    ? toolSync(name)
    : { available: false, reason: `${program} is not installed; ${entry.reason}` };
}

/** The tool if it is installed or was borrowed before; fetches nothing. */
export function toolSync(name: ToolName): Outside {
  const { program, version, borrow, proof } = TOOLS[name];
  const entry = borrow === undefined ? undefined : lookEntry(`tool-${borrow}`);
  for (const path of [program, ...(entry?.available === true ? [`${entry.path}/${program}`] : [])]) {
    const text = output(path, [version]);
    if (text === undefined) continue;
    const reason = proof?.();
    return reason === undefined ? { available: true, path, version: text } : { available: false, reason };
  }
  return { available: false, reason: `${program} is not installed` };
}

/** First line with words that a program prints, or `undefined` if it cannot be run. */
function output(program: string, args: string[]): string | undefined {
  try {
    const { success, stdout } = new Deno.Command(program, { args, stdin: "null", stderr: "null" }).outputSync();
    return success
      ? new TextDecoder().decode(stdout).split("\n").find((line) => /\w/.test(line))?.trim() ?? ""
      : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

let proved: { readonly reason: string | undefined } | undefined;

/** Builds and runs a program of three instructions: `_exit(42)` by the 32-bit system call. */
function prove32Bit(): string | undefined {
  if (proved !== undefined) return proved.reason;
  const folder = Deno.makeTempDirSync({ prefix: "vmikit-m32-" });
  try {
    const source = '__asm__(".globl _start\\n_start: mov $1, %eax\\n mov $42, %ebx\\n int $0x80\\n");\n';
    Deno.writeTextFileSync(`${folder}/a.c`, source);
    const args = ["-m32", "-march=i386", "-ffreestanding", "-fno-pic", "-nostdlib", "-static", "-o", "a", "a.c"];
    const built = new Deno.Command("gcc", { args, cwd: folder, stdin: "null" }).outputSync();
    if (!built.success) return (proved = { reason: "gcc cannot build 32-bit programs here" }).reason;
    const { code } = new Deno.Command(`${folder}/a`, { stdin: "null" }).outputSync();
    return (proved = { reason: code === 42 ? undefined : "the host runs no 32-bit programs" }).reason;
  } catch (error) {
    return (proved = { reason: `the host runs no 32-bit programs: ${error}` }).reason;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function fetchTool(name: string, folder: string): Promise<string> {
  const architecture = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
  const apt = privateApt(`${cacheFolder()}/apt-${architecture}`, architecture);
  await apt.update();
  const { deb, version } = await apt.download(name);
  const raw = `${folder}/raw`;
  Deno.mkdirSync(raw);
  for (const path of await extract(deb, raw, (candidate) => /^(usr\/)?bin\/[^/]+$/.test(candidate))) {
    Deno.renameSync(`${raw}/${path}`, `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`);
  }
  Deno.removeSync(raw, { recursive: true });
  Deno.removeSync(deb.slice(0, deb.lastIndexOf("/")), { recursive: true });
  return `${name} ${version}`;
}
