/**
 * Calls as columns of numbers, in pieces: number, place, time, the words of the arguments, the result. Nothing is
 * allocated for a call but a new piece now and then, and a piece whose calls are all dropped becomes the next one. Hot
 * where calls are recorded.
 */
import { MAX_WORDS } from "./arguments.ts";

/** What a result is. */
export const Kind = {
  /** There is none, or not yet. */
  none: 0,
  /** A u32 in the low word. */
  number: 1,
  /** 64 bits without sign, a bigint for scripts. */
  bigint: 2,
  /** Something else, which somebody keeps elsewhere. */
  odd: 3,
} as const;

/** Words of a row; those of the arguments follow. */
const Row = { no: 0, eip: 1, from: 2, low: 3, high: 4, words: 5 } as const;
const ROW = Row.words + MAX_WORDS;
/** Rows of a piece, as a power of two. */
const SHIFT = 11;
const PIECE = 1 << SHIFT;

/** Some rows in a sequence. */
class Piece {
  readonly words: Int32Array = new Int32Array(PIECE * ROW);
  readonly times: Float64Array = new Float64Array(PIECE);
  readonly kinds: Uint8Array = new Uint8Array(PIECE);
}

/** Rows by sequence number. */
export class CallRows {
  readonly #pieces: Piece[] = [];
  /** Sequence number of the first row of the first piece. */
  #start = 0;
  /** Sequence number of the first row that is kept. */
  #first = 0;
  #next = 0;
  /** Piece and place in it of the next row. */
  #piece: Piece | undefined = undefined;
  #at = PIECE;
  /** Piece and offset of the row that was begun last. */
  words: Int32Array = new Int32Array(ROW);
  /** Where in {@linkcode CallRows.words} the words of its arguments go. */
  wordsAt = 0;

  /** Begins the next row. */
  begin(no: number, eip: number, from: number, time: number): void {
    if (this.#at === PIECE) this.#nextPiece();
    const piece = this.#piece as Piece, i = this.#at++, row = i * ROW, { words } = piece;
    words[row] = no;
    words[row + Row.eip] = eip;
    words[row + Row.from] = from;
    piece.times[i] = time;
    piece.kinds[i] = Kind.none;
    this.words = words;
    this.wordsAt = row + Row.words;
    this.#next++;
  }

  /** The result of a row. @returns False: it has to be kept elsewhere. */
  end(seq: number, result: number | bigint | undefined): boolean {
    if (result === undefined) this.endWords(seq, Kind.none, 0, 0);
    else if (typeof result === "number") {
      if (result >>> 0 !== result) return this.#endOdd(seq);
      this.endWords(seq, Kind.number, result, 0);
    } else {
      if (BigInt.asUintN(64, result) !== result) return this.#endOdd(seq);
      this.endWords(seq, Kind.bigint, Number(result & 0xffff_ffffn), Number(result >> 32n));
    }
    return true;
  }

  /** The result of a row, in words. */
  endWords(seq: number, kind: number, low: number, high: number): void {
    const piece = this.#pieceOf(seq), i = this.#placeOf(seq), row = i * ROW;
    piece.kinds[i] = kind;
    piece.words[row + Row.low] = low;
    piece.words[row + Row.high] = high;
  }

  #endOdd(seq: number): boolean {
    this.endWords(seq, Kind.odd, 0, 0);
    return false;
  }

  /** Rows before this one are given up. */
  dropTo(seq: number): void {
    this.#first = seq;
  }

  /** All rows are given up. */
  clear(): void {
    this.#first = this.#start = this.#next;
    this.#pieces.length = Math.min(1, this.#pieces.length);
    this.#piece = this.#pieces[0];
    this.#at = this.#piece === undefined ? PIECE : 0;
  }

  /** Number of the call. */
  no(seq: number): number {
    return this.#pieceOf(seq).words[this.#placeOf(seq) * ROW] >>> 0;
  }

  /** Kind of its result. */
  kind(seq: number): number {
    return this.#pieceOf(seq).kinds[this.#placeOf(seq)];
  }

  /** Its result, unless it is kept elsewhere. */
  result(seq: number): number | bigint | undefined {
    const { words } = this.#pieceOf(seq), row = this.#placeOf(seq) * ROW, kind = this.kind(seq);
    const low = words[row + Row.low] >>> 0;
    if (kind === Kind.number) return low;
    return kind === Kind.bigint ? BigInt(low) | BigInt(words[row + Row.high] >>> 0) << 32n : undefined;
  }

  /** Where the words of its arguments are. */
  wordsOf(seq: number): [words: Int32Array, at: number] {
    return [this.#pieceOf(seq).words, this.#placeOf(seq) * ROW + Row.words];
  }

  /** Where and when it was made. */
  place(seq: number): { readonly eip: number; readonly from: number; readonly time: number } {
    const { words, times } = this.#pieceOf(seq), i = this.#placeOf(seq), row = i * ROW;
    return { eip: words[row + Row.eip] >>> 0, from: words[row + Row.from] >>> 0, time: times[i] };
  }

  #pieceOf(seq: number): Piece {
    return this.#pieces[(seq - this.#start) >>> SHIFT];
  }

  #placeOf(seq: number): number {
    return (seq - this.#start) & (PIECE - 1);
  }

  #nextPiece(): void {
    const isFree = this.#first - this.#start >= PIECE;
    const piece = isFree ? this.#pieces.shift() as Piece : new Piece();
    if (isFree) this.#start += PIECE;
    this.#pieces.push(piece);
    this.#piece = piece;
    this.#at = 0;
  }
}
