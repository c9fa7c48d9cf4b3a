/** Errors injected into the calls of a kernel that trusts them: it survives, or comes to a clean end; the host stays whole. */
import {
  guests,
  type ParavirtBackend,
  type ParavirtName,
  Prng,
  type StopReason,
  vmiPc,
  type VmiPcMachine,
} from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import type { CallAnswer, ParavirtCall } from "../../../lib/vmi/paravirt/backend.ts";
import { makeClient } from "../paravirt_client/client.ts";
import { RELEASES } from "../paravirt_client/releases.ts";
import { conformance, type Engine, NO_CALLS } from "./suite.ts";

const AMONG: readonly StopReason["kind"][] = ["until", "budget", "halt", "fault", "killed", "reset", "power-off"];

/** What becomes of a call. */
const ERRORS: Readonly<Record<string, (call: ParavirtCall) => CallAnswer>> = {
  lost: () => undefined,
  twice: (call) => {
    call.forward();
    return call.forward();
  },
  late: (call) => {
    call.delay(3_000_000);
    return "native";
  },
  refused: () => ({ kill: "refused" }),
  "a fault": (call) => call.guest.raise({ vector: 13, errorCode: 0, linear: 0 }),
  "a page fault": (call) => call.guest.raise({ vector: 14, errorCode: 2, linear: 0x5000 }),
  "a wrong answer": () => 0x7fffffff,
};
/** Arguments gone wrong, by call. */
const WRONG: Readonly<Partial<Record<ParavirtName, readonly Readonly<Record<string, number | bigint>>[]>>> = {
  SetPxE: [{ pte: 0 }, { pte: 0x7c000007 }, { pte: 0xfffff007 }, { pte: 0x300007 }, { flags: 0xffffffff }],
  AllocatePage: [{ pfn: 0 }, { pfn: 0xffffffff }, { flags: 0 }, { clone: 0xffffffff, count: 0xffff }],
  SetAlarm: [{ period: 1n }, { expiry: 2n ** 63n }, { flags: 0x77 }, { flags: 0x10100 }, { period: 2n ** 64n - 1n }],
  CancelAlarm: [{ flags: 0xffffffff }, { flags: 2 }, { flags: 0x77 }, { flags: 1 }],
  SetPxELong: [
    { pte: 0n },
    { pte: 0x7c000007n },
    { pte: 0xffff_ffff_ffff_ffffn },
    { pte: 0x8000_0000_0030_0007n },
    { flags: 0xffffffff },
    { ptep: 0xffff_fff8 },
    { ptep: 0xc0000004 },
  ],
  UpdatePxELong: [{ ptep: 0 }, { ptep: 0xffff_fffc }, { flags: 0xffffffff }],
  ReleasePage: [{ pfn: 0 }, { pfn: 0xffffffff }, { pfn: 0x7c000 }, { flags: 0 }],
};

/** A kernel to which it happens. */
interface Victim {
  /** A machine with it, not started. */
  make(backend: ParavirtBackend, engine: Engine): VmiPcMachine;
  /** Runs it to where it has done its work, and a little more if it is disturbed. */
  finish(m: VmiPcMachine): StopReason;
  /** How that ends if it is not. */
  readonly good: StopReason["kind"];
}

const MINIKERNEL: Victim = {
  make: (backend, engine) => {
    const m = vmiPc({ backend, engine });
    m.boot(guests.minikernel());
    return m;
  },
  finish: (m) => m.run({ until: m.serial.contains("ready"), instructions: 2_600_000 }),
  good: "until",
};

/** A release of the client model, which checks much more than it needs. */
function client(name: string, pae: boolean): Victim {
  const release = RELEASES.find((r) => r.name === name) ?? RELEASES[0];
  return {
    make: (backend, engine) => makeClient(backend, { release, pae, localApic: true, largePages: true }, { engine }),
    finish: (m) => m.run({ instructions: 5_200_000 }),
    good: "halt",
  };
}

/** Calls to which it happens; one is chosen among the first so many. */
const CALLS: readonly (readonly [name: ParavirtName, among: number, whose: string, victim: Victim])[] = [
  ["SetPxE", 90, "", MINIKERNEL],
  ["AllocatePage", 16, "", MINIKERNEL],
  ["ReleasePage", 12, "", MINIKERNEL],
  ["SetAlarm", 1, "", MINIKERNEL],
  ["SetPxE", 1800, " of 2.6.30", client("2.6.30", false)],
  ["SetPxELong", 500, " of 2.6.24, which switches to PAE", client("2.6.24", true)],
  ["SetPxELong", 500, " of 2.6.36", client("2.6.36", true)],
  ["UpdatePxELong", 7, " of 2.6.32", client("2.6.32", true)],
  ["AllocatePage", 14, " of 2.6.25 with PAE", client("2.6.25", true)],
  ["SetAlarm", 9, " of 2.6.28", client("2.6.28", false)],
  ["CancelAlarm", 7, " of 2.6.24", client("2.6.24", false)],
  ["CancelAlarm", 7, " of 2.6.32", client("2.6.32", true)],
];

/** How runs have ended on the engine that came first. */
const outcomes = new Map<string, string>();

/** The errors that befall a call, by text. */
function errorsOf(name: ParavirtName): readonly (readonly [string, (call: ParavirtCall) => CallAnswer])[] {
  const text = (args: object): string => JSON.stringify(args, (_, v) => typeof v === "bigint" ? `${v}` : v);
  return [
    ...Object.entries(ERRORS),
    ...(WRONG[name] ?? []).map((args) => [text(args), (call: ParavirtCall) => call.forward(args)] as const),
  ];
}

conformance("survive", (on) => {
  const { candidate, engine } = on;
  for (const [i, [name, among, whose, { make, finish, good }]] of CALLS.entries()) {
    on.unless(NO_CALLS).test(
      `errors in ${name}${whose} are survived or end cleanly, and a snapshot from before is whole`,
      () => {
        const m = make(candidate.make(), engine);
        m.run({ instructions: 20_000 });
        const before = m.snapshot();
        assertEquals(finish(m).kind, good);
        const end = m.hash(), random = new Prng(31 + i), ends = new Set<string>();
        const errors = errorsOf(name);
        let hit = 0;
        for (const [text, error] of errors) {
          m.restore(before);
          let left = random.below(among) + 1, done = false;
          const remove = m.paravirt.override(name, (call) => {
            if (--left !== 0) return "native";
            done = true;
            return error(call as unknown as ParavirtCall);
          });
          const stop = finish(m);
          remove();
          assert(AMONG.includes(stop.kind), `${text}: ${JSON.stringify(stop)}`);
          if (text === "refused" && done) assertEquals(stop, { ...stop, kind: "killed", call: name, code: "refused" });
          ends.add(stop.kind);
          if (done) hit++;
          const key = `${on.backend} ${name} ${whose} ${text}`, outcome = `${stop.kind} ${m.hash()}`;
          const other = outcomes.get(key);
          outcomes.set(key, outcome);
          if (other !== undefined) assertEquals(outcome, other, `${text}: the engines agree`);
        }
        assert(hit > errors.length / 2, `${hit} of ${errors.length} errors have come to pass`);

        assert(ends.has(good) || ends.size > 1, [...ends].join());
        m.restore(before);
        finish(m);
        assertEquals(m.hash(), end, "the run from the snapshot is as if nothing had been injected");
      },
    );
  }
});
