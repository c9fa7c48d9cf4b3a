/** Probe, activation, patching and the first calls of each kernel release, on each backend. */
import { ParavirtReloc } from "../../../lib/spec/paravirt_rom.ts";
import { PARAVIRT_CALLS } from "../../../lib/spec/paravirt_calls.ts";
import { DEFAULT_EPOCH } from "../../../lib/vmi/paravirt/time.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { Bug } from "./activation.ts";
import { CLIENT_CANDIDATES, type ClientCandidate, sitesMissed, unexpected } from "./candidates.ts";
import { type Client, type MadeCall, no, runClient, type RunOptions } from "./client.ts";
import { lin, PAGE_OFFSET } from "./head.ts";
import { queries } from "./queries.ts";
import { type Config, RELEASES } from "./releases.ts";

const ROM = 0xc8000;
/** Calls that do not come back: the client does not make them through its check. */
const GONE: readonly number[] = [no("IRET"), no("SYSEXIT")];

/** Hashes of the machines after the runs on the interpreter, recorded, by title. */
const hashes = new Map<string, string>();

function run(candidate: ClientCandidate, config: Config, options: RunOptions = {}): Client {
  const rom = candidate.bare === true ? { licence: "none" } : {};
  return runClient(candidate.make(), config, { ...options, rom });
}

/** Relocation type of a call in the machine's ROM. */
function reloc(c: Client, call: number): number {
  return c.m.paravirt.rom.slots[call]?.reloc ?? -1;
}

for (const [name, candidate] of Object.entries(CLIENT_CANDIDATES)) {
  for (const release of RELEASES) {
    for (const pae of [false, true]) {
      const config: Config = { release, pae, localApic: true, largePages: true };
      const title = `client ${release.name}${pae ? " PAE" : ""} on ${name}`;

      Deno.test(`${title}: comes to its end, every register and value as promised`, () => {
        const c = run(candidate, config, { record: true });
        // The site that saves and disables takes nothing but two calls: the kernel stops.
        if (
          release.saveAndDisable && reloc(c, no("GetInterruptMask")) === ParavirtReloc.none && candidate.bare !== true
        ) {
          return assertEquals([c.stop.kind, c.variable("bug"), c.failures], ["halt", Bug.combined, []]);
        }
        const failures = unexpected(candidate, c.failures);
        assertEquals([c.stop.kind, c.variable("bug"), failures, c.variable("stage")], ["halt", 0, [], 100]);
        assertEquals(sitesMissed(c.failures), candidate.siteUnknown === undefined ? 0 : 4, "IRET at its site");
        assert(c.variable("ck_count") > 1000, "checks were made");
        assertEquals([c.variable("active"), c.variable("kernel_rpl")], [
          candidate.bare === true ? 0 : 1,
          candidate.ring,
        ]);
        assertEquals([c.variable("unknown_types"), c.variable("changed_answers")], [0, 0]);
        hashes.set(title, c.m.hash());
        if (candidate.bare === true) return;
        answersAreUsable(c, config);
        sitesArePatched(c);
        callsAreSeen(c);
        if (reloc(c, no("GetCycleFrequency")) !== ParavirtReloc.none) wallClock(c);
      });

      Deno.test(`${title}: the same state in the end when translated, and when nobody watches`, () => {
        const watched = hashes.get(title) ?? run(candidate, config, { record: true }).m.hash();
        assertEquals(run(candidate, config, { engine: "jit" }).m.hash(), watched);
      });
    }
  }
}

/** The queries came in order; each answer is one that a kernel can do something with. */
function answersAreUsable(c: Client, config: Config): void {
  const timer = reloc(c, no("GetCycleFrequency")) !== ParavirtReloc.none;
  const expected = queries(config).filter((q) => timer || q.use !== "timerFunction").map((q) => no(q.name));
  assertEquals(c.answers.map((a) => a.no), expected);
  for (const { no: call, address, edx } of c.answers) {
    const slot = c.m.paravirt.rom.slots[call];
    assertEquals(edx, slot?.reloc, `type of call ${call}, reserved bits 0`);
    if (edx === ParavirtReloc.none || edx === ParavirtReloc.nop) continue;
    assertEquals(address, lin(ROM) + (slot?.at ?? -1), `address of call ${call}: linear, as the guest sees the ROM`);
  }
}

