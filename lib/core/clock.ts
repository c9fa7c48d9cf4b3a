/**
 * Virtual time. One tick is one retired guest instruction, or what the cost model adds; `hz` scales ticks to seconds.
 * The engine runs in slices that end at the next event, and reports how far it has come through {@link Clock.progress}
 * so that a device read in mid-slice sees the exact time. Events fire in order of (time, arming), always between two
 * guest instructions. Time is a JavaScript number: exact to 2^53 ticks, a year at 280 MHz. Warm.
 */
import type { Section } from "./component.ts";
import { ConfigError, InternalError } from "./errors.ts";

/** A named one-shot alarm on virtual time; arm it again from its own callback for a period. */
export interface Timer {
  /** Arms (or re-arms) the timer at an absolute tick; a time in the past fires at the next boundary. */
  armAt(tick: number): void;
  /** Disarms the timer; nothing happens if it is not armed. */
  cancel(): void;
  /** Absolute tick at which it will fire, or `Infinity`. */
  readonly deadline: number;
}

interface Slot extends Timer {
  readonly name: string;
  readonly fire: () => void;
  deadline: number;
  order: number;
}

/** What an engine tells the clock about the slice being executed. */
export interface Progress {
  /** Ticks done since the slice began. */
  elapsed(): number;
  /** Asks that the slice end no later than `ticks` after its begin. */
  shorten(ticks: number): void;
}

/** Virtual time of one machine. */
export class Clock {
  /** Ticks per virtual second. */
  readonly hz: number;
  #base = 0;
  #order = 0;
  #slots: Slot[] = [];
  #next: number = Infinity;
  #progress: Progress | undefined = undefined;

  /** Makes one. @param hz Nominal frequency, ticks per virtual second; at least 1000. */
  constructor(hz: number) {
    if (!Number.isInteger(hz) || hz < 1000) {
      throw new ConfigError("clock-frequency", `Clock frequency must be an integer of at least 1000 Hz, not ${hz}`);
    }
    this.hz = hz;
  }

  /** Ticks since power-on, exact at the current instruction boundary. */
  get now(): number {
    return this.#base + (this.#progress === undefined ? 0 : this.#progress.elapsed());
  }

  /** Tick of the earliest armed timer, or `Infinity`. */
  get nextEvent(): number {
    return this.#next;
  }

  /** Creates a timer. Names are unique in a machine, and are what a snapshot refers to. */
  timer(name: string, fire: () => void): Timer {
    if (this.#slots.some((s) => s.name === name)) {
      throw new ConfigError("timer-name", `A timer named "${name}" exists already`);
    }
    const slot: Slot = {
      name,
      fire,
      deadline: Infinity,
      order: 0,
      armAt: (tick: number): void => {
        slot.deadline = tick;
        slot.order = this.#order++;
        this.#refresh();
      },
      cancel: (): void => {
        if (slot.deadline === Infinity) return;
        slot.deadline = Infinity;
        this.#refresh();
      },
    };
    this.#slots.push(slot);
    return slot;
  }

  /** An engine announces the slice it is about to run; `undefined` when it is done. */
  setProgress(progress: Progress | undefined): void {
    this.#progress = progress;
  }

  /** Moves time forward; the caller is between two slices. */
  advance(ticks: number): void {
    if (!(ticks >= 0)) throw new InternalError(`Clock advanced by ${ticks}`);
    this.#base += ticks;
  }

  /** Fires every timer that is due, in order. The caller is between two slices. */
  fireDue(): void {
    while (this.#next <= this.#base) {
      let due: Slot | undefined;
      for (const s of this.#slots) {
        if (s.deadline <= this.#base && (due === undefined || isBefore(s, due))) due = s;
      }
      if (due === undefined) throw new InternalError("Clock has an event time but no timer");
      due.deadline = Infinity;
      this.#refresh();
      due.fire();
    }
  }

  /** Saves the time and every armed timer. */
  save(): Section {
    const timers = this.#slots.filter((s) => s.deadline !== Infinity)
      .map((s) => ({ name: s.name, deadline: s.deadline, order: s.order }));
    return { version: 1, fields: { now: this.#base, order: this.#order, timers } };
  }

  /** Restores the time and the armed timers; timers are matched by name. */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Clock section has version ${section.version}, this library reads 1`);
    }
    const f = section.fields as {
      now: number;
      order: number;
      timers: { name: string; deadline: number; order: number }[];
    };
    this.#base = f.now;
    this.#order = f.order;
    for (const s of this.#slots) s.deadline = Infinity;
    for (const t of f.timers) {
      const slot = this.#slots.find((s) => s.name === t.name);
      if (slot === undefined) {
        throw new ConfigError("snapshot-mismatch", `Snapshot arms timer "${t.name}", which this machine does not have`);
      }
      slot.deadline = t.deadline;
      slot.order = t.order;
    }
    this.#refresh();
  }

  #refresh(): void {
    let next = Infinity;
    for (const s of this.#slots) if (s.deadline < next) next = s.deadline;
    this.#next = next;
    if (this.#progress !== undefined && next !== Infinity) this.#progress.shorten(next - this.#base);
  }
}

function isBefore(a: Slot, b: Slot): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
