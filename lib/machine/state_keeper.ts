/**
 * Makes and applies snapshots of one machine. It knows the snapshot memory was last equal to (the baseline); pages
 * written since are those the address space has marked dirty. Cold, but restoring must be quick.
 */
import type { Component, Section } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";
import { ByteSink, copySection, writeSection } from "../core/sections.ts";
import { PAGE } from "../memory/region.ts";
import type { MachineParts } from "./board.ts";
import type { CheckedConfig } from "./config.ts";
import type { RunLoop } from "./run_loop.ts";
import type { SerialConsole } from "./serial_console.ts";
import { checkVersion, Snapshot } from "./snapshot.ts";

/** The first fault of a shutdown. */
export interface Shutdown {
  /** Vector. */
  readonly vector: number;
  /** Error code or -1. */
  readonly errorCode: number;
  /** Address of a page fault. */
  readonly linear: number;
}

/** Version of the machine's own section. */
const VERSION = 2;
/** Section of the far end of the serial line. */
const CONSOLE = "console";

/** Snapshots of one machine. */
export class StateKeeper {
  /** CPUs, devices and hypervisor interface, in reset order. */
  readonly components: readonly Component[];
  /** What a CPU in shutdown reported. */
  shutdown: Shutdown | undefined = undefined;
  readonly #p: MachineParts;
  readonly #loop: RunLoop;
  readonly #shape: string;
  readonly #far: SerialConsole | undefined;
  /** Those whose section may hold the very arrays they go on to change; CPUs copy them. */
  readonly #mayShare: ReadonlySet<Component>;
  #baseline: Snapshot | undefined = undefined;
  /** Snapshots that were taken here, or loaded once without complaint. */
  readonly #trusted: WeakSet<Snapshot> = new WeakSet();

  /** @param parts Parts. @param config Description. @param loop Run loop. @param more Hypervisor interface and costs, if any. */
  constructor(parts: MachineParts, config: CheckedConfig, loop: RunLoop, more: readonly (Component | undefined)[]) {
    this.#p = parts;
    this.#loop = loop;
    this.#far = config.serial;
    const others = more.filter((c) => c !== undefined);
    this.components = [...config.devices, ...others, ...parts.cpus];
    this.#mayShare = new Set([...config.devices, ...others]);
    const memory = config.memory.filter((r) => r.kind !== "mmio")
      .map((r) => `${r.kind} 0x${r.at.toString(16)}+0x${r.size.toString(16)}`).sort();
    const names = this.components.map((c) => c.name);
    const cpus = parts.cpus.map((c) => c.architecture);
    this.#shape = [`hz ${config.hz}`, ...cpus, ...memory, ...names].join("; ");
  }

  /** Takes a snapshot. */
  snapshot(off: boolean): Snapshot {
    const { space } = this.#p;
    const dirty = space.takeDirty();
    const own = new Map<number, Uint8Array>();
    for (const pfn of dirty) {
      const host = space.homeOf(pfn);
      if (host >= 0) own.set(pfn, space.host.slice(host, host + PAGE));
    }
    const parent = this.#baseline;
    this.#baseline = new Snapshot(this.#shape, this.#sections(off), own, parent);
    this.#trusted.add(this.#baseline);
    return this.#baseline;
  }

