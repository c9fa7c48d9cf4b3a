/**
 * A CPU as a script sees it: the contract's members, and i386 registers as properties. Registers are u32; a CPU of
 * another architecture is reached through `get` and `set` by its own names. Cold.
 */
import type { Cpu, CpuStart, RegisterValue } from "../core/cpu.ts";
import { ConfigError } from "../core/errors.ts";

/** A script's handle on one CPU. */
export class CpuView {
  /** The CPU itself. */
  readonly cpu: Cpu;

  /** Makes one. @param cpu The CPU itself. */
  constructor(cpu: Cpu) {
    this.cpu = cpu;
  }

  /** Name in the machine, e.g. `cpu0`. */
  get name(): string {
    return this.cpu.name;
  }
  /** For example `i386`. */
  get architecture(): string {
    return this.cpu.architecture;
  }
  /** For example `interpreter`. */
  get engine(): string {
    return this.cpu.engine;
  }
  /** Instructions retired since power-on. */
  get instructions(): number {
    return this.cpu.instructions;
  }
  /** True while it waits to be started by another CPU, or by {@linkcode CpuView.start}. */
  get waiting(): boolean {
    return this.cpu.waiting === true;
  }
  /**
   * Resets this CPU alone and enters a program that is in memory; a reset of the machine forgets it.
   * @throws {ConfigError} start-mode
   */
  start(how: CpuStart): void {
    if (this.cpu.start === undefined) {
      throw new ConfigError(
        "start-mode",
        `CPU "${this.cpu.architecture}" cannot enter a program; run firmware at its reset vector`,
      );
    }
    this.cpu.reset();
    this.cpu.start(how);
  }
  /** Program counter, u32. */
  get pc(): number {
    return this.cpu.pc;
  }
  /** Linear address of the next instruction, u32. */
  get pcLinear(): number {
    return this.cpu.pcLinear;
  }
  /** Names for {@linkcode CpuView.get}, in display order. */
  get registerNames(): readonly string[] {
    return this.cpu.registerNames;
  }
  /** Reads a register by name. @throws {ConfigError} register-name */
  get(name: string): RegisterValue {
    return this.cpu.get(name);
  }
  /** Writes a register by name. @throws {ConfigError} register-name */
  set(name: string, value: RegisterValue): void {
    this.cpu.set(name, value);
  }
  /** All registers by name, as data. */
  registers(): { [name: string]: RegisterValue } {
    return Object.fromEntries(this.cpu.registerNames.map((n) => [n, this.cpu.get(n)]));
  }
  /** Linear to physical without side effects; -1: not mapped. */
  translate(linear: number): number {
    return this.cpu.translate(linear);
  }
  /** Disassembles at a linear address; default: the next instruction. */
  disassemble(linear: number = this.cpu.pcLinear, count = 1): string[] {
    return this.cpu.disassemble(linear, count);
  }

  /** EAX, u32. */
  get eax(): number {
    return Number(this.cpu.get("eax"));
  }
  set eax(value: number) {
    this.cpu.set("eax", value >>> 0);
  }
  /** EBX, u32. */
  get ebx(): number {
    return Number(this.cpu.get("ebx"));
  }
  set ebx(value: number) {
    this.cpu.set("ebx", value >>> 0);
  }
  /** ECX, u32. */
  get ecx(): number {
    return Number(this.cpu.get("ecx"));
  }
  set ecx(value: number) {
    this.cpu.set("ecx", value >>> 0);
  }
  /** EDX, u32. */
  get edx(): number {
    return Number(this.cpu.get("edx"));
  }
  set edx(value: number) {
    this.cpu.set("edx", value >>> 0);
  }
  /** ESI, u32. */
  get esi(): number {
    return Number(this.cpu.get("esi"));
  }
  set esi(value: number) {
    this.cpu.set("esi", value >>> 0);
  }
  /** EDI, u32. */
  get edi(): number {
    return Number(this.cpu.get("edi"));
  }
  set edi(value: number) {
    this.cpu.set("edi", value >>> 0);
  }
  /** EBP, u32. */
  get ebp(): number {
    return Number(this.cpu.get("ebp"));
  }
  set ebp(value: number) {
    this.cpu.set("ebp", value >>> 0);
  }
  /** ESP, u32. */
  get esp(): number {
    return Number(this.cpu.get("esp"));
  }
  set esp(value: number) {
    this.cpu.set("esp", value >>> 0);
  }
  /** EIP: offset of the next instruction, u32. */
  get eip(): number {
    return Number(this.cpu.get("eip"));
  }
  set eip(value: number) {
    this.cpu.set("eip", value >>> 0);
  }
  /** EFLAGS, all bits exact, u32. */
  get eflags(): number {
    return Number(this.cpu.get("eflags"));
  }
  set eflags(value: number) {
    this.cpu.set("eflags", value >>> 0);
  }
  /** CS selector, u32. */
  get cs(): number {
    return Number(this.cpu.get("cs"));
  }
  set cs(value: number) {
    this.cpu.set("cs", value >>> 0);
  }
  /** SS selector, u32. */
  get ss(): number {
    return Number(this.cpu.get("ss"));
  }
  set ss(value: number) {
    this.cpu.set("ss", value >>> 0);
  }
  /** DS selector, u32. */
  get ds(): number {
    return Number(this.cpu.get("ds"));
  }
  set ds(value: number) {
    this.cpu.set("ds", value >>> 0);
  }
  /** ES selector, u32. */
  get es(): number {
    return Number(this.cpu.get("es"));
  }
  set es(value: number) {
    this.cpu.set("es", value >>> 0);
  }
  /** FS selector, u32. */
  get fs(): number {
    return Number(this.cpu.get("fs"));
  }
  set fs(value: number) {
    this.cpu.set("fs", value >>> 0);
  }
  /** GS selector, u32. */
  get gs(): number {
    return Number(this.cpu.get("gs"));
  }
  set gs(value: number) {
    this.cpu.set("gs", value >>> 0);
  }
  /** CR0, u32. */
  get cr0(): number {
    return Number(this.cpu.get("cr0"));
  }
  set cr0(value: number) {
    this.cpu.set("cr0", value >>> 0);
  }
  /** CR2, u32. */
  get cr2(): number {
    return Number(this.cpu.get("cr2"));
  }
  set cr2(value: number) {
    this.cpu.set("cr2", value >>> 0);
  }
  /** CR3, u32. */
  get cr3(): number {
    return Number(this.cpu.get("cr3"));
  }
  set cr3(value: number) {
    this.cpu.set("cr3", value >>> 0);
  }
  /** CR4, u32. */
  get cr4(): number {
    return Number(this.cpu.get("cr4"));
  }
  set cr4(value: number) {
    this.cpu.set("cr4", value >>> 0);
  }
}
