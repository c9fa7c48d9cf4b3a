import { disassemble } from "../../../../lib/cpu/i386/disasm.ts";
import {
  ParavirtPciHeader,
  ParavirtPnpHeader,
  ParavirtProbe,
  ParavirtReloc,
  ParavirtRomHeader,
} from "../../../../lib/spec/paravirt_rom.ts";
import { PARAVIRT_CALL_COUNT, PARAVIRT_CALLS } from "../../../../lib/spec/paravirt_calls.ts";
import { PLANS } from "../../../../lib/vmi/paravirt/arguments.ts";
import { native } from "../../../../lib/vmi/paravirt/backends/native.ts";
import { scripted } from "../../../../lib/vmi/paravirt/backends/scripted.ts";
import { formatParavirtRom, listParavirtRom } from "../../../../lib/vmi/paravirt/listing.ts";
import { buildParavirtRom, type ParavirtRomOptions, STRIDE } from "../../../../lib/vmi/paravirt/rom.ts";
import { ConfigError, type Section, type SlotPlan, vmiPc } from "../../../../mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../../scripts/deps/std.ts";
import { tool } from "../../../guests/tool.ts";

Deno.test("PARAVIRT_CALLS is indexed by number and names are unique", () => {
  PARAVIRT_CALLS.forEach((row, n) => assertEquals(row.no, n));
  assertEquals(PARAVIRT_CALLS.length, PARAVIRT_CALL_COUNT);
  assertEquals(new Set(PLANS.map((p) => p.name)).size, PARAVIRT_CALL_COUNT + 2);
});

Deno.test("buildParavirtRom makes a header that every check of a guest accepts", () => {
  const { bytes } = buildParavirtRom(native(), { virtualTop: 0xfc000000, version: [1, 2] });
  const view = new DataView(bytes.buffer);
  const h = ParavirtRomHeader;
  assertEquals([...bytes.subarray(0, 2)], [0x55, 0xaa]);
  assertEquals(text(bytes, h.signature).slice(0, 4), "cVmi");
  assertEquals([bytes[h.apiMajor], bytes[h.apiMinor]], [3, 0]);
  assertEquals((bytes[h.length] ?? 0) * 512, bytes.length);
  assertEquals(bytes.length % ParavirtProbe.step, 0);
  assertEquals(bytes.reduce((sum, b) => sum + b, 0) & 0xff, 0);
  assertEquals(view.getUint32(h.virtualTop, true), 0xfc000000);
  assertEquals(text(bytes, view.getUint16(h.licence, true)), "GPL");
  const pci = view.getUint16(h.pci, true);
  assertEquals(text(bytes, pci).slice(0, 4), "PCIR");
  assertEquals(view.getUint16(pci + ParavirtPciHeader.vendor, true), 0x15ad);
  assertEquals(view.getUint16(pci + ParavirtPciHeader.device, true), 0x0801);
  assertEquals([bytes[pci + ParavirtPciHeader.romMajor], bytes[pci + ParavirtPciHeader.romMinor]], [1, 2]);
  const pnp = view.getUint16(h.pnp, true);
  assertEquals(text(bytes, pnp).slice(0, 4), "$PnP");
  const sum = bytes.subarray(pnp, pnp + ParavirtPnpHeader.bytes).reduce((a, b) => a + b, 0);
  assertEquals(sum & 0xff, 0);
  assertEquals(text(bytes, view.getUint16(pnp + ParavirtPnpHeader.manufacturer, true)), "vmikit");
});

Deno.test("buildParavirtRom answers SYSEXIT with a jump, IRET and the interrupt-flag calls with a call", () => {
  for (const backend of [native(), native({ hypercalls: false }), scripted()]) {
    const { slots } = buildParavirtRom(backend);
    for (const name of ["SYSEXIT"]) {
      assertEquals(slots.find((s) => s.name === name)?.reloc, ParavirtReloc.jumpRel);
    }
    for (const no of [29, 30, 31, 32]) assertEquals(slots[no]?.reloc, ParavirtReloc.callRel);
  }
});

Deno.test("buildParavirtRom plans all time calls or none", () => {
  for (const [hypercalls, want] of [[true, ParavirtReloc.callRel], [false, ParavirtReloc.none]] as const) {
    const { slots } = buildParavirtRom(native({ hypercalls }));
    for (let no = 66; no <= 71; no++) assertEquals(slots[no]?.reloc, want);
  }
});

Deno.test("buildParavirtRom refuses code longer than a slot", () => {
  const plan = { reloc: "call", trap: false, code: Array(STRIDE + 1).fill("90 | nop") } as const;
  assertThrows(() => buildParavirtRom({ name: "long", slot: () => plan }), Error, "plans 65 bytes for CPUID");
});

Deno.test("formatParavirtRom names each call once and lists its bytes", () => {
  const rom = buildParavirtRom(native());
  const listing = formatParavirtRom(rom, 0xc8000);
  assertStringIncludes(listing, "38 SetPxE CALL_REL\n   000c8b80  89 02 ");
  assertStringIncludes(listing, "63 APICWrite NONE\n64 APICRead NONE\n");
  for (const row of listParavirtRom(rom)) {
    assertEquals([...rom.bytes.subarray(row.address, row.address + row.bytes.length)], [...row.bytes]);
  }
});

