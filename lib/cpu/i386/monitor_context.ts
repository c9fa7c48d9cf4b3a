/**
 * An i386 CPU in the hands of a monitor: segment registers with their hidden parts, descriptor-table registers, decoding,
 * ports and model-specific registers, with no check of privilege. Warm.
 */
import type { GuestFault } from "../../core/cpu.ts";
import type {
  GuestInstruction,
  GuestSegment,
  Interceptor,
  MonitorContext,
  PhysicalWords,
  SystemTables,
} from "../../core/monitor.ts";
import type { I386Cpu } from "./cpu.ts";
import { realTranslate } from "./inspect.ts";
import { describe } from "./interception.ts";
import { decode, Decoded, DecodeStatus, LONGEST_INSTRUCTION } from "./decode.ts";
import { I386GuestContext } from "./guest_context.ts";
import { opcodeIndex } from "./opcode_index.ts";
import { Operation } from "./operation.ts";
import { setCache, setNull, setV86 } from "./segment.ts";
import { Layout, ModeBit, Seg } from "./state.ts";
import { Halt } from "./startup.ts";
import { readMsr, writeMsr } from "./system/msr.ts";

/** The guest of one CPU, with everything a monitor may touch. */
export class I386MonitorContext extends I386GuestContext implements MonitorContext {
  readonly #cpu: I386Cpu;
  readonly #decoded: Decoded = new Decoded();

  /** @param cpu The CPU. */
  constructor(cpu: I386Cpu) {
    super(cpu);
    this.#cpu = cpu;
  }

  /** See {@linkcode MonitorContext.interceptor}. */
  get interceptor(): Interceptor | undefined {
    return this.#cpu.interceptor;
  }
  set interceptor(value: Interceptor | undefined) {
    this.#cpu.interceptor = value;
  }

  /** See {@linkcode MonitorContext.nestedLevels}. */
  get nestedLevels(): number {
    return this.#cpu.nestedLevels;
  }
  set nestedLevels(value: number) {
    this.#cpu.nestedLevels = value;
  }

  /** See {@linkcode MonitorContext.waiting}. */
  get waiting(): boolean {
    return this.#cpu.state.get(Layout.halted) === Halt.startUp;
  }

  /** See {@linkcode MonitorContext.physical}. */
  get physical(): PhysicalWords {
    return this.#cpu.mem.words;
  }

  /** See {@linkcode MonitorContext.translateReal}. */
  translateReal(linear: number): number {
    return realTranslate(this.#cpu, linear);
  }

  /** See {@linkcode MonitorContext.segment}. */
  segment(n: number): GuestSegment {
    const s = this.#cpu.state;
    return {
      selector: s.seg(n, Seg.selector) & 0xffff,
      base: s.seg(n, Seg.base) >>> 0,
      limit: s.seg(n, Seg.limit) >>> 0,
      access: s.seg(n, Seg.access),
    };
  }

  /** See {@linkcode MonitorContext.setSegment}. */
  setSegment(n: number, selector: number, low: number, high: number): void {
    const s = this.#cpu.state;
    if (high === 0) setNull(s, n, selector);
    else setCache(s, n, selector, low | 0, high | 0);
    this.#cpu.modeChanged();
  }

  /** See {@linkcode MonitorContext.setSegmentV86}. */
  setSegmentV86(n: number, selector: number): void {
    setV86(this.#cpu.state, n, selector);
    this.#cpu.modeChanged();
  }

  /** See {@linkcode MonitorContext.setPrivilege}. */
  setPrivilege(level: number): void {
    this.#cpu.state.set(Layout.cpl, level);
    this.#cpu.modeChanged();
  }

  /** See {@linkcode MonitorContext.systemTables}. */
  systemTables(): SystemTables {
    const s = this.#cpu.state;
    return {
      gdtBase: s.get(Layout.gdtBase) >>> 0,
      gdtLimit: s.get(Layout.gdtLimit) & 0xffff,
      idtBase: s.get(Layout.idtBase) >>> 0,
      idtLimit: s.get(Layout.idtLimit) & 0xffff,
      physical: s.get(Layout.tablesPhysical) !== 0,
    };
  }

  /** See {@linkcode MonitorContext.setSystemTables}. */
  setSystemTables(tables: SystemTables): void {
    const s = this.#cpu.state;
    s.set(Layout.gdtBase, tables.gdtBase | 0);
    s.set(Layout.gdtLimit, tables.gdtLimit);
    s.set(Layout.idtBase, tables.idtBase | 0);
    s.set(Layout.idtLimit, tables.idtLimit);
    s.set(Layout.tablesPhysical, tables.physical ? 1 : 0);
    this.#cpu.notePlain();
  }

  /** See {@linkcode MonitorContext.instruction}. */
  instruction(code: Uint8Array): GuestInstruction | undefined {
    const cpu = this.#cpu, d = this.#decoded;
    const is32 = (cpu.state.get(Layout.mode) & ModeBit.code32) !== 0;
    const available = Math.min(code.length, LONGEST_INSTRUCTION);
    if (decode(code, 0, available, is32, opcodeIndex(cpu.model.features), d) !== DecodeStatus.ok) return undefined;
    return describe(cpu, Operation.copy(cpu, d, d.length));
  }

  /** See {@linkcode MonitorContext.readPort}. */
  readPort(port: number, width: 8 | 16 | 32): number {
    return this.#cpu.bus.readPort(port, width) >>> 0;
  }

  /** See {@linkcode MonitorContext.writePort}. */
  writePort(port: number, value: number, width: 8 | 16 | 32): void {
    this.#cpu.bus.writePort(port, value, width);
  }

  /** See {@linkcode MonitorContext.readMsr}. */
  readMsr(n: number): readonly [number, number] | undefined {
    return readMsr(this.#cpu, n);
  }

  /** See {@linkcode MonitorContext.writeMsr}. */
  writeMsr(n: number, low: number, high: number): boolean {
    return writeMsr(this.#cpu, n, low, high);
  }

  /** See {@linkcode MonitorContext.shadowInterrupts}. */
  shadowInterrupts(): void {
    this.#cpu.state.set(Layout.shadow, 1);
    this.#cpu.attention();
  }

  /** See {@linkcode MonitorContext.endNmi}. */
  endNmi(): void {
    this.#cpu.state.set(Layout.nmiBlocked, 0);
    this.#cpu.attention();
  }

  /** See {@linkcode MonitorContext.shutdown}. */
  shutdown(cause: GuestFault): void {
    this.#cpu.bus.shutdown(cause.vector, Math.max(0, cause.errorCode), cause.linear);
    this.halted = true;
  }
}
