/**
 * Specs in XML, in the shape in which the historical layer's files are reconstructed: `device` elements with a location
 * and parameters, `chain` elements with layers. Only as much of XML as that needs: elements, attributes, comments, the
 * declaration, the five named entities. Element and attribute names are this toolkit's. Values are read as the module's
 * parameter wants them; lists are written as in JSON.
 *
 * ```xml
 * <?xml version="1.0"?>
 * <vmi version="2.1">
 *   <device name="lan" location="builtin:loopback"><parameter name="latencyNs" value="25000"/></device>
 *   <device name="spare" location="builtin:loopback"/>
 *   <chain name="main" use="always">
 *     <layer device="credit"/>
 *     <layer device="failover"><child><layer device="lan"/></child><child><layer device="spare"/></child></layer>
 *   </chain>
 * </vmi>
 * ```
 * Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { ChainSpec, DeviceSpec, LayerSpec, MessageSpec } from "./spec.ts";

interface Element {
  readonly name: string;
  readonly line: number;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: Element[];
}

function bad(line: number, text: string): ConfigError {
  return new ConfigError("message-spec", `Spec: line ${line}: ${text}`);
}

const ENTITIES: { readonly [name: string]: string } = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescape(text: string, line: number): string {
  return text.replaceAll(/&(\w*);?/g, (all, name: string) => {
    const c = ENTITIES[name];
    if (c === undefined || !all.endsWith(";")) throw bad(line, `"${all}" is no entity of XML`);
    return c;
  });
}

/** Reads elements; text between them must be blank. */
function parse(text: string): Element {
  const token =
    /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<\/([\w-]+)\s*>|<([\w-]+)((?:\s+[\w-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|[^<]+|</g;
  const root: Element = { name: "", line: 1, attributes: new Map(), children: [] };
  const open: Element[] = [root];
  let line = 1;
  for (const m of text.matchAll(token)) {
    const [all, close, name, attributes, single] = m;
    const top = open[open.length - 1];
    if (close !== undefined) {
      if (open.length === 1 || top.name !== close) throw bad(line, `</${close}> closes nothing`);
      open.pop();
    } else if (name !== undefined) {
      const element: Element = { name, line, attributes: readAttributes(attributes, line), children: [] };
      top.children.push(element);
      if (single === "") open.push(element);
    } else if (!all.startsWith("<!--") && !all.startsWith("<?") && all.trim() !== "") {
      throw bad(line, `"${all.trim().slice(0, 20)}" is not expected here`);
    }
    line += all.split("\n").length - 1;
  }
  const last = open[open.length - 1];
  if (open.length > 1) throw bad(last.line, `<${last.name}> is not closed`);
  if (root.children.length !== 1) throw bad(1, "there must be one outermost element");
  return root.children[0];
}

function readAttributes(text: string, line: number): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (const [, name, a, b] of text.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    if (out.has(name)) throw bad(line, `attribute ${name} is given twice`);
    out.set(name, unescape(a ?? b, line));
  }
  return out;
}

function attribute(e: Element, name: string): string {
  const value = e.attributes.get(name);
  if (value === undefined) throw bad(e.line, `<${e.name}> needs the attribute ${name}`);
  return value;
}

function only(e: Element, attributes: readonly string[], children: readonly string[]): void {
  for (const name of e.attributes.keys()) {
    if (!attributes.includes(name)) throw bad(e.line, `<${e.name}> has no attribute ${name}`);
  }
  for (const c of e.children) {
    if (!children.includes(c.name)) throw bad(c.line, `<${c.name}> cannot stand in <${e.name}>`);
  }
}

/** Reads a spec in XML; give the result to the job, which checks it. @throws {ConfigError} message-spec */
export function specFromXml(text: string): MessageSpec {
  const root = parse(text);
  if (root.name !== "vmi") throw bad(root.line, `the outermost element is <${root.name}>, not <vmi>`);
  only(root, ["version"], ["device", "chain"]);
  const version = root.attributes.get("version") ?? "2.1";
  if (version !== "2.1") throw bad(root.line, `version is "${version}"; this library reads "2.1"`);
  const devices = new Map<string, DeviceSpec>();
  const chains: ChainSpec[] = [];
  for (const e of root.children) {
    if (e.name === "chain") {
      chains.push(readChain(e));
      continue;
    }
    only(e, ["name", "location", "sha256"], ["parameter"]);
    const name = attribute(e, "name");
    if (devices.has(name)) throw bad(e.line, `device "${name}" is described twice`);
    const parameters = new Map<string, string>();
    for (const p of e.children) {
      only(p, ["name", "value"], []);
      const key = attribute(p, "name");
      if (parameters.has(key)) throw bad(p.line, `parameter "${key}" is given twice`);
      parameters.set(key, attribute(p, "value"));
    }
    const sha256 = e.attributes.get("sha256");
    devices.set(name, {
      module: attribute(e, "location"),
      parameters: Object.fromEntries(parameters),
      asText: true,
      ...(sha256 === undefined ? {} : { sha256 }),
    });
  }
  return { devices: Object.fromEntries(devices), chains };
}

function readChain(e: Element): ChainSpec {
  only(e, ["name", "use"], ["layer"]);
  const use = e.attributes.get("use") ?? "always";
  return {
    name: attribute(e, "name"),
    use: (use === "default" ? "always" : use) as NonNullable<ChainSpec["use"]>,
    layers: e.children.map(readLayer),
  };
}

function readLayer(e: Element): LayerSpec {
  only(e, ["device"], ["child"]);
  const device = attribute(e, "device");
  if (e.children.length === 0) return device;
  return {
    device,
    children: e.children.map((child) => {
      only(child, [], ["layer"]);
      return child.children.map(readLayer);
    }),
  };
}
