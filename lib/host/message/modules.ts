/**
 * Device modules from files and URLs. A spec names them by path or `https:` address; this loads them before the job is
 * made, since loading takes time and permission. A module file exports `module`, an object of the contract.
 *
 * Loading runs foreign code with the rights of the script: addresses are refused unless the caller allows them, and then
 * need the SHA-256 of the text, in hexadecimal. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { MessageModule } from "../../vmi/message/module.ts";
import type { MessageSpec } from "../../vmi/message/spec.ts";

/** Options of {@linkcode loadModules}. */
export interface LoadOptions {
  /** Folder that relative paths begin at; default: the current one. */
  readonly base?: string | URL;
  /** SHA-256 of each address that may be loaded, hexadecimal; default: none may. */
  readonly allow?: { readonly [url: string]: string };
}

/**
 * Loads the modules a spec names that do not ship. Give the result to the job as `modules`.
 * @throws {ConfigError} message-module
 */
export async function loadModules(spec: MessageSpec, options: LoadOptions = {}): Promise<MessageModule[]> {
  const names = new Set(
    Object.values(spec.devices ?? {}).map((d) => d.module)
      .filter((m): m is string => typeof m === "string" && !m.startsWith("builtin:")),
  );
  return await Promise.all([...names].map((name) => load(name, options)));
}

async function load(name: string, options: LoadOptions): Promise<MessageModule> {
  const base = options.base ?? new URL(`file://${Deno.cwd()}/`);
  const url = new URL(name, base);
  const remote = url.protocol !== "file:";
  const target = remote ? await fetched(url, name, options.allow ?? {}) : url.href;
  let loaded: { readonly module?: MessageModule };
  try {
    loaded = await import(target);
  } catch (e) {
    throw new ConfigError(
      "message-module",
      `Cannot load module ${name}: ${e instanceof Error ? e.message : String(e)}`,
    );
  }
  const { module } = loaded;
  if (typeof module !== "object" || module === null || typeof module.create !== "function" || module.abi !== 1) {
    throw new ConfigError("message-module", `${name} does not export "module", an object with abi 1 and create`);
  }
  return { ...module, name };
}

/** Text of an address, checked, as a `data:` address: what is checked is what runs. */
async function fetched(url: URL, name: string, allow: { readonly [url: string]: string }): Promise<string> {
  const want = allow[name];
  if (want === undefined) {
    throw new ConfigError("message-module", `Module ${name} is at an address; allow it with its SHA-256 in "allow"`);
  }
  const answer = await fetch(url);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (!answer.ok) throw new ConfigError("message-module", `Cannot load module ${name}: status ${answer.status}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
  if (hex !== want.toLowerCase()) {
    throw new ConfigError("message-module", `Module ${name} has SHA-256 ${hex}, not ${want}`);
  }
  let text = "";
  for (const b of bytes) text += String.fromCharCode(b);
  const type = url.pathname.endsWith(".ts") ? "application/typescript" : "text/javascript";
  return `data:${type};base64,${btoa(text)}`;
}
