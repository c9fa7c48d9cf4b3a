/**
 * The spec: which devices a job has and how they are layered into chains, as a value or as JSON text.
 *
 * ```json
 * {
 *   "version": 1,
 *   "devices": {
 *     "san": { "module": "builtin:loopback", "parameters": { "latencyNs": 6000 } },
 *     "lan": { "module": "builtin:loopback", "parameters": { "latencyNs": 25000 } },
 *     "either": { "module": "builtin:failover" }
 *   },
 *   "chains": [
 *     { "name": "main", "layers": ["credit", { "device": "either", "children": [["san"], ["lan"]] }] }
 *   ]
 * }
 * ```
 *
 * Layers run from the top (the program) to the bottom (a network). A layer that names no device but a module that ships
 * (`"credit"`) is that module with its defaults. The first chain whose `use` fits the pair and that reaches the peer is
 * taken: `always` (default), `same-cluster`, `cross-cluster`, or `never` (by name only). Everything wrong is found
 * before anything runs, and said with its place. Cold.
 */
import type { LayerPlan } from "./chain.ts";
import type { MessageModule, NetAddress, Parameters, ParameterValue } from "./module.ts";
import { bad, checkParameters, checkRules, fromTexts, show } from "./spec_parameters.ts";
import { repeatedKey } from "./spec_text.ts";

/** A device of a spec. */
export interface DeviceSpec {
  /** A module: `builtin:name`, a name or URL that the host has loaded, or the module itself. */
  readonly module: string | MessageModule;
  /** SHA-256 of the text of a module at an address, hexadecimal. */
  readonly sha256?: string;
  /** Parameters; what is left out has its default. */
  readonly parameters?: { readonly [name: string]: ParameterValue };
  /** Are all parameters texts that are to be read as the module wants them, as those of XML? */
  readonly asText?: boolean;
}

/** A layer: a device's name, or a composite with children. */
export type LayerSpec = string | { readonly device: string; readonly children: readonly (readonly LayerSpec[])[] };

/** When a chain is chosen. */
export type ChainUse = "always" | "same-cluster" | "cross-cluster" | "never";

/** A chain of a spec. */
export interface ChainSpec {
  /** Its name. */
  readonly name: string;
  /** When it is chosen; default `always`. */
  readonly use?: ChainUse;
  /** Top first. */
  readonly layers: readonly LayerSpec[];
}

/** A whole spec. */
export interface MessageSpec {
  /** Version of this format: 1. */
  readonly version?: 1;
  /** Devices by name. */
  readonly devices?: { readonly [name: string]: DeviceSpec };
  /** Chains in order of preference. */
  readonly chains: readonly ChainSpec[];
}

/** A checked device. */
export interface CheckedDevice {
  /** Its module. */
  readonly module: MessageModule;
  /** All its parameters. */
  readonly parameters: Parameters;
}

/** A checked chain. */
export interface CheckedChain {
  /** Its name. */
  readonly name: string;
  /** When it is chosen. */
  readonly use: ChainUse;
  /** Top first. */
  readonly layers: readonly LayerPlan[];
}

/** A spec in which everything is known. */
export interface CheckedSpec {
  /** Devices by name. */
  readonly devices: ReadonlyMap<string, CheckedDevice>;
  /** Chains in order of preference. */
  readonly chains: readonly CheckedChain[];
}

const USES: readonly string[] = ["always", "same-cluster", "cross-cluster", "never"];
const KINDS: readonly string[] = ["network", "filter", "composite"];
/** Composites within composites. */
const DEEPEST = 16;
/** A chain's number takes one byte of a frame. */
const MAX_CHAINS = 256;

function object(value: unknown, where: string, known: readonly string[]): { readonly [key: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(where, `must be an object, not ${Array.isArray(value) ? "a list" : show(value)}`);
  }
  for (const key of Object.keys(value)) {
    if (known.length > 0 && !known.includes(key)) {
      throw bad(where, `has an unknown key "${key}"; it may have ${known.join(", ")}`);
    }
  }
  return value as { readonly [key: string]: unknown };
}

