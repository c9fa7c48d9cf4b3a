/** What calls and memory mean to a guest, the same on every backend. */
import { ConfigError } from "../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import {
  DIRECTORY,
  FREE_TABLE,
  type Kit,
  RESULTS,
  type Rogue,
  rogue,
  type RogueOptions,
  TABLE,
  TICKS,
} from "./rogue.ts";
import { conformance, NO_CALLS } from "./suite.ts";

const GP = 13, PF = 14, NP = 11, SS = 12;
const word = (r: Rogue, at: number): number => new DataView(r.m.peek(at, 4).buffer).getUint32(0, true);

conformance("semantics", (on) => {
  const { candidate, engine } = on;
  const run = (body: (kit: Kit) => string, options: RogueOptions = {}): Rogue => {
    const r = rogue(candidate, body, { engine, ...options });
    assertEquals(r.stop.kind, "halt", JSON.stringify(r.stop));
    return r;
  };

  // An IRET of the guest's own is its own site.
  on.unless(NO_CALLS).test("a faulting IRET is reported at the site of the call, below the frame", () => {
    const frames: readonly [string, number, number][] = [
      ["push dword 0x7b\npush dword 0x9f00\npush dword 0x202\npush dword 0x7b\npush dword 0x5000", GP, 0x78],
      ["push dword 0x7b\npush dword 0x9f00\npush dword 0x202\npush dword 0\npush dword 0x5000", GP, 0],
      ["push dword 0x68\npush dword 0x9f00\npush dword 0x202\npush dword 0x73\npush dword 0x5000", GP, 0x68],
      ["push dword 0x7b\npush dword 0x9f00\npush dword 0x202\npush dword 0x93\npush dword 0x5000", NP, 0x90],
      ["push dword 0x93\npush dword 0x9f00\npush dword 0x202\npush dword 0x73\npush dword 0x5000", SS, 0x90],
    ];
    for (const [frame, vector, errorCode] of frames) {
      const absent = vector === NP ? 0x00cf7a00 : 0x00cf7200; // entry 18: not present
      const r = run((k) => `
        mov dword [gdt+18*8], 0xffff
        mov dword [gdt+18*8+4], ${absent}
        mov esp, 0x8f00
        mov eax, site
        ${k.store(0)}
        mov dword [resume], caught
        ${frame}
        site:
        ${k.call("IRET")}
        caught:
        mov [0x8004], esp
      `);
      assertEquals(r.faults.map((f) => [f.vector, f.errorCode, f.eip]), [[vector, errorCode, r.result(0)]]);
      assertEquals(r.result(1), 0x8f00 - 20);
    }
  });

  on.test("IRET and INT go to ring 3 and back with flags, selectors and the kernel's stack", () => {
    const r = run((k) => `
      mov eax, 0x68
      mov edx, 0xa800
      mov dword [tss+4], 0xa800
      ${k.call("UpdateKernelStack")}
      mov eax, in_kernel
      mov [idt+0x80*8], ax
      ${k.user("in_user", 0xac3)}
      in_user:
      pushfd
      pop ebx
      mov ecx, esp
      mov edx, ss
      int 0x80
      in_kernel:
      ${k.store(0, "ebx")}
      ${k.store(1, "ecx")}
      ${k.store(2, "edx")}
      ${k.store(3, "esp")}
      mov eax, [esp+4]
      ${k.store(4)}
      mov eax, [esp+8]
      ${k.store(5)}
      mov eax, [esp+16]
      ${k.store(6)}
      ${k.call("GetInterruptMask")}
      and eax, 0x200
      ${k.store(7)}
    `);
    assertEquals(r.result(0) & 0xfff, 0xac3); // CF, SF, ZF, IF, OF as in the image
    assertEquals([1, 2, 3, 4, 6, 7].map((n) => r.result(n)), [0x9f00, 0x7b, 0xa800 - 20, 0x73, 0x7b, 0]);
    assertEquals(r.result(5) & 0x200, 0x200);
  });

  on.test("accessed and dirty bits appear in the guest's entries", () => {
    const r = run((k) => `
      mov eax, 0x300007
      mov edx, ${FREE_TABLE}
      mov ecx, 0x40000011
      ${k.call("SetPxE")}
      mov eax, [0x40000000]
      mov eax, [${FREE_TABLE}]
      ${k.store(0)}
      mov dword [0x40000000], 5
      mov eax, [${FREE_TABLE}]
      ${k.store(1)}
      mov eax, [${DIRECTORY + 0x400}]
      ${k.store(2)}
      lock and dword [${FREE_TABLE}], 0xffffff9f
      mov eax, ${FREE_TABLE}
      mov edx, 0x40000031
      ${k.call("UpdatePxE")}
      mov eax, 0x40000000
      ${k.call("InvalPage")}
      mov eax, [0x40000000]
      mov eax, [${FREE_TABLE}]
      ${k.store(3)}
      mov dword [0x40000000], 6
      mov eax, [${FREE_TABLE}]
      ${k.store(4)}
    `);
    assertEquals([0, 1, 3, 4].map((n) => r.result(n)), [0x300027, 0x300067, 0x300027, 0x300067]);
    assertEquals(r.result(2) & 0x20, 0x20);
    assertEquals(word(r, 0x300000), 6);
  });

  on.test("rights of pages, for the kernel with and without write protection, and for ring 3", () => {
    const r = run((k) => `
      mov dword [0x300000], 0x1234
      mov dword [${FREE_TABLE}], 0x300005    ; user, read only
      mov dword [${FREE_TABLE + 4}], 0x301003 ; kernel only
      ${k.attempt("mov dword [0x40000000], 1")}
      mov eax, cr0
      and eax, 0xfffeffff
      mov ebx, eax
      ${k.call("SetCR0")}
      ${k.attempt("mov dword [0x40000000], 2")}
      mov eax, ebx
      or eax, 0x10000
      ${k.call("SetCR0")}
      ${k.attempt("mov dword [0x40000000], 3")}
      ${k.user("in_user")}
      in_user:
      mov eax, [0x40000000]
      ${k.store(0)}
      ${k.attempt("mov dword [0x40000000], 4")}
      ${k.attempt("mov eax, [0x40001000]")}
      ${k.attempt("mov eax, [0x40002000]")}
      ${k.attempt("push dword done\n jmp [0x40000004]")}
      done:
      int 0x80
    `);
    assertEquals(r.result(0), 2);
    assertEquals(r.faults.slice(0, 5).map((f) => [f.vector, f.errorCode]), [[PF, 3], [PF, 3], [PF, 7], [PF, 5], [
      PF,
      4,
    ]]);
  });

  on.test("large pages, and a table in their place", () => {
    const r = run((k) => `
      mov eax, cr4
      or eax, 0x10
      ${k.call("SetCR4")}
      mov dword [0x400000], 0x4444
      mov dword [${DIRECTORY + 0x404}], 0x000087
      mov eax, [0x40408000]
      mov eax, [0x40400000 + 0x400000 - 4]
      mov dword [0x40400000 + 0x8000], 77
      mov eax, [${DIRECTORY + 0x404}]
      ${k.store(1)}
      mov eax, ${FREE_TABLE + 7}
      mov edx, ${DIRECTORY + 0x404}
      mov ecx, 2
      ${k.call("SetPxE")}
      mov eax, 0x40400000
      ${k.call("InvalPage")}
      mov dword [${FREE_TABLE}], 0x400007
      mov eax, [0x40400000]
      ${k.store(2)}
    `);
    assertEquals([r.result(0), r.result(1), r.result(2)], [77, 0xe7, 0x4444]);
  });

  on.test("PAE tables, their pointers, 64-bit entries, no-execute", () => {
    const r = run(
      (k) => `
      mov dword [0x300000], 0x51515151
      mov byte [0x300100], 0xc3
      mov eax, 0x300007
      xor edx, edx
      mov ecx, ${FREE_TABLE}
      push dword 1
      ${k.call("SetPxELong")}
      add esp, 4
      mov eax, [0x40000000]
      ${k.store(0)}
      mov eax, 0x40000100
      call eax
      mov dword [${DIRECTORY + 16}], ${DIRECTORY + 0x2000 + 1}
      mov eax, ${DIRECTORY}
      ${k.call("SetCR3")}
      mov eax, [0x80000000]
      ${k.store(1)}
      mov ecx, 0xc0000080
      rdmsr
      or eax, 0x800
      wrmsr
      mov eax, 0x300007
      mov edx, 0x80000000
      mov ecx, ${FREE_TABLE}
      push dword 1
      ${k.call("SetPxELong")}
      add esp, 4
      mov eax, 0x40000000
      ${k.call("InvalPage")}
      mov eax, [0x40000000]
      ${k.store(2)}
      push dword after
      ${k.attempt("mov eax, 0x40000100\n jmp eax")}
      after:
      mov eax, [${FREE_TABLE + 4}]
      ${k.store(3)}
      mov dword [${DIRECTORY}], 0x1e7
      ${k.attempt(`mov eax, ${DIRECTORY}\n${k.call("SetCR3")}`)}
    `,
      { pae: true },
    );
    assertEquals([0, 1, 2, 3].map((n) => r.result(n)), [0x51515151, 0x51515151, 0x51515151, 0x80000000]);
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[PF, 0x11], [GP, 0]]);
  });

  on.test("PAE switched on in place while paging is on, as early kernels do", () => {
    const high = 0xc0000000;
    const r = run((k) => `
      mov dword [${DIRECTORY + 0xc00}], ${TABLE + 7}   ; go on in the kernel's half
      mov eax, up + ${high}
      jmp eax
      up:
      add esp, ${high}
      mov edi, 0x51000 + ${high}
      mov ecx, 0x800
      xor eax, eax
      rep stosd
      mov dword [0x51000 + ${high}], 0x000087
      mov dword [0x52000 + ${high}], 0x000087
      mov eax, 0x51001
      xor edx, edx
      mov ecx, ${DIRECTORY + high}
      push dword 4
      ${k.call("SetPxELong")}
      mov eax, 0x52001
      xor edx, edx
      mov ecx, ${DIRECTORY + 24 + high}
      ${k.call("SetPxELong")}
      add esp, 4
      mov eax, ${DIRECTORY}
      ${k.call("SetCR3")}
      ${k.call("GetCR4")}
      or eax, 0x20
      ${k.call("SetCR4")}
      mov eax, [gdt+0x60]
      ${k.store(0)}
      sub esp, ${high}
      mov eax, down
      jmp eax
      down:
      ${k.call("GetCR4")}
      ${k.store(1)}
      ${k.attempt("mov eax, [0x40000000]")}
    `);
    assertEquals([r.result(0), r.result(1)], [0xffff, 0x20]);
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[PF, 0]]);
  });

  on.test("deferred updates are in memory at once, and in effect after the batch", () => {
    const r = run((k) => `
      mov dword [0x300000], 0x1111
      mov dword [0x301000], 0x2222
      mov dword [${FREE_TABLE}], 0x300007
      mov eax, [0x40000000]
      mov eax, 1
      ${k.call("SetLazyMode")}
      mov eax, 0x301007
      mov edx, ${FREE_TABLE}
      mov ecx, 0x40000031
      ${k.call("SetPxE")}
      mov eax, [${FREE_TABLE}]
      ${k.store(0)}
      mov eax, 0x302007
      mov edx, ${FREE_TABLE + 4}
      mov ecx, 0x40001031
      ${k.call("SetPxE")}
      mov dword [0x40001000], 0x3333          ; not present before: in effect without a flush
      xor eax, eax
      ${k.call("SetLazyMode")}
      mov eax, 0x40000000
      ${k.call("InvalPage")}
      mov eax, [0x40000000]
      ${k.store(1)}
    `);
    assertEquals([r.result(0), r.result(1), word(r, 0x302000)], [0x301007, 0x2222, 0x3333]);
  });

  on.test("descriptors written by call and by plain stores take effect", () => {
    const r = run((k) => `
      push dword 0x00cff200
      mov eax, gdt
      mov edx, 20
      mov ecx, 0x1000ffff                     ; base 0x1000
      ${k.call("WriteGDTEntry")}
      add esp, 4
      mov eax, 0xa3
      mov fs, ax
      mov dword [0x6000], 0xabcd
      mov eax, [fs:0x5000]
      ${k.store(0)}
      mov dword [gdt+21*8], 0x2000ffff
      mov dword [gdt+21*8+4], 0x00cff200
      mov eax, 0xab
      mov gs, ax
      mov eax, [gs:0x4000]
      ${k.store(1)}
      mov eax, 0x8100
      ${k.call("GetGDT")}
      mov eax, [0x8102]
      sub eax, gdt
      ${k.store(2)}
      mov dword [gdt+17*8], 0x0000001f        ; a local table at 0x7000
      mov dword [gdt+17*8+4], 0x00008200
      mov word [gdt+17*8+2], 0x7000
      mov dword [0x7008], 0x3000ffff
      mov dword [0x700c], 0x00cff200
      mov eax, 0x88
      ${k.call("SetLDT")}
      mov eax, 0x0f
      mov fs, ax
      mov eax, [fs:0x3000]
      ${k.store(3)}
      ${k.call("GetLDT")}
      ${k.store(4)}
      push dword 0x00cff200
      mov eax, 0x7000
      mov edx, 2
      mov ecx, 0x4000ffff
      ${k.call("WriteLDTEntry")}
      add esp, 4
      mov eax, 0x17
      mov gs, ax
      mov eax, [gs:0x2000]
      ${k.store(5)}
      xor eax, eax
      mov fs, ax
      mov gs, ax
      ${k.call("SetLDT")}
      ${k.attempt("mov eax, 0x0f\n mov fs, ax")}
    `);
    assertEquals([0, 1, 2, 3, 4, 5].map((n) => r.result(n)), [0xabcd, 0xabcd, 0, 0xabcd, 0x88, 0xabcd]);
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[GP, 0x0c]]);
  });

  on.test("CLTS and the task-switched flag govern the coprocessor", () => {
    const r = run((k) => `
      ${k.call("GetCR0")}
      or eax, 8
      ${k.call("SetCR0")}
      ${k.attempt("fninit")}
      ${k.call("CLTS")}
      ${k.attempt("fninit")}
    `);
    assertEquals(r.faults.map((f) => f.vector), [7]);
  });

  on.test("ring 3 uses ports as its privilege level and the bitmap say", () => {
    const r = run((k) => `
      mov eax, 0x3000
      ${k.call("SetIOPLMask")}
      push dword 0x7b
      push dword 0x9f00
      push dword 0x3202
      push dword 0x73
      push dword in_user
      ${k.call("IRET")}
      in_user:
      in al, 0x21
      cli
      sti
      int 0x80
    `);
    assertEquals(r.faults, []);
    const bitmap = run((k) => `
      mov dword [tss+0x68], 0xfffffffd        ; port 1 is free
      ${k.user("in_user")}
      in_user:
      in al, 1
      ${k.attempt("in al, 0")}
      ${k.attempt("in ax, 1")}
      ${k.attempt("mov edx, 0x300\n in al, dx")}
      int 0x80
    `);
    assertEquals(bitmap.faults.map((f) => [f.vector, f.errorCode]), [[GP, 0], [GP, 0], [GP, 0]]);
  });

  on.test("single steps and breakpoints of debug registers reach the guest", () => {
    const r = run((k) => `
      mov edx, there
      xor eax, eax
      ${k.call("SetDR")}
      mov edx, 0x401
      mov eax, 7
      ${k.call("SetDR")}
      mov dword [resume], next
      there:
      nop
      next:
      xor edx, edx
      mov eax, 7
      ${k.call("SetDR")}
      mov eax, 6
      ${k.call("GetDR")}
      and eax, 15
      ${k.store(0)}
      mov dword [resume], stepped
      pushfd
      or dword [esp], 0x100
      popfd
      nop
      stepped:
    `);
    assertEquals(r.faults.map((f) => f.vector), [1, 1]);
    assertEquals(r.result(0), 1);
  });

  // Without the interface there are no alarms.
  on.unless(NO_CALLS).test("an alarm on the local timer's vector, one on line 0, stolen time", () => {
    const r = run(
      (k) => `
      mov dword [${FREE_TABLE}], 0xfee00013
      mov dword [0x400000f0], 0x1ff
      mov dword [0x40000320], 0x10031          ; masked
      xor eax, eax
      ${k.call("GetCycleCounter")}
      mov ebx, edx
      mov edx, eax
      mov ecx, ebx
      push dword 0
      push dword 5000
      mov eax, 0x10100
      ${k.call("SetAlarm")}                    ; periodic: ticks are lost while masked
      add esp, 8
      ${k.call("EnableInterrupts")}
      mov ecx, 20000
      wait_masked:
      dec ecx
      jnz wait_masked
      mov eax, [${TICKS}]
      ${k.store(0)}
      mov dword [0x40000320], 0x31
      ${k.call("Halt")}
      ${k.call("Halt")}
      mov eax, [${TICKS}]
      ${k.store(1)}
      mov eax, 0x10100
      ${k.call("CancelAlarm")}
      ${k.store(2)}
      mov dword [0x40000320], 0x10031
      xor edx, edx
      xor ecx, ecx
      push dword 0
      push dword 0
      mov eax, 0x10000
      ${k.call("SetAlarm")}                    ; one shot, long past: waits for the mask
      add esp, 8
      mov dword [0x40000320], 0x31
      ${k.call("Halt")}
      mov eax, [${TICKS}]
      ${k.store(3)}
      mov eax, 0x10000
      ${k.call("CancelAlarm")}
      ${k.store(4)}
      mov eax, 2
      ${k.call("GetCycleCounter")}
      ${k.store(5)}
    `,
      { prepare: (m) => m.paravirt.before("CancelAlarm", () => m.paravirt.steal(1000)) },
    );
    assertEquals([0, 1, 2, 3, 4, 5].map((n) => r.result(n)), [0, 2, 1, 3, 0, 2000]);
  });

  on.unless(NO_CALLS).test("an alarm of the far future stays armed, and a guest that halts for it stands still", () => {
    for (const [low, high] of [[0, 0x100000], [0xffffffff, 0x7fffffff], [0xffffffff, 0xffffffff]]) {
      const set = (k: Kit, flags: number): string => `
        push dword 0xffffffff
        push dword 0xffffffff
        mov eax, ${flags}
        mov edx, ${low}
        mov ecx, ${high}
        ${k.call("SetAlarm")}
        add esp, 8`;
      const r = run((k) => `
        ${set(k, 0x100)}
        ${set(k, 1)}
        mov eax, 1
        ${k.call("CancelAlarm")}
        ${k.store(0)}
        ${k.call("Halt")}
        mov eax, 1
        ${k.store(1)}`);
      assertEquals([r.stop.kind, r.result(0), r.result(1)], ["halt", 1, 0]);
      assert(r.m.clock.now < 1e12, `${r.m.clock.now}`);
    }
  });

  on.test("Halt waits for an interrupt and Reboot asks for a reset", () => {
    const r = rogue(candidate, (k) => `mov eax, 1\n${k.call("Reboot")}`, { engine });
    assertEquals(r.stop.kind, "reset");
  });

  on.unless(NO_CALLS).test("CPUID says the same by call and by instruction, in the kernel and in ring 3", () => {
    const leaves = [0, 1, 2, 0x80000000, 0x80000001];
    const r = run((k) => `
      ${
      leaves.map((leaf, i) => `
        mov eax, ${leaf}
        xor ecx, ecx
        ${k.call("CPUID")}
        ${["eax", "ebx", "ecx", "edx"].map((r, j) => k.store(4 * i + j, r)).join("\n")}`).join("\n")
    }
      xor ebp, ebp
      mov edi, 0
      call compare
      ${k.user("in_user")}
      in_user:
      call compare
      int 0x80
      compare:
      ${
      leaves.map((leaf, i) => `
        mov eax, ${leaf}
        xor ecx, ecx
        cpuid
        ${
        ["eax", "ebx", "ecx", "edx"].map((r, j) =>
          `cmp ${r}, [${RESULTS + 4 * (4 * i + j)}]\njne differs_${i}_${j}\ninc ebp\ndiffers_${i}_${j}:`
        ).join("\n")
      }`).join("\n")
    }
      mov [${RESULTS + 400}+edi], ebp
      add edi, 4
      ret
    `);
    const each = 4 * leaves.length;
    assertEquals([100, 101].map((n) => r.result(n)), [each, 2 * each]);
    assertEquals((r.result(4 + 3) >>> 11) & 1, candidate.deprivileges ? 0 : 1, "SYSENTER");
  });

  on.unless(NO_CALLS).test("debug registers 4 and 5 are not there: setting them does nothing, they read as 0", () => {
    const r = run((k) => `
      ${[0, 1, 2, 3].map((n) => `mov eax, ${n}\nmov edx, ${0x1000 * n}\n${k.call("SetDR")}`).join("\n")}
      ${[4, 5].map((n) => `mov eax, ${n}\nmov edx, 0x455\n${k.call("SetDR")}`).join("\n")}
      ${[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `mov eax, ${n}\n${k.call("GetDR")}\n${k.store(n)}`).join("\n")}
    `);
    assertEquals([0, 1, 2, 3, 4, 5, 7].map((n) => r.result(n)), [0, 0x1000, 0x2000, 0x3000, 0, 0, 0x400]);
    assertEquals(r.result(6), 0xffff0ff0);
  });

  on.unless(NO_CALLS).test("the wall clock goes with real time, jumps when it is set, and says so once", () => {
    const clock = (k: Kit, n: number): string =>
      `${k.call("GetWallclockTime")}\n${k.store(n)}\n${k.store(n + 1, "edx")}\n${k.call("WallclockUpdated")}\n${
        k.store(n + 2)
      }`;
    let reads = 0;
    const r = run((k) => [0, 3, 6, 9].map((n) => clock(k, n)).join("\n"), {
      prepare: (m) =>
        m.paravirt.before("GetWallclockTime", () => {
          if (reads++ === 2) m.paravirt.setWallclock(1_234_567_890_000_000_000n);
        }),
    });
    const at = (n: number): bigint => BigInt(r.result(n)) | BigInt(r.result(n + 1)) << 32n;
    const ns = 1_000_000_000n / BigInt(r.m.clock.hz);
    assertEquals([2, 5, 8, 11].map((n) => r.result(n)), [0, 0, 1, 0]);
    assert(at(0) > 946_684_800_000_000_000n && at(0) < 946_684_801_000_000_000n && at(3) > at(0), `${at(0)}`);
    assertEquals(at(6), 1_234_567_890_000_000_000n);
    assert(at(9) > at(6) && at(9) - at(6) < 10_000n * (ns + 1n), `${at(9) - at(6)}`);
    assertEquals((at(3) - at(0)) % ns, 0n);
    for (const wrong of [-1n, 1n << 63n, 5 as unknown as bigint]) {
      assertThrows(() => r.m.paravirt.setWallclock(wrong), ConfigError, "wall clock");
    }
  });
});