/** Every site holds what a kernel's patcher makes of the answer. */
function sitesArePatched(c: Client): void {
  for (const { label, calls, bytes } of c.program.kit.sites) {
    const at = c.program.labels.get(label) ?? -1, there = [...c.m.peek(at - PAGE_OFFSET, bytes)];
    const types = calls.map((call) => reloc(c, no(call)));
    if (types[0] === ParavirtReloc.none) {
      const offset = at - (c.program.labels.get("start") ?? 0);
      assertEquals(there, [...c.program.bytes.subarray(offset, offset + bytes)], `${label} is left as it was`);
      continue;
    }
    const made = types.flatMap((type, i) => {
      const target = lin(ROM) + (c.m.paravirt.rom.slots[no(calls[i] ?? "IRET")]?.at ?? 0);
      const relative = new Uint8Array(new Int32Array([target - (at + 5 * i + 5)]).buffer);
      return type === ParavirtReloc.nop ? [] : [type === ParavirtReloc.callRel ? 0xe8 : 0xe9, ...relative];
    });
    while (made.length < bytes) made.push(0x90);
    assertEquals(there, made, `${label}, ${calls.join(" and ")}`);
  }
  const forms = new Set(c.program.kit.sites.map((s) => s.bytes));
  assert(forms.has(7) && forms.has(c.program.kit.config.release.siteInC), [...forms].join());
}

/** The wall clock was that of the machine: its date at power-on, and the virtual time since. */
function wallClock(c: Client): void {
  const at = c.program.labels.get("wall") ?? 0, view = new DataView(c.m.peek(at - PAGE_OFFSET, 8).slice().buffer);
  const since = Number(view.getBigUint64(0, true) - DEFAULT_EPOCH) / 1e9;
  assert(since > 0 && since < 1, `${since} seconds since power-on`);
}

/** What the host has recorded is what the client has made: calls, order, arguments, results. */
function callsAreSeen(c: Client): void {
  const at = (label: string): number => c.program.labels.get(label) ?? 0;
  const handlers = [["handlers_start", "handlers_end"], ["demand_user", "demand_leave"]].map((l) => l.map(at));
  const both = c.program.kit.sites.filter((s) => s.calls.length > 1).map((s) => c.program.labels.get(s.label) ?? 0);
  const inHandler = (from: number): boolean => handlers.some(([start = 0, end = 0]) => from >= start && from < end);
  // The second call of a site that makes two is the site's own, the client has asked for the first.
  const second = (from: number): boolean => both.includes(from - 10);
  const seen = c.recorded.filter((e) => !inHandler(e.from) && !second(e.from) && !GONE.includes(e.no));
  const began = seen.findIndex((e) => e.no === no("Init"));
  // A ROM that never traps is not found by the host: there is nothing to compare.
  if (began < 0) return assertEquals(Object.keys(c.m.paravirt.stats().calls), []);
  const asked = new Set(c.answers.map((a) => a.no));
  const made = c.calls.filter((call) =>
    call.no >= PARAVIRT_CALLS.length || (asked.has(call.no) && hasCode(c, call.no))
  );
  const host = seen.slice(began).map((e) => {
    const args = Object.values(e.args).flatMap((v) =>
      typeof v === "bigint" ? [Number(v & 0xffffffffn), Number(v >> 32n)] : [v]
    );
    const result = typeof e.result === "bigint"
      ? [Number(e.result & 0xffffffffn), Number(e.result >> 32n)]
      : [e.result ?? ""];
    return `${e.no} (${args.join()}) ${result.join()}`;
  });
  const client = made.map((call) => `${call.no} (${argumentsOf(call).join()}) ${resultOf(call).join()}`);
  const different = client.findIndex((line, i) => line !== host[i]);
  assertEquals([different, host[different], host.length], [-1, client[different], client.length]);
}

/** Argument words of a call in the table's order. */
function argumentsOf(call: MadeCall): number[] {
  const words: Readonly<Record<string, number>> = {
    ...{ eax: call.eax, ecx: call.ecx, edx: call.edx, stack0: call.stack[0], stack1: call.stack[1] },
  };
  if (call.no === no("GetRelocationInfo")) return [call.eax];
  return (PARAVIRT_CALLS[call.no]?.args ?? []).flatMap((text) => (text.split("@")[1] ?? "").split(","))
    .map((place) => words[place] ?? -1);
}

function resultOf(call: MadeCall): (number | string)[] {
  const result = call.no === no("Init") ? "eax" : PARAVIRT_CALLS[call.no]?.result ?? "edx:eax";
  if (result === "edx:eax") return [call.resultEax, call.resultEdx];
  return [result === "eax" || result === "eax:ebx:ecx:edx" ? call.resultEax : ""];
}

function hasCode(c: Client, call: number): boolean {
  const type = reloc(c, call);
  return type === ParavirtReloc.callRel || type === ParavirtReloc.jumpRel;
}
