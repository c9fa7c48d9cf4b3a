/**
 * Where things lie in a machine's WebAssembly memory: CPU state blocks first, below 64 KiB and one page each; then each
 * CPU's working tables; then RAM and ROM in the order of their addresses. The memory never grows: growing would detach
 * every view. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import type { CpuFactory } from "../memory/board.ts";
import { PAGE, type Region } from "../memory/region.ts";

/** WebAssembly's page. */
const WASM_PAGE = 0x10000;

/** Addresses in the memory are i32 and positive. */
const LIMIT = 2 ** 31;

/** A memory and the places in it. */
export interface MemoryLayout {
  /** Fixed size. */
  readonly memory: WebAssembly.Memory;
  /** State block of each CPU. */
  readonly stateAt: readonly number[];
  /** Working area of each CPU. */
  readonly workAt: readonly number[];
  /** First byte for Regions. */
  readonly regionsAt: number;
}

/**
 * Lays out and makes the memory.
 * @throws {ConfigError} region-range, memory-size
 */
export function makeMemory(cpus: readonly CpuFactory[], regions: readonly Region[]): MemoryLayout {
  const stateAt = cpus.map((_, i) => PAGE * (i + 1));
  const workAt: number[] = [];
  let at = WASM_PAGE;
  for (const f of cpus) {
    workAt.push(at);
    at += f.workBytes;
  }
  const regionsAt = at;
  for (const r of regions) {
    if (r.kind === "mmio") continue;
    if (!Number.isInteger(r.size) || r.size <= 0) {
      throw new ConfigError("region-range", `Region "${r.name}" must have a size of whole pages, not ${r.size}`);
    }
    at += r.size;
  }
  const pages = Math.ceil(at / WASM_PAGE);
  if (pages * WASM_PAGE > LIMIT) {
    throw new ConfigError(
      "memory-size",
      `RAM, ROM and CPU tables need ${Math.ceil(at / 2 ** 20)} MiB, at most 2047 MiB fit; make RAM smaller`,
    );
  }
  try {
    return { memory: new WebAssembly.Memory({ initial: pages, maximum: pages }), stateAt, workAt, regionsAt };
  } catch {
    throw new ConfigError(
      "memory-size",
      `The host has no ${Math.ceil(at / 2 ** 20)} MiB for this machine; make RAM smaller`,
    );
  }
}
