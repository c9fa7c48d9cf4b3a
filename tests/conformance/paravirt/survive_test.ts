/** Errors injected into the calls of a kernel that trusts them: it survives, or comes to a clean end; the host stays whole. */
import { guests, type ParavirtName, Prng, type StopReason, vmiPc, type VmiPcMachine } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import type { CallAnswer, ParavirtCall } from "../../../lib/vmi/paravirt/backend.ts";
import { conformance, NO_CALLS } from "./suite.ts";

/** Instructions in which the kernel comes to its prompt, and a little more. */
const ENOUGH = 2_600_000;
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
  ReleasePage: [{ pfn: 0 }, { pfn: 0xffffffff }, { pfn: 0x7c000 }, { flags: 0 }],
};
/** Calls to which it happens; a call is chosen among the first so many. */
const CALLS: readonly (readonly [ParavirtName, number])[] = [
  ["SetPxE", 90],
  ["AllocatePage", 16],
  ["ReleasePage", 12],
  [
    "SetAlarm",
    1,
  ],
];

/** How runs have ended on the engine that came first. */
const outcomes = new Map<string, string>();

conformance("survive", (on) => {
  const { candidate, engine } = on;
  const ready = (m: VmiPcMachine): StopReason => m.run({ until: m.serial.contains("ready"), instructions: ENOUGH });

  for (const [i, [name, among]] of CALLS.entries()) {
    on.unless(NO_CALLS).test(
      `errors in ${name} are survived or end cleanly, and a snapshot from before is whole`,
      () => {
        const m = vmiPc({ backend: candidate.make(), engine });
        m.boot(guests.minikernel());
        m.run({ instructions: 20_000 });
        const before = m.snapshot();
        assertEquals(ready(m).kind, "until");
        const end = m.hash(), random = new Prng(31 + i), ends = new Set<string>();
        const wrong = WRONG[name] ?? [];
        const errors: [string, (call: ParavirtCall) => CallAnswer][] = [
          ...Object.entries(ERRORS),
          ...wrong.map((args): [string, (call: ParavirtCall) => CallAnswer] => [
            JSON.stringify(args, (_, v) => typeof v === "bigint" ? `${v}` : v),
            (call) => call.forward(args),
          ]),
        ];
        let hit = 0;
        for (const [text, error] of errors) {
          m.restore(before);
          let left = random.below(among) + 1, done = false;
          const remove = m.paravirt.override(name, (call) => {
            if (--left !== 0) return "native";
            done = true;
            return error(call as unknown as ParavirtCall);
          });
          const stop = ready(m);
          remove();
          assert(AMONG.includes(stop.kind), `${text}: ${JSON.stringify(stop)}`);
          if (text === "refused" && done) assertEquals(stop, { ...stop, kind: "killed", call: name, code: "refused" });
          ends.add(stop.kind);
          if (done) hit++;
          const key = `${on.backend} ${name} ${text}`, outcome = `${stop.kind} ${m.hash()}`;
          const other = outcomes.get(key);
          outcomes.set(key, outcome);
          if (other !== undefined) assertEquals(outcome, other, `${text}: the engines agree`);
        }
        assert(hit > errors.length / 2, `${hit} of ${errors.length} errors have come to pass`);

        assert(ends.has("until") || ends.size > 1, [...ends].join());
        m.restore(before);
        ready(m);
        assertEquals(m.hash(), end, "the run from the snapshot is as if nothing had been injected");
      },
    );
  }
});
