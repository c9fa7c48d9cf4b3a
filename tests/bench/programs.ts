/**
 * The further programs of the comparison: those in C (programs/programs.c), two that change their own code, and short jobs.
 * Each compares every result with a known value. The ones in C need gcc with -m32. Cold.
 */
import { parseElf } from "../../lib/machine/loader/elf.ts";
import { checkedLoop, DATA, type Kernel, LINKED } from "../../scripts/bench/kernels.ts";
import { fromFileUrl } from "../../scripts/deps/std.ts";

/** Names and kinds, in the order of the table in programs.c. */
const IN_C = [
  ["records", "integer"],
  ["mixture", "integer"],
  ["sha256", "integer"],
  ["crc32", "integer"],
  ["quicksort", "integer"],
  ["linked list", "integer"],
  ["bytecode", "integer"],
  ["x87 n-body", "x87"],
] as const;

/** Programs that run again as short jobs: number in {@linkcode IN_C}, guest instructions. */
const SHORT = [[0, 20_000_000], [1, 40_000_000], [4, 80_000_000]] as const;

const FLAGS = [
  ...["-m32", "-O2", "-march=i686", "-mno-sse", "-mno-mmx", "-mfpmath=387", "-fexcess-precision=standard"],
  ...["-ffreestanding", "-nostdlib", "-fno-pic", "-no-pie", "-static", "-fno-stack-protector"],
  ...["-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns", "-w"],
  ...[`-Wl,-N,-Ttext=0x${LINKED.toString(16)},-Tdata=0x${(LINKED + 0x2_0000).toString(16)}`], // data on pages of their own
  ...[`-Wl,-Tbss=0x${DATA.toString(16)},--build-id=none,-e,_start`],
];

/** An instruction's constant is rewritten before each time it runs. */
const PATCHED = checkedLoop(
  `
       xor ebx, ebx
       mov ecx, 256
turn:  mov [patch+1], ecx
       call patch
       add ebx, eax
       dec ecx
       jnz turn
       xor eax, eax
       cmp ebx, ${256 * 257 / 2}
       setne al`,
  "patch: mov eax, 0\nret",
);

/** A function of 32 additions is written anew and then called 200 times, as translators do. */
const GENERATED = checkedLoop(`
       mov edi, ${DATA + 0x1000}
       mov esi, edi
       mov edx, [${DATA}]
       xor ebx, ebx
       mov ecx, 32
write: imul edx, edx, 69069
       add edx, 12345
       mov byte [edi], 5 ; add eax, imm32
       mov [edi+1], edx
       add ebx, edx
       add edi, 5
       dec ecx
       jnz write
       mov [${DATA}], edx
       mov byte [edi], 0xc3
       mov ecx, 200
       xor eax, eax
run:   call esi
       dec ecx
       jnz run
       imul ebx, ebx, 200
       xor edx, edx
       cmp eax, ebx
       setne dl
       mov eax, edx`);

/** Turns of a program that copies code, before its result is compared. */
const TURNS = 16;

/** Code of `bytes` bytes is copied over the code of the turn before and run once; `differing`: two pieces by turns. */
function copied(bytes: number, differing: boolean): string {
  const count = Math.floor((bytes - 1) / 3), at = DATA + 0x1000;
  const piece = (name: string, op: string): string =>
    `${name}: times ${count} ${op}\nret\ntimes ${bytes - 3 * count - 1} nop\n`;
  return checkedLoop(
    `
       xor eax, eax
       mov edx, ${TURNS}
       mov ebx, ${at}
turn:  mov esi, one
       ${differing ? "test dl, 1\njz put\nmov esi, two" : ""}
put:   mov edi, ebx
       mov ecx, ${bytes / 4}
       rep movsd
       call ebx
       dec edx
       jnz turn
       sub eax, ${TURNS * count * 3 - (differing ? TURNS / 2 * count * 8 : 0)}
       setne al
       movzx eax, al`,
    piece("one", "add eax, 3") + piece("two", "sub eax, 5"),
  );
}

/** Millions of instructions for pieces of some sizes. */
const COPIED = [[16, 40], [256, 40], [4096, 80]] as const;

/** Programs of our assembler. */
const OURS: readonly Kernel[] = [
  ...COPIED.flatMap(([bytes, millions]) =>
    [false, true].map((differing): Kernel => ({
      name: `copied code, ${bytes} bytes${differing ? ", differing" : ""}`,
      kind: "code",
      source: copied(bytes, differing),
      checked: true,
      work: millions * 1_000_000,
    }))
  ),
  { name: "patched constant", kind: "code", source: PATCHED, checked: true, work: 20_000_000 },
  { name: "generated code", kind: "code", source: GENERATED, checked: true, work: 200_000_000 },
];

/** Compiles one C file. @throws {Error} There is no such compiler, or it refuses. */
export async function compile(file: string, flags: readonly string[]): Promise<Uint8Array> {
  const out = await Deno.makeTempFile({ prefix: "vmikit-bench-" });
  try {
    const source = fromFileUrl(new URL(file, import.meta.url));
    const { success, stderr } = await new Deno.Command("gcc", { args: [...flags, "-o", out, source] }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    return await Deno.readFile(out);
  } finally {
    await Deno.remove(out);
  }
}

/** The programs of programs.c. @throws {Error} They cannot be compiled here. */
async function programsInC(): Promise<readonly Kernel[]> {
  const { entry, segments } = parseElf(await compile("programs/programs.c", FLAGS));
  const linked = new Uint8Array(0x2_1000);
  for (const { at, bytes } of segments) if (bytes.length > 0) linked.set(bytes, at - LINKED);
  return IN_C.map(([name, kind], number) => ({
    name,
    kind,
    source: checkedLoop(`mov eax, ${number}\ncall ${entry}`),
    checked: true,
    linked,
  }));
}

/** All of them, and why some are missing. */
export async function furtherPrograms(): Promise<{
  readonly programs: readonly Kernel[];
  readonly missing: readonly string[];
}> {
  try {
    const inC = await programsInC();
    const short = SHORT.map(([number, work]): Kernel => ({
      ...inC[number],
      name: `short: ${inC[number].name}, ${work / 1e6} M`,
      kind: "short",
      work,
    }));
    return { programs: [...inC, ...OURS, ...short], missing: [] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { programs: OURS, missing: [`programs in C: gcc with -m32 is needed (${reason})`] };
  }
}