  #sections(off: boolean): Map<string, Section> {
    const { clock, space } = this.#p;
    const sections = new Map<string, Section>();
    const s = this.shutdown;
    const shutdown = s === undefined ? null : [s.vector, s.errorCode, s.linear];
    sections.set("machine", { version: VERSION, fields: { round: this.#loop.save(), off, shutdown, a20: space.a20 } });
    sections.set("clock", clock.save());
    for (const c of this.components) sections.set(c.name, this.#mayShare.has(c) ? copySection(c.save()) : c.save());
    if (this.#far !== undefined) sections.set(CONSOLE, this.#far.save());
    return sections;
  }

  /**
   * Applies a snapshot; returns whether the machine is powered off in it. One that this machine did not take may be
   * damaged: if it cannot be loaded, or parts would not save what they were given, the machine stays as it was.
   * @throws {ConfigError} snapshot-mismatch, snapshot-version, snapshot-corrupt
   */
  restore(to: Snapshot): boolean {
    this.#check(to);
    for (const c of this.components) c.accepts?.(section(to, c.name));
    if (this.#trusted.has(to)) return this.#apply(to);
    const back = this.snapshot(false);
    try {
      const off = this.#apply(to);
      this.#compare(to, this.#sections(off));
      this.#trusted.add(to);
      return off;
    } catch (error) {
      this.#apply(back);
      if (error instanceof ConfigError) throw error;
      throw new ConfigError("snapshot-corrupt", `Snapshot is damaged, it cannot be loaded: ${error}; take it anew`);
    }
  }

  #compare(to: Snapshot, now: ReadonlyMap<string, Section>): void {
    for (const [name, mine] of now) {
      const given = section(to, name);
      // A part that reads an older version may save a newer one.
      if (given.version !== mine.version || same(given, mine)) continue;
      throw new ConfigError(
        "snapshot-corrupt",
        `Snapshot is damaged: section "${name}" holds what no ${name} can be in; take it anew`,
      );
    }
  }

  #apply(to: Snapshot): boolean {
    const { clock, space } = this.#p;
    const pages = to.differing(this.#baseline ?? EMPTY);
    for (const pfn of space.takeDirty()) pages.add(pfn);
    for (const pfn of pages) this.#putPage(pfn, to.page(pfn));
    this.#baseline = to;
    const own = section(to, "machine");
    checkVersion("Section machine", own.version, VERSION, VERSION);
    const f = own.fields as {
      round: { readonly [n: string]: number };
      off: boolean;
      shutdown: number[] | null;
      a20: boolean;
    };
    this.shutdown = f.shutdown === null
      ? undefined
      : { vector: f.shutdown[0], errorCode: f.shutdown[1], linear: f.shutdown[2] };
    space.setA20(f.a20 === true);
    this.#loop.reset();
    clock.load(section(to, "clock"));
    for (const c of this.components) {
      const saved = section(to, c.name);
      c.load(this.#mayShare.has(c) ? copySection(saved) : saved);
    }
    if (this.#far !== undefined) this.#far.load(section(to, CONSOLE));
    this.#loop.load(f.round);
    return f.off;
  }

  #putPage(pfn: number, bytes: Uint8Array | undefined): void {
    const { space } = this.#p;
    const host = space.homeOf(pfn);
    if (host < 0) return;
    if (bytes !== undefined) space.host.set(bytes, host);
    else this.#powerOn(pfn, host);
    space.replaced(pfn);
  }

  /** Contents at power-on: RAM is zero, ROM has its image. */
  #powerOn(pfn: number, host: number): void {
    const { space } = this.#p;
    const rom = space.regions.find((r) => r.kind === "rom" && r.at <= pfn * PAGE && pfn * PAGE < r.at + r.size);
    space.host.fill(rom === undefined ? 0 : 0xff, host, host + PAGE);
    if (rom?.kind === "rom") {
      const from = pfn * PAGE - rom.at;
      space.host.set(rom.bytes.subarray(from, from + PAGE), host);
    }
  }

  #check(to: Snapshot): void {
    if (to.shape === this.#shape) return;
    const [mine, theirs] = [this.#shape.split("; "), to.shape.split("; ")];
    const more = theirs.filter((x) => !mine.includes(x)).join(", ");
    const less = mine.filter((x) => !theirs.includes(x)).join(", ");
    throw new ConfigError(
      "snapshot-mismatch",
      `Snapshot is of another machine: it has ${more === "" ? "nothing else" : more}, it lacks ${
        less === "" ? "nothing" : less
      }; describe the machine alike`,
    );
  }
}

function same(a: Section, b: Section): boolean {
  const [one, other] = [a, b].map((s) => {
    const sink = new ByteSink();
    writeSection(sink, s);
    return sink.take();
  });
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

const EMPTY: Snapshot = new Snapshot("", new Map(), new Map(), undefined);

function section(snapshot: Snapshot, name: string): Section {
  const found = snapshot.sections.get(name);
  if (found !== undefined) return found;
  throw new ConfigError("snapshot-mismatch", `Snapshot has no section "${name}"; describe the machine alike`);
}
