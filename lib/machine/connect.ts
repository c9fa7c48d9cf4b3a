/**
 * Ties devices, platform and hypervisor interface of a new machine together. Cold.
 */
import type { IrqLine } from "../core/bus.ts";
import { ConfigError } from "../core/errors.ts";
import { deviceHost, hypervisorHost, type MachineParts } from "./board.ts";
import type { CheckedConfig } from "./config.ts";
import type { Platform } from "./platform.ts";

/** Connects everything; `attention` makes running CPUs look at their interrupts. */
export function connect(p: MachineParts, config: CheckedConfig, attention: () => void): void {
  const { platform, hypervisor, hooks, space, ports } = p;
  platform?.listen(attention);
  platform?.connect?.(p.cpus, p.current);
  hooks.hypercallNames = hypervisor === undefined ? [] : hypervisor.calls;
  hooks.stopRequested = (name): void => p.request({ kind: "hook", name });
  space.strayWrite = onceEach(4096, (page) => p.note("memory", `write to no RAM in page 0x${page.toString(16)}`));
  ports.unclaimed = onceEach(1, (port) => p.note("port", `nobody answers port 0x${port.toString(16)}`));
  const host = deviceHost(p);
  for (const device of config.devices) device.attach(host);
  hypervisor?.attach(hypervisorHost(p));
  const faults = config.stopOnFault;
  if (faults === false) return;
  hooks.onFault(undefined, ({ vector, errorCode, linear }) => {
    if (faults === true || faults.includes(vector)) {
      p.request({ kind: "fault", vector, errorCode, linear, eip: p.pc() });
    }
  });
}

/** Interrupt lines as a script drives them: one source a line. */
export function scriptLines(platform: Platform | undefined): (n: number, level: boolean) => void {
  const lines = new Map<number, IrqLine>();
  return (n, level) => {
    if (platform === undefined) {
      throw new ConfigError(
        "no-platform",
        "This machine has no interrupt controller; give platform, or use pc()",
      );
    }
    const line = lines.get(n) ?? platform.irq(n);
    lines.set(n, line);
    line.set(level);
  };
}

/** Calls `fn` once for each different group of addresses. */
function onceEach(size: number, fn: (group: number) => void): (address: number) => void {
  const seen = new Set<number>();
  return (address) => {
    const group = Math.floor(address / size);
    if (seen.has(group) || seen.size > 4096) return;
    seen.add(group);
    fn(group);
  };
}
