/**
 * Mistakes of a script in a call of the guest: it throws, answers nonsense, runs the machine anew from within. Each is an
 * error that names the call; the state stays whole, so that the run goes on as if the script had done nothing, from where
 * it stands and from a snapshot.
 */
import { ConfigError, guests, type ParavirtName, type Snapshot, vmiPc, type VmiPcMachine } from "../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { conformance, NO_CALLS } from "./suite.ts";

/** Where the script is asked. */
type Place = "before" | "override" | "after";
/** What it does there; what it returns is its answer. */
type Mistake = (m: VmiPcMachine, before: Snapshot) => unknown;

const ends = (text: string) => (): never => {
  throw new Error(text);
};

/** Mistakes by what the error says of them. */
const MISTAKES: readonly (readonly [text: string, mistake: Mistake])[] = [
  ["failed: no", ends("no")],
  ["failed: Maximum call stack", () => {
    const deep = (): number => 1 + deep();
    return deep();
  }],
  ["it threw a string", () => {
    // deno-lint-ignore no-throw-literal
    throw "a string";
  }],
  ["The machine is running already", (m) => m.run({ instructions: 10 })],
  ["The machine is running already", (m) => m.step()],
  ["snapshot() is not possible", (m) => m.snapshot()],
  ["restore() is not possible", (m, before) => m.restore(before)],
  ["reset() is not possible", (m) => m.reset()],
  ["boot() is not possible", (m) => m.boot(guests.minikernel())],
  ["cannot be injected now", (m) => m.paravirt.call("GetInterruptMask")],
];
/** Answers that are none. */
const NONSENSE: readonly (readonly [text: string, answer: unknown])[] = [
  ["is NaN", NaN],
  ["is Infinity", Infinity],
  ["is 0.5", 0.5],
  ["bits do not hold", 2n ** 64n],
  ["bits do not hold", -(2n ** 63n) - 1n],
  ["is null", null],
  ["is false", false],
  ["is a text", "a text"],
  ["is an object", { kill: 3 }],
  ["is an object", []],
  ["is a function", () => 0],
  ["is a symbol", Symbol("x")],
  ["a call waits for nobody", Promise.resolve(0)],
];

/** Calls of different kinds: 64-bit result, plain code in some ROMs, a store, no result. */
const CALLS: readonly ParavirtName[] = ["GetCycleCounter", "SetPxE", "WriteIDTEntry", "SetLazyMode"];

function place(m: VmiPcMachine, where: Place, name: ParavirtName, fn: () => unknown): () => void {
  if (where === "before") return m.paravirt.before(name, () => void fn());
  if (where === "after") return m.paravirt.after(name, () => void fn());
  return m.paravirt.override(name, fn as () => undefined);
}

conformance("mistakes", (on) => {
  const { candidate, engine } = on, told = on.unless(NO_CALLS);
  const finish = (m: VmiPcMachine): string => {
    const stop = m.run({ until: m.serial.contains("ready"), instructions: 20_000_000 });
    return `${stop.kind} ${m.hash()}`;
  };
  const kernel = (): VmiPcMachine => {
    const m = vmiPc({ backend: candidate.make(), engine });
    m.boot(guests.minikernel());
    m.run({ instructions: 20_000 });
    return m;
  };

  for (const where of ["before", "override", "after"] as const) {
    told.test(`a function ${where} that fails is an error that names the call, and nothing is lost`, () => {
      const m = kernel(), before = m.snapshot(), good = finish(m);
      const cases = where === "override"
        ? [...MISTAKES, ...NONSENSE.map(([text, answer]) => [text, (): unknown => answer] as const)]
        : MISTAKES;
      for (const [i, [text, mistake]] of cases.entries()) {
        const name = CALLS[i % CALLS.length] as ParavirtName;
        m.restore(before);
        const remove = place(m, where, name, () => mistake(m, before));
        const error = assertThrows(() => finish(m), ConfigError, text) as Error;
        assert(error.message.includes(name), error.message);
        remove();
        assertEquals(finish(m), good, `${name}, ${text}: the run goes on`);
        m.restore(before);
        assertEquals(finish(m), good, `${name}, ${text}: the run from the snapshot`);
      }
    });
  }
});