function list(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw bad(where, `must be a list that is not empty`);
  return value;
}

/**
 * Checks a spec.
 * @param value A spec, or JSON text of one.
 * @param modules Modules by the names a spec may use, `builtin:` included.
 * @param ranks Ranks of the job; absent: parameters may name any.
 * @throws {ConfigError} message-spec
 */
export function checkSpec(
  value: unknown,
  modules: ReadonlyMap<string, MessageModule>,
  ranks?: number,
): CheckedSpec {
  let root = value;
  if (typeof value === "string") {
    try {
      root = JSON.parse(value);
    } catch (e) {
      throw bad("text", `is not JSON (${e instanceof Error ? e.message : String(e)})`);
    }
    const twice = repeatedKey(value);
    if (twice !== undefined) throw bad(`line ${twice.line}`, `the key "${twice.key}" is given twice`);
  }
  const spec = object(root, "top level", ["version", "devices", "chains"]);
  if (spec["version"] !== undefined && spec["version"] !== 1) {
    throw bad("version", `is ${show(spec["version"])}; this library reads version 1`);
  }
  const devices = new Map<string, CheckedDevice>();
  for (
    const [name, device] of Object.entries(object(spec["devices"] === undefined ? {} : spec["devices"], "devices", []))
  ) {
    devices.set(name, checkDevice(name, device, { modules, ranks }));
  }
  const all = list(spec["chains"], "chains");
  if (all.length > MAX_CHAINS) throw bad("chains", `has ${all.length} chains; at most ${MAX_CHAINS}`);
  const chains = all.map((c, i) => checkChain(c, `chains[${i}]`, devices, modules));
  const names = chains.map((c) => c.name);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice !== undefined) throw bad("chains", `has two chains named "${twice}"`);
  return { devices, chains };
}

interface DeviceScope {
  readonly modules: ReadonlyMap<string, MessageModule>;
  readonly ranks: number | undefined;
}

function checkDevice(name: string, value: unknown, { modules, ranks }: DeviceScope): CheckedDevice {
  const where = `devices.${name}`;
  if (name === "") throw bad("devices", "a device's name must not be empty");
  const d = object(value, where, ["module", "sha256", "parameters", "asText"]);
  const hash = d["sha256"];
  if (hash !== undefined && !(typeof hash === "string" && /^[0-9a-f]{64}$/i.test(hash))) {
    throw bad(`${where}.sha256`, `must be 64 hexadecimal digits, not ${show(hash)}`);
  }
  const given = d["module"];
  const module = typeof given === "string" ? modules.get(given) : given as MessageModule | undefined;
  if (module === undefined || module === null) {
    const have = [...modules.keys()].join(", ");
    throw bad(`${where}.module`, given === undefined ? "is missing" : `${show(given)} is not known; known are ${have}`);
  }
  if (typeof module !== "object" || typeof module.create !== "function") {
    throw bad(`${where}.module`, "must be a module's name or an object with a create function");
  }
  if (module.abi !== 1) throw bad(`${where}.module`, `has abi ${show(module.abi)}; this library speaks 1`);
  if (!KINDS.includes(module.kind)) {
    throw bad(`${where}.module`, `must have as kind one of ${KINDS.join(", ")}, not ${show(module.kind)}`);
  }
  if (!Array.isArray(module.parameters)) {
    throw bad(`${where}.module`, "must have a list of parameters (it may be empty)");
  }
  checkRules(where, module);
  if (d["asText"] !== undefined && typeof d["asText"] !== "boolean") {
    throw bad(`${where}.asText`, `must be true or false, not ${show(d["asText"])}`);
  }
  const named = object(d["parameters"] === undefined ? {} : d["parameters"], `${where}.parameters`, []) as Parameters;
  const parameters = d["asText"] === true ? fromTexts(where, module, named) : named;
  return { module, parameters: checkParameters(where, module, parameters, ranks) };
}

