/**
 * Device modules from files and URLs. A spec names them by path or `https:` address; this loads them before the job is
 * made, since loading takes time and permission. A module file exports `module`, an object of the contract.
 *
 * Loading runs foreign code with the rights of the script: addresses are refused unless the caller allows them, and then
 * need the SHA-256 of the text, from the caller or from the spec. What the text itself imports is not checked. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { MessageModule } from "../../vmi/message/module.ts";
import type { MessageSpec } from "../../vmi/message/spec.ts";

/** Options of {@linkcode loadModules}. */
export interface LoadOptions {
  /** Folder that relative paths begin at; default: the current one. */
  readonly base?: string | URL;
  /**
   * Addresses that may be loaded, each with its SHA-256, hexadecimal; or `"with-hash"`: those whose devices have a
   * `sha256` in the spec. Default: none may.
   */
  readonly allow?: { readonly [url: string]: string } | "with-hash";
}

/** How long fetching a module may take, ms. */
const FETCH_MS = 30_000;

/**
 * Loads the modules a spec names that do not ship. Give the result to the job as `modules`.
 * @throws {ConfigError} message-module
 */
export async function loadModules(spec: MessageSpec, options: LoadOptions = {}): Promise<MessageModule[]> {
  // Whatever else is wrong with the spec is said by the job's own check.
  const wanted = new Map<string, string | undefined>();
  for (const d of Object.values(spec?.devices ?? {})) {
    const name: unknown = d?.module;
    if (typeof name === "string" && !name.startsWith("builtin:")) wanted.set(name, d.sha256 ?? wanted.get(name));
  }
  return await Promise.all([...wanted].map(([name, hash]) => load(name, hash, options)));
}

async function load(name: string, hash: string | undefined, options: LoadOptions): Promise<MessageModule> {
  const base = options.base ?? new URL(`file://${Deno.cwd()}/`);
  if (!URL.canParse(name, base)) throw new ConfigError("message-module", `Module ${name} is no path and no address`);
  const url = new URL(name, base);
  const remote = url.protocol !== "file:";
  const target = remote ? await fetched(url, name, allowed(name, hash, options.allow ?? {})) : url.href;
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

/** The hash an address must have. */
function allowed(name: string, hash: string | undefined, allow: NonNullable<LoadOptions["allow"]>): string {
  const given = allow === "with-hash" ? hash : allow[name];
  if (given === undefined) {
    const how = allow === "with-hash"
      ? "its device needs its SHA-256 as sha256"
      : 'allow it with its SHA-256 in "allow"';
    throw new ConfigError("message-module", `Module ${name} is at an address; ${how}`);
  }
  if (allow === "with-hash" || hash === undefined || hash.toLowerCase() === given.toLowerCase()) return given;
  throw new ConfigError("message-module", `Module ${name}: the spec says SHA-256 ${hash}, the caller ${given}`);
}

/** Text of an address, checked, as a `data:` address: what is checked is what runs. */
async function fetched(url: URL, name: string, want: string): Promise<string> {
  let answer: Response, bytes: Uint8Array<ArrayBuffer>;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(FETCH_MS) });
    bytes = new Uint8Array(await answer.arrayBuffer());
  } catch (e) {
    throw new ConfigError(
      "message-module",
      `Cannot load module ${name}: ${e instanceof Error ? e.message : String(e)}`,
    );
  }
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
