/**
 * `vmikit completions`: scripts that make a shell complete commands, options and their choices. They are made from the
 * program itself, so that they cannot name what is not there. Cold.
 */
import { Argument, type Command } from "../deps/cli.ts";
import { Exit, type Io, json } from "./io.ts";

/** Shells. */
const SHELLS = ["bash", "zsh", "fish"] as const;

/** One option of a command. */
interface Flag {
  /** As written, e.g. `--engine`. */
  readonly names: readonly string[];
  /** What it is for. */
  readonly text: string;
  /** Does a value follow? */
  readonly valued: boolean;
  /** The values, if they are few. */
  readonly choices: readonly string[];
}

/** One command. */
interface Entry {
  readonly name: string;
  readonly text: string;
  readonly flags: readonly Flag[];
  /** Values of its argument, if they are few. */
  readonly choices: readonly string[];
}

const EXAMPLES = `
The scripts complete a program named vmikit, for example an alias of "deno task vmikit" or what deno install made.

Examples:
  deno task vmikit completions bash > ~/.local/share/bash-completion/completions/vmikit
  deno task vmikit completions zsh > ~/.zfunc/_vmikit
  deno task vmikit completions fish > ~/.config/fish/completions/vmikit.fish
`;

/** Adds the command. */
export function addCompletions(program: Command, io: Io, done: (code: number) => void): void {
  program.command("completions")
    .description("Print a completion script for a shell")
    .addArgument(new Argument("<shell>", "which").choices(SHELLS))
    .option("--json", "print the script as JSON")
    .addHelpText("after", EXAMPLES)
    .action((shell, o) => {
      const entries = program.commands.map((c) => entry(c as unknown as Command));
      const script = shell === "bash" ? bash(entries) : shell === "zsh" ? zsh(entries) : fish(entries);
      io.out(o.json === true ? json({ exit: Exit.ok, shell, script }) : script);
      done(Exit.ok);
    });
}

function entry(command: Command): Entry {
  const flags = command.createHelp().visibleOptions(command).map((option): Flag => ({
    names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
    text: option.description,
    valued: option.required || option.optional,
    choices: option.argChoices ?? [],
  }));
  return {
    name: command.name(),
    text: command.description(),
    flags,
    choices: command.registeredArguments[0]?.argChoices ?? [],
  };
}

/** A word as a shell takes it whole. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bash(entries: readonly Entry[]): string {
  const values = (flag: Flag, command: string): string => {
    const names = flag.names.map((name) => `${command}/${name}`).join("|");
    return flag.choices.length > 0
      ? `    ${names}) COMPREPLY=($(compgen -W ${quote(flag.choices.join(" "))} -- "$word")); return ;;\n`
      : `    ${names}) COMPREPLY=($(compgen -f -- "$word")); return ;;\n`;
  };
  const words = (e: Entry): string => [...e.flags.flatMap((f) => f.names), ...e.choices].join(" ");
  return `# bash completion for vmikit
_vmikit() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quote(entries.map((e) => e.name).join(" "))} -- "$word"))
    return
  fi
  case "$command/$before" in
${entries.map((e) => e.flags.filter((f) => f.valued).map((f) => values(f, e.name)).join("")).join("")}  esac
  case "$command" in
${entries.map((e) => `    ${e.name}) COMPREPLY=($(compgen -W ${quote(words(e))} -- "$word")) ;;\n`).join("")}  esac
  [ "\${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -o filenames -F _vmikit vmikit
`;
}

function zsh(entries: readonly Entry[]): string {
  const clean = (text: string): string => text.replaceAll(/[[\]:\\]/g, "\\$&");
  const flag = (f: Flag): string =>
    f.names.map((name) => {
      const value = f.choices.length > 0 ? `:value:(${f.choices.join(" ")})` : ":value:_files";
      return `      ${quote(`*${name}[${clean(f.text)}]${f.valued ? value : ""}`)}`;
    }).join(" \\\n");
  const rest = (e: Entry): string => quote(e.choices.length > 0 ? `*:value:(${e.choices.join(" ")})` : "*:file:_files");
  return `#compdef vmikit
_vmikit() {
  local -a commands
  commands=(
${entries.map((e) => `    ${quote(`${e.name}:${clean(e.text)}`)}\n`).join("")}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${
    entries.map((e) => `    ${e.name}) _arguments \\\n${[...e.flags.map(flag), `      ${rest(e)}`].join(" \\\n")} ;;\n`)
      .join("")
  }  esac
}
compdef _vmikit vmikit
`;
}

function fish(entries: readonly Entry[]): string {
  const lines = entries.map((e) => `complete -c vmikit -n __fish_use_subcommand -a ${e.name} -d ${quote(e.text)}\n`);
  for (const e of entries) {
    const when = `complete -c vmikit -n ${quote(`__fish_seen_subcommand_from ${e.name}`)}`;
    for (const f of e.flags) {
      const names = f.names.map((n) => n.startsWith("--") ? `-l ${n.slice(2)}` : `-s ${n.slice(1)}`).join(" ");
      const value = f.choices.length > 0 ? ` -x -a ${quote(f.choices.join(" "))}` : f.valued ? " -r -F" : "";
      lines.push(`${when} ${names}${value} -d ${quote(f.text)}\n`);
    }
    if (e.choices.length > 0) lines.push(`${when} -f -a ${quote(e.choices.join(" "))}\n`);
  }
  return `# fish completion for vmikit\n${lines.join("")}`;
}
