/**
 * The 64 Ki I/O ports: who owns which, and the splitting of wide accesses.
 *
 * A port number indexes an array of owner numbers. An access goes through as one when a single owner holds all its
 * ports and answers that width; otherwise it is split into byte accesses at rising ports, as an ISA bus does. Ports
 * nobody owns read as all ones and swallow writes. Warm.
 */
import type { PortHandler, PortMap, Width } from "../core/bus.ts";
import { ConfigError } from "../core/errors.ts";
import type { HookTable } from "../core/hooks.ts";

interface Owner {
  readonly name: string;
  readonly handler: PortHandler;
  readonly wide16: boolean;
  readonly wide32: boolean;
}

/** Number of I/O ports. */
export const PORTS = 0x10000;

/** I/O ports of one machine. */
export class PortSpace implements PortMap {
  /** Called on an access to a port nobody owns: port, width, value or -1 for a read. */
  unclaimed: (port: number, width: Width, value: number) => void = () => {};
  readonly #hooks: HookTable;
  /** Port to index in the owner list; 0: nobody. */
  readonly #map: Uint16Array = new Uint16Array(PORTS);
  readonly #owners: (Owner | undefined)[] = [undefined];

  /** Makes one. @param hooks The machine's hooks; port hooks fire here. */
  constructor(hooks: HookTable) {
    this.#hooks = hooks;
  }

  /** See {@linkcode PortMap.map}. @throws {ConfigError} port-overlap, port-range */
  map(first: number, count: number, owner: string, handler: PortHandler): () => void {
    if (!Number.isInteger(first) || !Number.isInteger(count) || first < 0 || count < 1 || first + count > PORTS) {
      throw new ConfigError("port-range", `Ports ${name(first)}+${count} of "${owner}" are not within 0x0000-0xffff`);
    }
    for (let p = first; p < first + count; p++) {
      const other = this.#owners[this.#map[p]];
      if (other !== undefined) {
        throw new ConfigError(
          "port-overlap",
          `Port ${name(p)} wanted by "${owner}" belongs to "${other.name}"; move one of them`,
        );
      }
    }
    const widths = handler.widths ?? [8];
    const entry: Owner = { name: owner, handler, wide16: widths.includes(16), wide32: widths.includes(32) };
    const free = this.#owners.indexOf(undefined, 1);
    const index = free > 0 ? free : this.#owners.length;
    this.#owners[index] = entry;
    this.#map.fill(index, first, first + count);
    let there = true;
    return () => {
      if (!there) return;
      there = false;
      this.#map.fill(0, first, first + count);
      this.#owners[index] = undefined;
    };
  }

  /** Name of the owner of a port, if any. */
  owner(port: number): string | undefined {
    return this.#owners[this.#map[port & 0xffff]]?.name;
  }

  /** IN: reads `width` bits, u32. */
  read(port: number, width: Width): number {
    const at = port & 0xffff;
    const value = this.#read(at, width);
    return this.#hooks.hasPort ? this.#hooks.firePort("read", at, width, value) : value;
  }

  /** OUT: writes `width` bits. */
  write(port: number, value: number, width: Width): void {
    const at = port & 0xffff;
    const whole = width === 32 ? value >>> 0 : value & ((1 << width) - 1);
    this.#write(at, this.#hooks.hasPort ? this.#hooks.firePort("write", at, width, whole) : whole, width);
  }

  #read(port: number, width: Width): number {
    const index = this.#map[port];
    const owner = this.#owners[index];
    if (width === 8) {
      if (owner !== undefined) return owner.handler.read(port, 8) & 0xff;
      this.unclaimed(port, 8, -1);
      return 0xff;
    }
    if (owner !== undefined && this.#whole(index, owner, port, width)) {
      const value = owner.handler.read(port, width);
      return width === 32 ? value >>> 0 : value & 0xffff;
    }
    if (width === 32 && this.#halves(port)) return (this.#read(port, 16) | (this.#read(port + 2, 16) << 16)) >>> 0;
    let value = 0;
    for (let i = 0; i < width >>> 3; i++) value |= this.#read((port + i) & 0xffff, 8) << (8 * i);
    return value >>> 0;
  }

  #write(port: number, value: number, width: Width): void {
    const index = this.#map[port];
    const owner = this.#owners[index];
    if (width === 8) {
      if (owner !== undefined) owner.handler.write(port, value & 0xff, 8);
      else this.unclaimed(port, 8, value);
      return;
    }
    if (owner !== undefined && this.#whole(index, owner, port, width)) {
      owner.handler.write(port, value, width);
      return;
    }
    if (width === 32 && this.#halves(port)) {
      this.#write(port, value & 0xffff, 16);
      this.#write(port + 2, value >>> 16, 16);
      return;
    }
    for (let i = 0; i < width >>> 3; i++) this.#write((port + i) & 0xffff, (value >>> (8 * i)) & 0xff, 8);
  }

  /** One owner for all ports of the access, and it answers this width. */
  #whole(index: number, owner: Owner, port: number, width: 16 | 32): boolean {
    return (width === 16 ? owner.wide16 : owner.wide32) && this.#map[(port + (width >>> 3) - 1) & 0xffff] === index;
  }

  /** A 32-bit access to a device with 16-bit registers goes as two halves (an IDE data port). */
  #halves(port: number): boolean {
    const index = this.#map[port];
    return this.#owners[index]?.wide16 === true && port + 3 < PORTS && this.#map[port + 3] === index;
  }
}

function name(port: number): string {
  return Number.isInteger(port) ? `0x${port.toString(16).padStart(4, "0")}` : String(port);
}
