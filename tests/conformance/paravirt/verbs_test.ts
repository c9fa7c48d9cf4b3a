/** What a script may do to a call of the guest, a test a verb: observe, answer, change, fail, delay, repeat, reorder. */
import { ConfigError, type StopReason, type VmiPcMachine } from "../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import type { ParavirtCall } from "../../../lib/vmi/paravirt/backend.ts";
import { FREE_TABLE, type Kit, type Rogue, rogue, TICKS } from "./rogue.ts";
import { conformance, NO_CALLS } from "./suite.ts";

const ended = (stop: StopReason): string => stop.kind === "killed" ? `${stop.code} ${stop.call}` : stop.kind;
const word = (r: Rogue, at: number): number => new DataView(r.m.peek(at, 4).buffer).getUint32(0, true);

/** SetPxE of one entry of the free table, which maps linear 0x40000000 on. */
const set = (k: Kit, index: number, frame: number, flags: number): string =>
  `mov eax, ${frame + 7}\nmov edx, ${FREE_TABLE + 4 * index}\nmov ecx, ${flags}\n${k.call("SetPxE")}`;
const lazy = (k: Kit, mode: number): string => `mov eax, ${mode}\n${k.call("SetLazyMode")}`;
const MARKS = `mov dword [0x300000], 0x11111111\nmov dword [0x301000], 0x22222222`;