function checkChain(
  value: unknown,
  where: string,
  devices: Map<string, CheckedDevice>,
  modules: ReadonlyMap<string, MessageModule>,
): CheckedChain {
  const c = object(value, where, ["name", "use", "layers"]);
  const name = c["name"];
  if (typeof name !== "string" || name === "") throw bad(`${where}.name`, "must be a text that is not empty");
  const use = c["use"] ?? "always";
  if (typeof use !== "string" || !USES.includes(use)) {
    throw bad(`${where}.use`, `must be one of ${USES.join(", ")}, not ${show(use)}`);
  }
  const seen = new Set<string>();
  const layers = checkLayers(c["layers"], `${where}.layers`, { devices, modules, seen, depth: 0 });
  return { name, use: use as ChainUse, layers };
}

interface LayerScope {
  readonly devices: Map<string, CheckedDevice>;
  readonly modules: ReadonlyMap<string, MessageModule>;
  readonly seen: Set<string>;
  readonly depth: number;
}

function checkLayers(value: unknown, where: string, scope: LayerScope): readonly LayerPlan[] {
  const all = list(value, where);
  if (scope.depth > DEEPEST) throw bad(where, `lies in more than ${DEEPEST} composites`);
  const below = { ...scope, depth: scope.depth + 1 };
  return all.map((layer, i) => {
    const here = `${where}[${i}]`;
    const isText = typeof layer === "string";
    const o = isText ? undefined : object(layer, here, ["device", "children"]);
    const name = o === undefined ? layer : o["device"];
    if (typeof name !== "string") throw bad(here, "must be a device's name, or an object with device and children");
    const { module } = lookUp(name, here, scope);
    if (scope.seen.has(name)) {
      throw bad(here, `device "${name}" is in this chain already; give the second one its own name`);
    }
    scope.seen.add(name);
    const last = i === all.length - 1;
    if (module.kind === "filter" && last) {
      throw bad(here, `filter "${name}" is the lowest layer; a chain ends with a network or a composite`);
    }
    if (module.kind !== "filter" && !last) {
      throw bad(here, `${module.kind} "${name}" ends a chain; nothing can stand below it`);
    }
    if (module.kind !== "composite") {
      if (o?.["children"] !== undefined) throw bad(here, `${module.kind} "${name}" has no children`);
      return { device: name, kind: module.kind, children: [] };
    }
    const children = list(o?.["children"], `${here}.children`)
      .map((child, k) => checkLayers(child, `${here}.children[${k}]`, below));
    return { device: name, kind: module.kind, children };
  });
}

function lookUp(name: string, where: string, scope: LayerScope): CheckedDevice {
  const known = scope.devices.get(name);
  if (known !== undefined) return known;
  const module = scope.modules.get(`builtin:${name}`);
  if (module === undefined) {
    const have = [...scope.devices.keys()].join(", ") || "none";
    throw bad(where, `device "${name}" is not described; described are ${have}`);
  }
  const device = { module, parameters: checkParameters(where, module, {}) };
  scope.devices.set(name, device);
  return device;
}

/** Number of the first chain that fits a pair and reaches the peer. */
export function defaultChain(
  spec: CheckedSpec,
  local: NetAddress,
  remote: NetAddress,
  reaches: (device: string) => boolean,
): number | undefined {
  const same = local.cluster === remote.cluster;
  const found = spec.chains.findIndex(({ use, layers }) => {
    const fits = use === "always" || (use === "same-cluster" && same) || (use === "cross-cluster" && !same);
    return fits && canReach(layers, reaches);
  });
  return found < 0 ? undefined : found;
}

function canReach(layers: readonly LayerPlan[], reaches: (device: string) => boolean): boolean {
  const bottom = layers[layers.length - 1];
  if (bottom.kind === "network") return reaches(bottom.device);
  return bottom.children.some((child) => canReach(child, reaches));
}

/** Names of the networks of a spec's chains. */
export function networksOf(spec: CheckedSpec): readonly string[] {
  const names = new Set<string>();
  const visit = (layers: readonly LayerPlan[]): void => {
    for (const l of layers) {
      if (l.kind === "network") names.add(l.device);
      for (const child of l.children) visit(child);
    }
  };
  for (const chain of spec.chains) visit(chain.layers);
  return [...names];
}
