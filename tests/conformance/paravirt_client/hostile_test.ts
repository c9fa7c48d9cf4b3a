/**
 * ROMs that a script has spoilt: headers, entries, answers and code of every wrong kind. The client ends as a kernel would,
 * the host stays whole, and a snapshot from before is as good as ever.
 */
import { native, type ParavirtBackend, Prng, shadow, type StopReason, type VmiPcMachine } from "../../../mod.ts";
import { ParavirtRomHeader } from "../../../lib/spec/paravirt_rom.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { Bug } from "./activation.ts";
import { type Client, makeClient, readJournal } from "./client.ts";
import { program } from "./program.ts";
import { type Config, RELEASES } from "./releases.ts";

const ROM = 0xc8000;
const ENDS: readonly StopReason["kind"][] = ["halt", "budget", "fault", "killed", "reset", "power-off"];
const { init, getReloc, length, virtualTop, licence, pci, pnp } = ParavirtRomHeader;

/** Spoils a ROM's image. */
type Spoil = (bytes: Uint8Array, view: DataView) => void;
type Ends = Omit<Client, "recorded">;

const config: Config = {
  release: RELEASES.find((r) => r.name === "2.6.32") ?? RELEASES[0],
  pae: false,
  localApic: true,
  largePages: true,
};

/** A JMP at one of the two entries. */
const jump = (at: number, to: number): Spoil => (bytes, view) => {
  bytes[at] = 0xe9;
  view.setInt32(at + 1, to - at - 5, true);
};
/** GetRelocationInfo answers everything with this. */
const answer = (eax: number, edx: number): Spoil => (bytes, view) => {
  const at = bytes.length - 32;
  jump(getReloc, at)(bytes, view);
  bytes.set([0xb8, 0, 0, 0, 0, 0xba, 0, 0, 0, 0, 0xc3], at);
  view.setUint32(at + 1, eax >>> 0, true);
  view.setUint32(at + 6, edx >>> 0, true);
};

/** Spoilt so that nobody may notice. */
const HARMLESS: Readonly<Record<string, Spoil>> = {
  "a checksum that is wrong": (bytes) => bytes[bytes.length - 1] ^= 0x55,
  "a length of one unit": (bytes) => bytes[length] = 1,
  "a length of 255 units": (bytes) => bytes[length] = 255,
  "no manufacturer and no product": (_, view) => view.setUint16(pnp, 0, true),
};
/** Spoilt so that a kernel leaves it alone, and goes on natively. */
const REFUSED: Readonly<Record<string, Spoil>> = {
  "a licence beyond its end": (_, view) => view.setUint16(licence, 0xffff, true),
  "a licence that has no end": (bytes, view) => bytes.fill(0x47, view.getUint16(licence, true)),
  "no PCI structure": (_, view) => view.setUint16(pci, 0, true),
  "an entry that fails": (bytes) => bytes.set([0x83, 0xc8, 0xff, 0xc3], init),
};
/** Spoilt so that a kernel that uses it comes to harm. */
const HARMFUL: Readonly<Record<string, Spoil>> = {
  "a first entry that leads nowhere": jump(init, 0x7000000),
  "a first entry that is no code": (bytes) => bytes.fill(0xff, init, init + 8),
  "a first entry that never comes back": (bytes) => bytes.set([0xeb, 0xfe], init),
  "a first entry that leaves the interrupt flag on": (bytes) => bytes.set([0xfb, 0x31, 0xc0, 0xc3], init),
  "a second entry that leads nowhere": jump(getReloc, 0x7000000),
  "a second entry that calls itself": jump(getReloc, getReloc),
  "answers that lead to 0": answer(0, 1),
  "answers that lead to the end of the address space": answer(0xffffffff, 1),
  "answers that lead into the kernel": answer(0xc0100000, 1),
  "answers that lead to the hypervisor": answer(0xc0000000 + 0x7c000000, 1),
  "answers of a type that there is not": answer(0xc00c8200, 4),
  "answers with every bit set": answer(0xffffffff, 0xffffffff),
  "answers with the reserved bits set": answer(0xc00c8200, 0xffffff01),
  "all answers NONE": answer(0, 0),
  "all answers NOP": answer(0, 3),
  "a hole over all of the kernel": (_, view) => view.setUint32(virtualTop, 0xc0000000, true),
  "a hole over everything": (_, view) => view.setUint32(virtualTop, 0x1000, true),
  "a hole that is no page": (_, view) => view.setUint32(virtualTop, 0xfc000123, true),
  "slots full of hypercalls": (bytes) => {
    for (let at = 0x200; at + 3 <= 0x1400; at += 3) bytes.set([0x0f, 0x01, 0xc1], at);
  },
  "slots that fall through into each other": (bytes) => bytes.fill(0x90, 0x200, 0x1400),
  "slots that do nothing": (bytes) => bytes.fill(0xc3, 0x200, 0x1400),
  "a ROM that is one byte long": (bytes) => bytes.fill(0xff, 1),
};

