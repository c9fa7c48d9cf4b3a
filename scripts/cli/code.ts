/**
 * `vmikit asm` and `vmikit disasm`: source to bytes and back. Cold.
 */
import { assemble, type Assembly, disassemble, hexBytes } from "../../mod.ts";
import { type Command, Option } from "../deps/cli.ts";
import { Exit, type Io, json, readInput, writeOutput } from "./io.ts";
import { address, codeSize } from "./options.ts";

/** Adds `asm`. */
export function addAsm(program: Command, io: Io, done: (code: number) => void): void {
  program.command("asm")
    .description("Assemble a file written in nasm's language")
    .argument("<file>", "source")
    .option("-o, --out <file>", "write the bytes to a file; default: print them as hex")
    .addOption(new Option("--json", "print bytes and listing as JSON").conflicts("listing"))
    .option("--listing", "print address, bytes and source of each line")
    .option("--bits <16|32>", "code size at the start", codeSize, 32)
    .option("--origin <address>", "address of the first byte", address, 0)
    .addHelpText(
      "after",
      "\nExamples:\n  deno task vmikit asm boot.asm --bits 16 --origin 0x7c00 -o boot.bin --listing\n",
    )
    .action(async (file, o) => {
      const source = new TextDecoder().decode(await readInput(io, file, "source"));
      const code = assemble(source, { bits: o.bits === 16 ? 16 : 32, origin: o.origin });
      if (o.json === true) {
        io.out(json({ exit: Exit.ok, origin: code.origin, bytes: [...code.bytes], lines: code.lines }));
      }
      if (o.listing === true) io.out(listing(source, code));
      if (o.out !== undefined) await writeOutput(io, o.out, code.bytes, "code");
      else if (o.listing !== true && o.json !== true) io.out(`${hexBytes(code.bytes)}\n`);
      done(Exit.ok);
    });
}

/** Adds `disasm`. */
export function addDisasm(program: Command, io: Io, done: (code: number) => void): void {
  program.command("disasm")
    .description("Disassemble a file of bare code")
    .argument("<file>", "code")
    .option("--bits <16|32>", "code size", codeSize, 32)
    .option("--origin <address>", "address of the first byte", address, 0)
    .option("--json", "print the listing as JSON")
    .addHelpText("after", "\nExamples:\n  deno task vmikit disasm boot.bin --bits 16 --origin 0x7c00\n")
    .action(async (file, o) => {
      const bytes = await readInput(io, file, "code");
      const lines = disassemble(bytes, { bits: o.bits === 16 ? 16 : 32, origin: o.origin });
      if (o.json === true) io.out(json(lines.map((l) => ({ ...l, bytes: [...l.bytes] }))));
      else io.out(lines.map((l) => row(l.address, l.bytes, l.text)).join(""));
      done(Exit.ok);
    });
}

function row(address: number, bytes: Uint8Array, text: string): string {
  return `${address.toString(16).padStart(8, "0")}  ${hexBytes(bytes).padEnd(24)}  ${text}\n`;
}

function listing(source: string, code: Assembly): string {
  const text = source.split("\n");
  return code.lines.map(({ line, address, length }) => {
    const at = address - code.origin;
    return row(address, code.bytes.subarray(at, at + length), (text[line - 1] ?? "").trimEnd());
  }).join("");
}
