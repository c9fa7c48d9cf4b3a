/**
 * The hello of two processes of a job. The listener sends a fresh number; the caller answers with its own, who it is, and
 * a proof over both; the listener proves itself in turn. Proofs are HMAC-SHA-256 under a key made of the job's, and name
 * the side, so that none can be sent back. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import { hmacSha256 } from "../../vmi/message/sha256.ts";
import type { TcpLink } from "./tcp_link.ts";

/** Who calls. */
export interface Greeting {
  /** Its number. */
  readonly process: number;
  /** How many it believes there are. */
  readonly processes: number;
  /** Where it listens. */
  readonly place: string;
  /** Fresh for each process that is started: another one with its number is not taken for it. */
  readonly instance: string;
}

/** What both ends learn in a hello. */
export interface Acquaintance {
  /** Which process the other end is: what it calls itself. */
  readonly instance: string;
  /** Number up to which the other end has this one's records. */
  readonly got: number;
}

const NUMBER = 32;
const PROOF = 32;
/** Longest name of an instance. */
const LONGEST_INSTANCE = 64;
/** Longest host and port. */
const LONGEST_PLACE = 300;

function proof(secret: Uint8Array, side: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const label = new TextEncoder().encode(side);
  const all = new Uint8Array(label.length + parts.reduce((n, p) => n + p.length, 0));
  all.set(label);
  let at = label.length;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return hmacSha256(secret, all);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

/** The caller's side. @throws {ConfigError} message-key: the listener does not know the key. */
export async function greet(link: TcpLink, secret: Uint8Array, me: Greeting, limit: number): Promise<void> {
  const theirs = await link.read(limit);
  if (theirs.length !== NUMBER) {
    link.abort();
    throw new ConfigError("message-key", "What listens there is no process of a job");
  }
  const mine = crypto.getRandomValues(new Uint8Array(NUMBER));
  const who = new TextEncoder().encode(JSON.stringify(me));
  const mark = proof(secret, "caller", theirs, mine, who);
  const hello = new Uint8Array(NUMBER + PROOF + who.length);
  hello.set(mine);
  hello.set(mark, NUMBER);
  hello.set(who, NUMBER + PROOF);
  await link.write(hello);
  const answer = await link.read(limit).catch(() => new Uint8Array(0));
  if (isEqual(answer, proof(secret, "listener", mine, theirs))) return;
  link.abort();
  throw new ConfigError("message-key", "The other process does not accept this job's key");
}

/** The listener's side; a text: who called is a stranger, and why. */
export async function welcome(
  link: TcpLink,
  secret: Uint8Array,
  processes: number,
  limit: number,
): Promise<Greeting | string> {
  const mine = crypto.getRandomValues(new Uint8Array(NUMBER));
  await link.write(mine);
  const hello = await link.read(limit, NUMBER + PROOF + LONGEST_PLACE + LONGEST_INSTANCE + 100);
  if (hello.length < NUMBER + PROOF) return "it is no process of a job";
  const [theirs, mark, who] = [
    hello.subarray(0, NUMBER),
    hello.subarray(NUMBER, NUMBER + PROOF),
    hello.subarray(NUMBER + PROOF),
  ];
  if (!isEqual(mark, proof(secret, "caller", mine, theirs, who))) return "it does not know this job's key";
  const g = JSON.parse(new TextDecoder().decode(who)) as Greeting;
  if (g.processes !== processes) return `it knows of ${g.processes} processes, this one of ${processes}`;
  if (!Number.isInteger(g.process) || g.process <= 0 || g.process >= processes) return "it has a number of no process";
  const { place, instance } = g;
  if (typeof place !== "string" || place.length > LONGEST_PLACE) return "it names no place where it listens";
  if (typeof instance !== "string" || instance.length > LONGEST_INSTANCE) return "it does not say which process it is";
  await link.write(proof(secret, "listener", theirs, mine));
  return g;
}

/** After the proofs: both ends say who they are, and how far they have the other's records. */
export async function acquaint(
  link: TcpLink,
  instance: string,
  got: (theirs: string) => number | undefined,
  limit: number,
): Promise<Acquaintance | undefined> {
  const text = new TextEncoder();
  await link.write(text.encode(instance));
  const theirs = new TextDecoder().decode(await link.read(limit, LONGEST_INSTANCE));
  const mine = got(theirs);
  if (mine === undefined) return undefined;
  await link.write(text.encode(String(mine)));
  const number = Number(new TextDecoder().decode(await link.read(limit, LONGEST_INSTANCE)));
  return Number.isSafeInteger(number) && number >= 0 ? { instance: theirs, got: number } : undefined;
}