const BACKENDS: Readonly<Record<string, () => ParavirtBackend>> = { native, shadow };

/** A machine with a spoilt ROM in place of the backend's. */
function spoilt(make: () => ParavirtBackend, engine: "interpreter" | "jit", spoil: Spoil): VmiPcMachine {
  const m = makeClient(make(), config, { engine }), bytes = m.paravirt.rom.bytes.slice();
  spoil(bytes, new DataView(bytes.buffer));
  m.poke(ROM, bytes);
  return m;
}

function finish(m: VmiPcMachine): Ends {
  const stop = m.run({ instructions: 5_200_000 });
  assert(ENDS.includes(stop.kind), JSON.stringify(stop));
  return { ...readJournal(m, program(config)), stop };
}

/** Both engines, and the run from a snapshot of before, come to the same end. */
function both(make: () => ParavirtBackend, spoil: Spoil): Ends {
  const ends = (["interpreter", "jit"] as const).map((engine) => {
    const m = spoilt(make, engine, spoil), before = m.snapshot(), end = finish(m), hash = m.hash();
    m.restore(before);
    finish(m);
    assertEquals(m.hash(), hash);
    return { end, hash };
  });
  assertEquals(ends[0]?.hash, ends[1]?.hash);
  return (ends[0] as (typeof ends)[number]).end;
}
/** What the client says of the ROM beyond what a kernel looks at. */
const MORE = /^(sum of the ROM's bytes|length in the PCI structure|PnP signature)/;
const outcome = (c: Ends): unknown[] => [
  c.stop.kind,
  c.variable("stage"),
  c.variable("active"),
  c.failures.filter((text) => !MORE.test(text)),
];

for (const [name, make] of Object.entries(BACKENDS)) {
  for (const [what, spoil] of Object.entries(HARMLESS)) {
    Deno.test(`client on ${name}, a ROM with ${what}: it is used all the same`, () => {
      assertEquals(outcome(both(make, spoil)), ["halt", 100, 1, []]);
    });
  }
  for (const [what, spoil] of Object.entries(REFUSED)) {
    Deno.test(`client on ${name}, a ROM with ${what}: the kernel goes on without`, () => {
      assertEquals(outcome(both(make, spoil)), ["halt", 100, 0, []]);
    });
  }
  for (const [what, spoil] of Object.entries(HARMFUL)) {
    Deno.test(`client on ${name}, a ROM with ${what}: the guest has the harm`, () => {
      const c = both(make, spoil);
      if (what === "all answers NONE") {
        assert(c.faults.some((f) => f.eip === 0x0badbab0), "the poison in place of IRET");
      }
      if (what.startsWith("answers of a type")) assertEquals(c.variable("bug"), Bug.badSite);
    });
  }

  Deno.test(`client on ${name}: ROMs with random bytes in their slots`, () => {
    const ends = new Set<string>();
    for (let seed = 1; seed <= 12; seed++) {
      const c = both(make, (bytes) => {
        const random = new Prng(seed);
        for (let at = 0x200; at < 0x1480; at++) if (random.below(1 << seed) === 0) bytes[at] = random.below(256);
      });
      ends.add(`${c.stop.kind} ${c.variable("stage")}`);
    }
    assert(ends.size > 2, [...ends].join());
  });
}
