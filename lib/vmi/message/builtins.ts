/**
 * Modules that ship, by the names a spec may use. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import { credit } from "./filters/credit.ts";
import { failover } from "./filters/failover.ts";
import { corrupt, drop, duplicate, outage, reorder } from "./filters/faults.ts";
import { checksum, compress, encrypt } from "./filters/integrity.ts";
import { stats, trace } from "./filters/observe.ts";
import { reliable } from "./filters/reliable.ts";
import { stripe } from "./filters/stripe.ts";
import { bandwidth, delay, loggp } from "./filters/timing.ts";
import type { MessageModule } from "./module.ts";
import { network } from "./network.ts";

/** Everything that ships. */
export function builtinModules(): readonly MessageModule[] {
  return [
    network("loopback"),
    network("worker", "worker"),
    network("tcp", "tcp"),
    network("mpi", "mpi"),
    ...[trace, stats, delay, loggp, bandwidth],
    ...[drop, duplicate, reorder, corrupt, outage],
    ...[checksum, compress, encrypt, reliable, credit],
    ...[failover, stripe],
  ];
}

/** All modules by the names a spec may use: `builtin:` names, and those of the user's own modules. */
export function modulesByName(own: readonly MessageModule[]): ReadonlyMap<string, MessageModule> {
  const all = new Map(builtinModules().map((m) => [`builtin:${m.name}`, m]));
  for (const m of own) {
    if (all.has(m.name)) throw new ConfigError("message-module", `There are two modules named "${m.name}"`);
    all.set(m.name, m);
  }
  return all;
}
