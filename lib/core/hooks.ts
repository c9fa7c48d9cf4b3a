/**
 * Hooks: script callbacks at named points of execution, and the table in which a machine keeps them.
 *
 * Observing changes nothing: a hook sees exact state, and unless it changes something itself the run is the same as
 * without it. A CPU asks the table only where a summary says that something is there, so absent hooks cost nothing.
 * Within one point hooks fire in the order in which they were added. Warm when present.
 */

/** Kinds of hook. */
export type HookKind = "code" | "instruction" | "block" | "memory" | "port" | "interrupt" | "fault" | "hypercall";

/** How memory is touched. */
export type MemoryAccess = "read" | "write" | "execute";
