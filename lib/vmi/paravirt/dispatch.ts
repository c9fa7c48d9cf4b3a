/**
 * The paravirtual part of a machine: its ROM, its backend, and what scripts ask of the calls.
 *
 * Two ways lead here. A slot with a trap executes a hypercall instruction: {@linkcode Paravirt.hypercall} finds the call
 * from EIP, asks before-functions, override and backend in this order, writes the result and lets the guest go on at the
 * slot's RET. A slot of plain code is seen through code hooks, which exist only while something observes that call: at a slot's first instruction the call begins, at its RET the result is read. An overridden call skips from
 * its first instruction to the caller; its code does not run. The ROM is never patched, so what a guest reads, and the
 * time its code takes, are the same with and without observers.
 *
 * The guest chooses where the ROM is in linear space. The first trap (Init) shows it: the page under EIP, or one of the
 * pages before it, holds the ROM's header.
 *
 * Guest faults that reading guest memory raises pass through as the CPU's own fault object. An Error thrown by a script
 * becomes a ConfigError that names the call and leaves the run; the guest then stands at the call, which is not answered,
 * or behind it if a function after the call has failed.
 * Sources: Paravirtualization API 2.0, appendix A. Warm.
 *
 * Not emulated: a guest that calls plain-code slots at a second linear alias before any trap at that alias is not
 * observed there; with a backend that never traps, nothing is observed.
 */
import type { Component, Section } from "../../core/component.ts";
import type { GuestContext } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import { Reg } from "../../spec/i386_regs.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import { ParavirtRomHeader } from "../../spec/paravirt_rom.ts";
import { checkAnswer, isGuestFault, isKill, scriptFailed } from "./answer.ts";
import { type AnyArgs, type CallPlan, PLANS, readResult, writeResult } from "./arguments.ts";
import { type CallAnswer, type ParavirtBackend, savedState } from "./backend.ts";
import type { LiveCall } from "./live_call.ts";
import { type AfterFn, type BeforeFn, CallCounts, type Entered, known, Observers } from "./observers.ts";
import type { OverrideFn } from "./observers.ts";
import type { DispatchHost } from "./dispatch_host.ts";
import { CallMaker } from "./make_call.ts";
import { awaitsResult, isBare, type Place, watchedPlaces } from "./places.ts";
import { OpenCalls } from "./open_calls.ts";
import type { Recording, RecordOptions } from "./record.ts";
import {
  buildParavirtRom,
  isRomHeader,
  type ParavirtRom,
  type ParavirtRomOptions,
  type RomSlot,
  STRIDE,
  STRIDE_LOG2,
} from "./rom.ts";

/** At more linear addresses than this the ROM is not known at once; the oldest is forgotten. */
const MOST_BASES = 16;

/** The paravirtual part of one machine. */
export class Paravirt implements Component {
  /** Name of the component. */
  readonly name: string = "paravirt";
  /** The ROM as built for the backend. */
  readonly rom: ParavirtRom;
  /** Who answers. */
  readonly backend: ParavirtBackend;
  readonly #makeHost: () => DispatchHost;
  #made: DispatchHost | undefined;
  readonly #observers: Observers = new Observers(() => this.#rewatch(), () => this.#made?.hooks);
  readonly #watches = new Map<number, { readonly key: string; readonly remove: () => void }>();
  readonly #bases = new Set<number>();
  /** The one of them that the last trap was in, i32, and how many bytes the ROM has there; 0: none. */
  #found = 0;
  #foundBytes = 0;
  readonly #maker: CallMaker;
  /** Watched places by their offset in the ROM. */
  #places: readonly (Place | undefined)[] = [];
  readonly #open: OpenCalls = new OpenCalls();
  /** Numbers of trapped calls that have gone on natively while somebody waited for their result. */
  readonly #native = new Set<number>();
  #trapped: number[] = PLANS.map(() => 0);
  #injected: (() => void) | undefined;

  /**
   * @param host Asked once, when the machine is there.
   * @throws {ConfigError} rom-slot, rom-size
   */
  constructor(backend: ParavirtBackend, host: () => DispatchHost, options: ParavirtRomOptions = {}) {
    this.backend = backend;
    this.#makeHost = host;
    this.rom = buildParavirtRom(backend, options);
    this.#maker = new CallMaker(backend, this.rom, () => this.#host);
  }

