/**
 * Time travel: snapshots along the way, and replay from the nearest one to any instruction between. A run is exact, so
 * the guest comes to the same states again. Positions are instructions retired by all CPUs together.
 *
 * Snapshots share pages; when there are many, every second one is given up and the distance between them doubles, so that
 * a long session has a bounded number of them. Memory or registers changed by the debugger begin a new history, because
 * replay would not know of the change. Input from outside (keys, the serial line) is made through {@linkcode
 * History.input}: it is remembered with its place and made again in a replay; input after a place one goes back to is
 * forgotten. Cold.
 */
import type { StopReason } from "../../core/stop.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Snapshot } from "../../machine/snapshot.ts";
import type { Hit, Points } from "./points.ts";

interface Mark {
  readonly at: number;
  readonly snapshot: Snapshot;
  /** Inputs made before it. */
  readonly inputs: number;
}

/** Something that came from outside. */
interface Input {
  /** Position. */
  readonly at: number;
  /** Virtual time; a CPU that waits lets it go on while the position stays. */
  readonly time: number;
  /** Makes it. */
  readonly make: () => void;
}

/** Marks kept. */
const MOST_MARKS = 48;
/** Instructions between two marks at first. */
const FIRST_DISTANCE = 500_000;
/** Instructions between two looks at the client. */
const PIECE = 2_000_000;

/** Where a search ended. */
export interface Found {
  /** The point met, or `undefined`: the history begins here. */
  readonly hit: Hit | undefined;
}

/** History of one machine. */
export class History {
  readonly #m: Machine;
  #marks: Mark[] = [];
  #inputs: Input[] = [];
  /** Inputs that have been made where the machine is now. */
  #made = 0;
  #distance = FIRST_DISTANCE;

  /** Begins at the machine's present state. */
  constructor(m: Machine) {
    this.#m = m;
    this.begin();
  }

  /** Instructions so far. */
  get position(): number {
    return this.#m.cpus.reduce((sum, cpu) => sum + cpu.instructions, 0);
  }

  /** Snapshots held. */
  get marks(): number {
    return this.#marks.length;
  }

  /** Instructions to run before the next mark is due or the client is to be heard. */
  get room(): number {
    const last = this.#marks[this.#marks.length - 1];
    const due = last.at + this.#distance - this.position;
    return due > 0 ? Math.min(PIECE, due) : PIECE;
  }

  /** Forgets the past: something was changed from outside. */
  begin(): void {
    this.#distance = FIRST_DISTANCE;
    this.#inputs = [];
    this.#made = 0;
    this.#marks = [{ at: this.position, snapshot: this.#m.snapshot(), inputs: 0 }];
  }

  /** Makes an input now, and again at this place in every replay. */
  input(make: () => void): void {
    this.#settle();
    const at = this.position;
    this.#marks = this.#marks.filter((m) => m.at <= at); // beyond is a future without this input
    this.#inputs.push({ at, time: this.#m.now, make });
    this.#made++;
    make();
  }

  /** To be called after each piece of a run: sets a mark when one is due. */
  advance(): void {
    const last = this.#marks[this.#marks.length - 1];
    const at = this.position;
    if (at < this.#marks[0].at) return this.begin(); // counters went back: the machine was reset
    if (at < last.at + this.#distance) return;
    this.#marks.push({ at, snapshot: this.#m.snapshot(), inputs: this.#made });
    if (this.#marks.length <= MOST_MARKS) return;
    this.#marks = this.#marks.filter((_, i) => i % 2 === 0);
    this.#distance *= 2;
  }

  /** Goes to a position that lies in the history; false: it does not. */
  goTo(position: number): boolean {
    const mark = this.#marks.findLast((m) => m.at <= position);
    if (mark === undefined) return false;
    this.#restore(mark);
    const came = this.#replay(position);
    this.#settle();
    return came;
  }

  /**
   * Goes back to the last place before this one where a point is met, or to the beginning. Each stretch between two marks
   * is run once to count the points met, and once more up to the last of them.
   * @param pause Called now and then; false ends the search at the mark it has come to.
   */
  async searchBack(points: Points, pause: () => Promise<boolean>): Promise<Found> {
    let end = this.position;
    for (const mark of this.#marks.filter((m) => m.at < end).reverse()) {
      this.#restore(mark);
      let count = 0;
      while (this.position < end) {
        const before = this.position;
        count += points.count(this.#m, () => this.#piece(Math.min(PIECE, end - before)));
        if (!(await pause())) {
          this.#restore(mark);
          this.#settle();
          return { hit: { kind: "swbreak", at: this.#m.cpu.pcLinear } };
        }
        if (this.position === before) break;
      }
      if (count > 0) {
        this.#restore(mark);
        const hit = this.#toHit(points, count, end);
        this.#settle();
        return { hit };
      }
      end = mark.at;
    }
    this.goTo(this.#marks[0].at);
    return { hit: undefined };
  }

  /** Runs to the `count`-th point met from here; data: before the instruction that touches them. */
  #toHit(points: Points, count: number, end: number): Hit | undefined {
    const { hit } = points.during(this.#m, "all", () => this.#replay(end), count);
    if (hit !== undefined && hit.kind !== "swbreak" && hit.kind !== "hwbreak") this.goTo(this.position - 1);
    return hit;
  }

  #restore(mark: Mark): void {
    this.#m.restore(mark.snapshot);
    this.#made = mark.inputs;
  }

  /** Forgets inputs that were not made yet, and the marks after them: from here on the past may be another one. */
  #settle(): void {
    if (this.#inputs.length === this.#made) return;
    this.#inputs.length = this.#made;
    this.#marks = this.#marks.filter((m) => m.inputs <= this.#made);
  }

  /** Goes on to a position; false: the guest ended or a point was met before. */
  #replay(position: number): boolean {
    while (this.position < position) {
      if (this.#piece(position - this.position).kind !== "budget") return this.position === position;
    }
    this.#due();
    return true;
  }

  /** Runs so many instructions, or up to the next input and makes it. */
  #piece(most: number): StopReason {
    this.#due();
    const next = this.#inputs[this.#made];
    const stop = this.#m.run({ instructions: next === undefined ? most : Math.min(most, next.at - this.position) });
    if (stop.kind === "budget") this.#due();
    return stop;
  }

  /** Makes the inputs of this place. */
  #due(): void {
    while (true) {
      const next = this.#inputs[this.#made];
      if (next === undefined || next.at > this.position) return;
      if (next.time > this.#m.now) this.#m.run({ ticks: next.time - this.#m.now });
      this.#made++;
      next.make();
    }
  }
}