conformance("verbs", (on) => {
  const { candidate, engine } = on, told = on.unless(NO_CALLS);
  const run = (body: (k: Kit) => string, prepare: (m: VmiPcMachine) => void): Rogue =>
    rogue(candidate, body, { engine, prepare });

  told.test("observe: before and after see every call with arguments, result, place and CPU, and change nothing", () => {
    const body = (k: Kit): string =>
      `${MARKS}\n${set(k, 0, 0x300000, 0x40000011)}\nmov eax, [0x40000000]\n${k.store(0)}\n${k.call("GetCR3")}\n${
        k.store(1)
      }`;
    const seen: string[] = [];
    const r = run(body, (m) => {
      m.paravirt.before("SetPxE", ({ args, cpu }) => seen.push(`SetPxE ${args.pte} ${args.ptep} ${args.flags} ${cpu}`));
      m.paravirt.after("GetCR3", (call, result) => seen.push(`${call.name} ${result} ${call.from > 0x10000}`));
    });
    const unseen = run(body, () => {});
    assertEquals(seen, [`SetPxE ${0x300007} ${FREE_TABLE} ${0x40000011} 0`, `GetCR3 ${r.result(1)} true`]);
    assertEquals([ended(r.stop), r.result(0), r.m.hash()], ["halt", 0x11111111, unseen.m.hash()]);
  });

  told.test("answer: an override's result is the guest's, the backend is not asked, and a remover takes it back", () => {
    const r = run(
      (k) => `${k.call("GetCR3")}\n${k.store(0)}\n${k.call("GetCR3")}\n${k.store(1)}`,
      (m) => {
        const remove = m.paravirt.override("GetCR3", () => {
          remove();
          return 0x12345;
        });
      },
    );
    assertEquals([ended(r.stop), r.result(0), r.result(1)], ["halt", 0x12345, 0x40000]);
  });

  told.test("change: a call is forwarded with other arguments, and its result is given on", () => {
    const r = run(
      (k) =>
        `${MARKS}\n${set(k, 0, 0x300000, 1)}\nmov eax, [0x40000000]\n${k.store(0)}
        mov eax, 2\n${k.call("GetCycleCounter")}\n${k.store(1)}`,
      (m) => {
        m.paravirt.override("SetPxE", (call) => call.forward({ pte: 0x301007 }));
        m.paravirt.override("GetCycleCounter", (call) => call.forward({ counter: 99 }));
      },
    );
    assertEquals([ended(r.stop), r.result(0), r.result(1)], ["halt", 0x22222222, 0]);
  });

  told.test("fail: lost, refused, or a fault of the guest at the call", () => {
    const body = (k: Kit): string => k.attempt(set(k, 0, 0x300000, 1));
    const lost = run(body, (m) => m.paravirt.override("SetPxE", () => undefined));
    assertEquals([ended(lost.stop), word(lost, FREE_TABLE)], ["halt", 0]);
    for (const how of ["before", "override"] as const) {
      const refused = run(body, (m) => {
        if (how === "before") m.paravirt.before("SetPxE", (call) => call.kill("page-table"));
        else m.paravirt.override("SetPxE", () => ({ kill: "page-table" }));
      });
      assertEquals([ended(refused.stop), word(refused, FREE_TABLE)], ["page-table SetPxE", 0]);
    }
    const faulted = run(
      body,
      (m) => m.paravirt.override("SetPxE", (call) => call.guest.raise({ vector: 13, errorCode: 0x1234, linear: 0 })),
    );
    const at = faulted.m.paravirt.base + (faulted.m.paravirt.rom.slots[38]?.at ?? 0);
    assertEquals(ended(faulted.stop), "halt");
    assertEquals(faulted.faults.map((f) => [f.vector, f.errorCode, f.eip]), [[13, 0x1234, at]]);
    assertEquals(word(faulted, FREE_TABLE), 0);
  });

  told.test("delay: virtual time passes before the call goes on", () => {
    const body = (k: Kit): string =>
      `rdtsc\nmov ebx, eax\n${set(k, 0, 0x300000, 1)}\nrdtsc\nsub eax, ebx\n${k.store(0)}`;
    const plain = run(body, () => {});
    const late = run(body, (m) => m.paravirt.before("SetPxE", (call) => call.delay(1_000_000)));
    assertEquals(late.result(0) - plain.result(0), 1_000_000);
    assertEquals(word(late, FREE_TABLE), word(plain, FREE_TABLE));
    // An alarm that is due in the meantime comes once the call has its answer.
    const due = (k: Kit): string => `
      mov dword [${FREE_TABLE}], 0xfee00013
      mov dword [0x400000f0], 0x1ff
      mov dword [0x40000320], 0x31
      xor eax, eax
      ${k.call("GetCycleCounter")}
      mov ecx, edx
      mov edx, eax
      add edx, 500000
      push dword 0
      push dword 0
      mov eax, 0x10000
      ${k.call("SetAlarm")}
      add esp, 8
      ${k.call("EnableInterrupts")}
      ${set(k, 2, 0x300000, 1)}
      nop
      ${k.call("DisableInterrupts")}
      mov eax, [${TICKS}]
      ${k.store(0)}`;
    assertEquals(run(due, () => {}).result(0), 0);
    assertEquals(run(due, (m) => m.paravirt.before("SetPxE", (call) => call.delay(1_000_000))).result(0), 1);
  });

  told.test("repeat: a call is done twice, and the second time counts as the first", () => {
    const forwarded: unknown[] = [];
    const r = run(
      (k) =>
        `${MARKS}\n${set(k, 0, 0x300000, 1)}\nmov eax, [0x40000000]\n${k.store(0)}\n${set(k, 0, 0x301000, 1)}
        mov eax, 0x40000000\n${k.call("InvalPage")}\nmov eax, [0x40000000]\n${k.store(1)}`,
      (m) =>
        m.paravirt.override("SetPxE", (call) => {
          forwarded.push(call.forward());
          return call.forward();
        }),
    );
    assertEquals([ended(r.stop), r.result(0), r.result(1)], ["halt", 0x11111111, 0x22222222]);
    assertEquals(forwarded, [undefined, undefined]);
  });

  told.test("reorder: updates of a lazy mode are held, and done backwards when the mode ends", () => {
    const body = (k: Kit): string => `
      ${MARKS}
      ${lazy(k, 1)}
      ${set(k, 0, 0x300000, 0x40000031)}
      ${set(k, 0, 0x301000, 0x40000031)}
      ${set(k, 1, 0x301000, 0x40001031)}
      mov eax, [${FREE_TABLE}]
      ${k.store(0)}
      ${lazy(k, 0)}
      mov eax, [0x40000000]
      ${k.store(1)}
      mov eax, [0x40001000]
      ${k.store(2)}`;
    const hold = (order: (held: ParavirtCall[]) => ParavirtCall[]) => (m: VmiPcMachine): void => {
      const held: ParavirtCall[] = [];
      m.paravirt.override("SetPxE", (call) => {
        held.push(call as unknown as ParavirtCall);
        return undefined;
      });
      m.paravirt.before("SetLazyMode", ({ args }) => {
        if (args.mode === 0) { for (const call of order(held.splice(0))) call.forward(); }
      });
    };
    const plain = run(body, () => {}), late = run(body, hold((h) => h)), back = run(body, hold((h) => h.reverse()));
    for (const r of [plain, late, back]) assertEquals(ended(r.stop), "halt");
    assertEquals([1, 2].map((n) => plain.result(n)), [0x22222222, 0x22222222]);
    assertEquals([0, 1, 2].map((n) => late.result(n)), [0, 0x22222222, 0x22222222]);
    assertEquals([0, 1, 2].map((n) => back.result(n)), [0, 0x11111111, 0x22222222]);
  });

  told.test("wrong use of a verb is the script's error, and names the call", () => {
    const wrong: readonly (readonly [string, (m: VmiPcMachine) => void])[] = [
      ["Cannot delay GetCR3 by -1 ticks", (m) => m.paravirt.before("GetCR3", (call) => call.delay(-1))],
      ["Cannot delay GetCR3 by 0.5 ticks", (m) => m.paravirt.before("GetCR3", (call) => call.delay(0.5))],
      ['GetCR3 has no argument "x"', (m) => m.paravirt.override("GetCR3", (call) => call.forward({ x: 1 }))],
      ["IRET does not return", (m) => m.paravirt.before("IRET", (call) => void call.forward())],
      ["The machine is running already", (m) => m.paravirt.before("GetCR3", () => void m.run({ instructions: 1 }))],
      ["no", (m) =>
        m.paravirt.override("GetCR3", () => {
          throw new Error("no");
        })],
      ["The answer to GetCR3 is 1.5", (m) => m.paravirt.override("GetCR3", () => 1.5)],
      ["The answer to GetCR3 is NaN", (m) => m.paravirt.override("GetCR3", () => NaN)],
      ["which 32 bits do not hold", (m) => m.paravirt.override("GetCR3", () => 2 ** 32)],
      ["which 32 bits do not hold", (m) => m.paravirt.override("GetCR3", () => -(2n ** 40n))],
      ["is a text", (m) => m.paravirt.override("GetCR3", () => "a text" as unknown as number)],
      ["is null", (m) => m.paravirt.override("GetCR3", () => null as unknown as number)],
      ["is true", (m) => m.paravirt.override("GetCR3", () => true as unknown as number)],
      ["is an object", (m) => m.paravirt.override("GetCR3", () => ({ value: 3 }) as unknown as number)],
      ["a call waits for nobody", (m) => m.paravirt.override("GetCR3", (() => Promise.resolve(3)) as () => never)],
    ];
    for (const [text, prepare] of wrong) {
      let m: VmiPcMachine | undefined;
      const body = (k: Kit): string =>
        `mov edi, 77\n${k.call("GetCR3")}\n${k.store(0)}\n${k.user("in_user")}\nin_user:\nint 0x80`;
      const error = assertThrows(
        () =>
          run(body, (made) => {
            m = made;
            prepare(made);
          }),
        ConfigError,
        text,
      );
      assert(/GetCR3|IRET/.test((error as Error).message), (error as Error).message);
      // The guest stands at the call, which is not answered; without the function it goes on as ever.
      if (m === undefined || text.startsWith("IRET")) continue;
      assertEquals(m.cpu.get("edi"), 77);
      const name = m.paravirt.base + (m.paravirt.rom.slots[21]?.at ?? 0);
      assertEquals(m.cpu.eip, name, text);
    }
  });

  told.test("a hypercall hook answers before the override, and nonsense of its own is the script's error", () => {
    const body = (k: Kit): string => `${k.call("GetCR3")}\n${k.store(0)}`;
    const r = run(body, (m) => {
      m.hooks.onHypercall("GetCR3", (event) => {
        if (event.phase === "before") event.result = 5;
      });
      m.paravirt.override("GetCR3", () => 6);
    });
    assertEquals(r.result(0), 5);
    for (const phase of ["before", "after"]) {
      assertThrows(
        () =>
          run(body, (m) =>
            m.hooks.onHypercall("GetCR3", (event) => {
              if (event.phase === phase) event.result = 0.5;
            })),
        ConfigError,
        "GetCR3",
      );
    }
  });
});