Deno.test("every line of ROM code has the bytes that nasm gives its mnemonic", async (t) => {
  const nasm = await tool("nasm");
  await t.step({
    name: nasm.available ? nasm.version : nasm.reason,
    ignore: !nasm.available,
    fn: () => {
      if (!nasm.available) return;
      const rows = [native(), scripted()].flatMap((b) => listParavirtRom(buildParavirtRom(b)))
        .filter((r) => r.bytes.length > 0);
      // Forms with a choice of encodings are written as the ROM has them.
      const source = rows.map((r) => `times ($$-$)&15 db 0x90\n${spell(r.text)}`).join("\n");
      const folder = Deno.makeTempDirSync();
      try {
        Deno.writeTextFileSync(`${folder}/a.asm`, `bits 32\n${source}\n`);
        const args = ["-O0", "-f", "bin", "-o", `${folder}/a.bin`, `${folder}/a.asm`];
        const { success, stderr } = new Deno.Command(nasm.path, { args }).outputSync();
        assert(success, new TextDecoder().decode(stderr));
        const out = Deno.readFileSync(`${folder}/a.bin`);
        rows.forEach((r, i) => {
          assertEquals([...out.subarray(16 * i, 16 * i + r.bytes.length)], [...r.bytes], r.text);
        });
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
});

Deno.test("every line of ROM code is one instruction of the mnemonic it is said to be", () => {
  for (const row of listParavirtRom(buildParavirtRom(scripted())).filter((r) => r.bytes.length > 0)) {
    const { text, length } = disassemble(new Uint8Array(row.bytes), 0, row.bytes.length, row.address, true);
    assertEquals(length, row.bytes.length, row.text);
    const plain = (t: string): string =>
      t.replaceAll(/ (short|qword) /g, " ").replaceAll(", ", ",").replace("jne", "jnz");
    const target = /^(\w+) \$([+-]\d+)$/.exec(row.text);
    const want = target === null ? row.text : `${target[1]} 0x${(row.address + Number(target[2])).toString(16)}`;
    assertEquals(plain(text), plain(want));
  }
});

function spell(line: string): string {
  return line.replace(/^(j\w+) \$/, "$1 short $").replace(/^rep (\w+)w$/, "rep $1w")
    .replace(/^((?:cmp|add) \w+, )(0x4a|\d)$/, "$1byte $2")
    .replace(/^(movzx|lea)(.*)\[/, "$1$2[dword ").replace(/\[dword ecx\+eax/, "[dword ecx+eax");
}

function text(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
}

Deno.test("buildParavirtRom refuses options that no ROM can have", () => {
  const wrong: readonly (readonly [text: string, options: object])[] = [
    ["virtualTop cannot be -1", { virtualTop: -1 }],
    ["virtualTop cannot be NaN", { virtualTop: NaN }],
    ["virtualTop cannot be 0xfc000123", { virtualTop: 0xfc000123 }],
    ["virtualTop cannot be 0x100000000", { virtualTop: 2 ** 32 }],
    ["api cannot be [300,0]", { api: [300, 0] }],
    ["api cannot be 3", { api: 3 }],
    ["version cannot be [1,2,3]", { version: [1, 2, 3] }],
    ["licence cannot be 5", { licence: 5 }],
    ['licence cannot be "GPL\\u0000 v2"', { licence: "GPL\0 v2" }],
    ["shorten its strings", { manufacturer: "x".repeat(70_000) }],
    ["shorten its strings", { product: "x".repeat(130_000) }],
  ];
  for (const [text, options] of wrong) {
    assertThrows(() => buildParavirtRom(native(), options as ParavirtRomOptions), ConfigError, text);
  }
  // A long last string does not move what has to be found.
  const rom = buildParavirtRom(native(), { product: "x".repeat(70_000) });
  assertEquals(rom.bytes.reduce((sum, b) => sum + b, 0) & 0xff, 0);
  assertThrows(() => vmiPc({ rom: { virtualtop: 0 } as object }), ConfigError, 'did you mean "virtualTop"');
});

Deno.test("buildParavirtRom refuses plans that are none", () => {
  const wrong: readonly (readonly [text: string, plan: unknown])[] = [
    ['"reloc" is undefined', undefined],
    ['"reloc" is foo', { reloc: "foo" }],
    ['"trap" is yes', { reloc: "call", trap: "yes", code: ["c3 | ret"] }],
    ['"code" must be a list', { reloc: "call", trap: false, code: "c3 | ret" }],
    ['"code" must be a list', { reloc: "call", trap: true, code: [] }],
    ['"c3" is no line of code', { reloc: "call", trap: false, code: ["c3"] }],
    ['"1ff | ret" is no line', { reloc: "jump", trap: false, code: ["1ff | ret"] }],
    ['"42" is no line', { reloc: "call", trap: false, code: [42] }],
  ];
  for (const [text, plan] of wrong) {
    const slot = (name: string): SlotPlan => name === "GetCR2" ? plan as SlotPlan : { reloc: "none" };
    const error = assertThrows(() => buildParavirtRom({ name: "mine", slot }), ConfigError, text) as Error;
    assert(error.message.startsWith("Backend mine has no plan for GetCR2"), error.message);
  }
});

Deno.test("Paravirt.save refuses a backend that saves nothing", () => {
  for (const section of [undefined, null, {}, { version: 1 }]) {
    const m = vmiPc({ backend: { ...native(), save: () => section as unknown as Section } });
    assertThrows(() => m.snapshot(), ConfigError, "Backend native saves no state");
  }
});
