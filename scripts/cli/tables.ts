/**
 * `vmikit rom` and `vmikit calls`: the paravirtual interface as listings. Cold.
 */
import { formatParavirtRom, hex, listParavirtRom, paravirt, PARAVIRT_CALLS } from "../../mod.ts";
import { type Command, Option } from "../deps/cli.ts";
import { Exit, type Io, json, writeOutput } from "./io.ts";
import { address, makeBackend, ROM_BACKENDS } from "./options.ts";

/** Adds `rom`. */
export function addRom(program: Command, io: Io, done: (code: number) => void): void {
  program.command("rom")
    .description("Show the paravirtual ROM, or write it to a file")
    .addOption(new Option("--backend <name>", "whose ROM").choices(ROM_BACKENDS).default("native" as const))
    .option("--at <address>", "physical address, 0xc0000 to below 0xe0000", address)
    .addOption(new Option("--out <file>", "write the bytes to a file").conflicts("json"))
    .option("--json", "print the listing as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  deno task vmikit rom\n  deno task vmikit rom --backend scripted --out rom.bin\n",
    )
    .action(async (o) => {
      const backend = makeBackend(o.backend);
      const { rom, at } = paravirt({ backend, ...(o.at === undefined ? {} : { at: o.at }) });
      if (typeof o.out === "string") {
        await writeOutput(io, o.out, rom.bytes, "ROM");
        io.err(`vmikit: ${rom.bytes.length} bytes for ${hex(at, 5)} written to ${o.out}\n`);
      } else io.out(o.json === true ? json(listParavirtRom(rom, at)) : formatParavirtRom(rom, at));
      done(Exit.ok);
    });
}

/** Adds `calls`. */
export function addCalls(program: Command, io: Io, done: (code: number) => void): void {
  program.command("calls")
    .description("Show the table of paravirtual calls")
    .option("--json", "print the table as JSON")
    .addHelpText("after", "\nExamples:\n  deno task vmikit calls\n  deno task vmikit calls --json\n")
    .action((o) => {
      if (o.json === true) io.out(json(PARAVIRT_CALLS));
      else {
        for (const { no, name, args, result, clobbers, topic } of PARAVIRT_CALLS) {
          const head = `${String(no).padStart(3)} ${name.padEnd(24)} ${topic.padEnd(10)}`;
          io.out(`${head} (${args.join(" ")}) -> ${result}, changes ${clobbers}\n`);
        }
      }
      done(Exit.ok);
    });
}