  /** The machine is there: gives the backend its clock. */
  attach(): void {
    this.backend.attach(this.#host);
  }

  get #host(): DispatchHost {
    return this.#made ??= this.#makeHost();
  }

  // --- for scripts

  /** Starts a record of every call: name, arguments, result, EIP, time. @throws {ConfigError} record-size */
  record(options?: RecordOptions): Recording {
    return this.#observers.record(options);
  }

  /** Begins to count all calls, those of plain code as well. */
  countCalls(): CallCounts {
    return new CallCounts(this.#observers);
  }

  /** Calls `fn` at the entry of each call of this name. @throws {ConfigError} paravirt-call */
  before<N extends ParavirtName>(name: N, fn: BeforeFn<N>): () => void {
    return this.#observers.addBefore(name, fn as unknown as BeforeFn);
  }

  /** Calls `fn` when a call of this name has its result. @throws {ConfigError} paravirt-call */
  after<N extends ParavirtName>(name: N, fn: AfterFn<N>): () => void {
    return this.#observers.addAfter(name, fn as unknown as AfterFn);
  }

  /**
   * Answers each call of this name in place of the backend; of several the last one does. @throws {ConfigError}
   * paravirt-call: no such call, it does not return, or the ROM tells the guest that there is none.
   */
  override<N extends ParavirtName>(name: N, fn: OverrideFn<N>): () => void {
    const slot = this.slot(name);
    if (slot.lines.length === 0) {
      throw new ConfigError(
        "paravirt-call",
        `Backend ${this.backend.name} tells the guest to do ${name} natively, so an override would never be asked; ` +
          `use scripted({ ${name}: ... })`,
      );
    }
    return this.#observers.setOverride(name, fn as unknown as OverrideFn);
  }

  /** The slot of a call in the ROM. @throws {ConfigError} paravirt-call */
  slot(name: string): RomSlot {
    return this.rom.slots[known(name).no] as RomSlot;
  }

  /** How often each call has trapped since power-on, by name; calls of plain code and those that never came are left out. */
  get trapped(): Readonly<Record<string, number>> {
    const came = PLANS.filter((p) => (this.#trapped[p.no] ?? 0) > 0);
    return Object.fromEntries(came.map((p) => [p.name, this.#trapped[p.no] ?? 0]));
  }

  /** Linear address of the ROM as the guest sees it, or -1 as long as no trap has shown it. */
  get base(): number {
    return [...this.#bases].at(-1) ?? -1;
  }

  // --- for the machine

  /** The CPU stands at a hypercall instruction. @returns False: not ours, the instruction is undefined. */
  hypercall(guest: GuestContext): boolean {
    if (this.backend.hidden === true || guest.cpl === 3) return false; // user code has no business here
    const eip = guest.eip >>> 0;
    if (((eip - this.#found) >>> 0) >= this.#foundBytes && !this.#findBase(guest, eip)) return false;
    const base = this.#found >>> 0;
    const offset = eip - base;
    if (offset === this.rom.returnAt && this.#injected !== undefined) {
      this.#injected();
      return true;
    }
    const from = offset - this.rom.slotsAt, no = from >> STRIDE_LOG2;
    const slot = no >= 0 && (from & (STRIDE - 1)) === 0 ? this.rom.slots[no] : undefined;
    const plan = PLANS[no];
    if (slot === undefined || plan === undefined || !slot.trap) {
      this.#host.kill(`offset 0x${offset.toString(16)} of the ROM`, "unknown-call", eip);
      return true;
    }
    this.#trapped[no] = (this.#trapped[no] ?? 0) + 1;
    this.#host.spend("hypercall", 1);
    this.#answerTrap(guest, plan, slot, base);
    return true;
  }

  /** The machine's hypercall hooks have changed. */
  hooksChanged(): void {
    this.#rewatch();
  }

  /** Is this call overridden? */
  overrides(no: number): boolean {
    return this.#observers.override(no) !== undefined;
  }

  /** Answers a call that has no guest code, as if the guest had made it: for injection. */
  answer(guest: GuestContext, plan: CallPlan, args: AnyArgs): CallAnswer {
    const call = this.#maker.injected(guest, plan, args);
    const entered = this.#observers.enter(call);
    const answer = call.refused === undefined ? this.#ask(call, entered) : undefined;
    if (call.refused !== undefined) return { kill: call.refused };
    if (isKill(answer) || answer === "native") return answer;
    checkAnswer(plan, answer);
    const final = this.#observers.leave(call, entered, answer);
    checkAnswer(plan, final);
    return final;
  }

  /** Sets what happens when an injected call reaches its return place; `undefined`: nothing is injected. */
  onInjectedReturn(fn: (() => void) | undefined): void {
    this.#injected = fn;
  }

  /** Power-on state; observers stay. */
  reset(): void {
    this.#forget();
    this.#trapped.fill(0);
    this.backend.reset();
  }

  /** Saves the backend and where the guest has the ROM; observers are the script's. */
  save(): Section {
    return {
      version: 1,
      fields: {
        backend: this.backend.name,
        bases: [...this.#bases],
        trapped: [...this.#trapped],
        state: savedState(this.backend),
      },
    };
  }

  /** Restores; calls that were open are no longer observed. @throws {ConfigError} snapshot-version, snapshot-mismatch */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError(
        "snapshot-version",
        `Paravirt section has version ${section.version}, this library reads 1`,
      );
    }
    if (section.fields["backend"] !== this.backend.name) {
      throw new ConfigError(
        "snapshot-mismatch",
        `Snapshot has paravirtual backend ${section.fields["backend"]}, this machine has ${this.backend.name}`,
      );
    }
    this.#forget();
    for (const base of section.fields["bases"] as readonly number[]) this.#bases.add(base);
    const trapped = section.fields["trapped"] as readonly number[] | undefined;
    this.#trapped = PLANS.map((p) => trapped?.[p.no] ?? 0);
    this.backend.load(section.fields["state"] as unknown as Section);
    this.#rewatch();
  }

  #forget(): void {
    this.#open.clear();
    this.#bases.clear();
    this.#foundBytes = 0;
    this.#rewatch();
  }

  #answerTrap(guest: GuestContext, plan: CallPlan, slot: RomSlot, base: number): void {
    const call = this.#maker.trapped(guest, plan);
    if (call.isCut) return this.#host.kill(plan.name, "bad-argument", call.eip);
    try {
      const entered = this.#observers.enter(call);
      const answer = call.refused === undefined ? this.#ask(call, entered) : undefined;
      const kill = call.refused ?? (isKill(answer) ? answer.kill : undefined);
      if (kill !== undefined || isKill(answer)) return this.#host.kill(plan.name, kill ?? "refused", call.eip);
      if (answer === "native" && !isBare(slot)) return this.#await(guest, call, entered);
      const answered = answer === "native" ? undefined : answer, back = slot.returns.at(-1);
      giveResult(guest, plan, answered);
      if (back !== undefined && guest.eip >>> 0 === call.eip) guest.eip = base + back;
      this.#leave(guest, plan, call, entered, answered);
    } catch (error) {
      if (!isGuestFault(error) && guest.eip >>> 0 === call.eip) this.#trapped[plan.no]--; // it will be made again
      scriptFailed(plan, error);
    }
  }

  // --- plain code, watched

  #seen(guest: GuestContext, offset: number, stop: (name: string) => void): void {
    const place = this.#places[offset];
    if (place === undefined) return;
    if (place.begins !== undefined && this.#codeCall(guest, place.begins, stop)) return;
    if (place.ends !== undefined && this.#open.count > 0) this.#codeReturn(guest, place.ends);
  }

  /** A slot of plain code begins. @returns True if an override answered, and EIP is back at the caller. */
  #codeCall(guest: GuestContext, plan: CallPlan, stop: (name: string) => void): boolean {
    const recording = this.#observers.onlyRecording(plan.no);
    if (recording !== undefined && this.#open.record(guest, plan, recording)) return false;
    const call = this.#maker.plain(guest, plan, stop);
    try {
      const entered = this.#observers.enter(call);
      const override = this.#observers.override(plan.no);
      const answer = call.refused === undefined ? entered.early ?? override?.(call) : undefined;
      const kill = call.refused ?? (isKill(answer) ? answer.kill : undefined);
      if (kill !== undefined || isKill(answer)) {
        this.#host.kill(plan.name, kill ?? "refused", call.eip);
        return false;
      }
      if (answer === "native" || (override === undefined && entered.early === undefined)) {
        this.#await(guest, call, entered);
        return false;
      }
      giveResult(guest, plan, answer);
      if (guest.eip >>> 0 === call.eip) {
        guest.setReg(Reg.esp, (guest.reg(Reg.esp) + 4) >>> 0);
        guest.eip = call.from;
      }
      this.#leave(guest, plan, call, entered, answer);
      return true;
    } catch (error) {
      scriptFailed(plan, error);
    }
  }

  #codeReturn(guest: GuestContext, no: number): void {
    const open = this.#open.close(no, guest.reg(Reg.esp) >>> 0);
    if (open === undefined) return;
    const plan = PLANS[no], { call, entered, recording } = open;
    recording?.endRow(open.seq, plan.result === "edx:eax", guest.reg(Reg.eax), guest.reg(Reg.edx));
    if (call === undefined || entered === undefined) return;
    try {
      const result = readResult(guest, plan);
      const final = this.#observers.leave(call, entered, result);
      checkAnswer(plan, final);
      if (final !== undefined && final !== result) writeResult(guest, plan, final);
    } catch (error) {
      scriptFailed(plan, error);
    }
  }

  /** Hook, override, backend, in this order. */
  #ask(call: LiveCall, entered: Entered): CallAnswer {
    if (entered.early !== undefined) return entered.early;
    const override = this.#observers.override(call.no);
    const answer = override?.(call);
    return override === undefined || answer === "native" ? this.backend.call(call) : answer;
  }

  /** The call is done: its observers see the result, and may change it. */
  #leave(
    guest: GuestContext,
    plan: CallPlan,
    call: LiveCall,
    entered: Entered,
    answer: number | bigint | undefined,
  ): void {
    const final = this.#observers.leave(call, entered, answer ?? readResult(guest, plan));
    checkAnswer(plan, final);
    if (final !== undefined && final !== answer) writeResult(guest, plan, final);
  }

  /** The call goes on in guest code; its result is read at the slot's RET, if anybody wants to know. */
  #await(guest: GuestContext, call: LiveCall, entered: Entered): void {
    const { no } = call;
    if (!awaitsResult(this.#observers, no)) return;
    this.#open.add(call, entered, guest.reg(Reg.esp) >>> 0);
    if (!this.rom.slots[no].trap || this.#native.has(no)) return;
    this.#native.add(no);
    this.#rewatch();
  }

  /** Finds the ROM around `eip`. @returns False: it is not there. */
  #findBase(guest: GuestContext, eip: number): boolean {
    const { bytes } = this.rom, header = new Uint8Array(ParavirtRomHeader.size);
    let base = [...this.#bases].find((known) => eip >= known && eip < known + bytes.length);
    for (let back = 0; base === undefined && back < bytes.length; back += 2048) {
      const at = ((eip & ~2047) - back) >>> 0;
      if (guest.peek(at, header) && isRomHeader(header)) base = at;
    }
    if (base === undefined) return false;
    this.#found = base | 0;
    this.#foundBytes = bytes.length;
    if (this.#bases.has(base)) return true;
    if (this.#bases.size >= MOST_BASES) this.#bases.delete([...this.#bases][0] ?? -1);
    this.#bases.add(base);
    this.#rewatch();
    return true;
  }

  /** Code hooks for each place of the ROM, where observed calls begin and end. */
  #rewatch(): void {
    this.#places = watchedPlaces(this.rom, this.#observers, this.#open.numbers, this.#native);
    const offsets = [...this.#places.keys()].filter((at) => this.#places[at] !== undefined), key = offsets.join();
    for (const [base, watch] of this.#watches) {
      if (watch.key === key && this.#bases.has(base)) continue;
      watch.remove();
      this.#watches.delete(base);
    }
    if (offsets.length === 0) return;
    for (const base of this.#bases) {
      if (this.#watches.has(base)) continue;
      const seen = (guest: GuestContext, linear: number, stop: (name: string) => void): void =>
        this.#seen(guest, linear - base, stop);
      this.#watches.set(base, { key, remove: this.#host.watch(offsets.map((o) => (base + o) >>> 0), seen) });
    }
  }
}

/** Writes an answer where the guest expects it. @throws {ConfigError} paravirt-answer */
function giveResult(guest: GuestContext, plan: CallPlan, answer: number | bigint | undefined): void {
  checkAnswer(plan, answer);
  if (answer !== undefined) writeResult(guest, plan, answer);
}
