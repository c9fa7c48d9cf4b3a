/**
 * Steps of the client kernel with the timer half: wall clock, counters, alarms on line 0 and on the local timer, one-shot
 * and periodic, in the past, masked; idle by Halt. Reference: 5.3, 8, 9.1-9.5, 11.1 rows 17-20, 22. Cold.
 */
import { expectFlag, interrupts } from "./cpu_steps.ts";
import type { Kit } from "./kit.ts";

/** Ticks a second that the kernel wants: its HZ, or the alarm rate of 2.6.21. */
function rate(kit: Kit): number {
  return kit.config.release.clockEvents ? 1000 : 100;
}

/** Counter of the kernel's periodic alarm: 2.6.21 counts available time. */
function counter(kit: Kit): 0 | 1 {
  return kit.config.release.clockEvents ? 0 : 1;
}

const PERIODIC = 0x100, LOCAL = 0x10000;

/** The counter's value in ESI, EDI. */
function now(kit: Kit, n: number): string {
  return `${kit.call("GetCycleCounter", { counter: n })}\n  mov esi, eax\n  mov edi, edx`;
}

/** Arms the periodic alarm as the release does: at once, or after a period. */
export function periodic(kit: Kit, wiring: 0 | typeof LOCAL): string {
  const n = counter(kit), later = kit.config.release.clockEvents ? "" : "add esi, [period]\n  adc edi, 0";
  return `${now(kit, n)}
  ${later}
  ${kit.call("SetAlarm", { flags: n | PERIODIC | wiring, expiry: ["esi", "edi"], period: ["dword [period]", 0] })}`;
}

/** Arms the next event of one-shot mode, `delta` periods away (negative: in the past). */
function oneShot(kit: Kit, wiring: 0 | typeof LOCAL, delta: 1 | 2 | -1): string {
  const move = delta < 0
    ? "sub esi, [period]\n  sbb edi, 0"
    : "add esi, [period]\n  adc edi, 0\n  ".repeat(delta).trim();
  return `${now(kit, 0)}
  ${move}
  ${kit.call("SetAlarm", { flags: wiring, expiry: ["esi", "edi"], period: [0, 0] })}`;
}

/** CancelAlarm, and what it answers. */
function cancel(kit: Kit, text: string, n: number, flags: number, expected: 0 | 1): string {
  const whole = kit.config.release.cancelsWithFlags ? n | flags : n;
  return `${kit.call("CancelAlarm", { flags: whole })}\n  ${kit.check(text, "eax", expected)}`;
}

/** Waits idle for `n` more ticks; interrupts are off afterwards. */
export function wait(n: number): string {
  return `mov ebx, ${n}\n  call wait_ticks`;
}

/** Lets `n` periods pass with interrupts on and looks for ticks: there must be `expected`. */
function quiet(kit: Kit, text: string, n: number, expected: number): string {
  const again = kit.label();
  const spin = kit.label();
  return `mov ebx, [ticks]
  ${now(kit, 0)}
  mov ebp, [period]
  imul ebp, ebp, ${n}
  add ebp, esi
  ${interrupts(kit, true)}
${again}:
  mov ecx, [period]
  shr ecx, 4
${spin}:
  dec ecx
  jnz ${spin}
  ${kit.call("GetCycleCounter", { counter: 0 })}
  sub eax, ebp
  js ${again}
  ${interrupts(kit, false)}
  mov eax, [ticks]
  sub eax, ebx
  ${kit.check(text, "eax", expected)}`;
}

function counters(kit: Kit): string {
  return `
  ${now(kit, 0)}
  mov [real], esi
  mov [real+4], edi
  ${now(kit, 1)}
  mov ebx, esi
  mov ebp, edi
  ${kit.call("GetCycleCounter", { counter: 2 })}
  add ebx, eax
  adc ebp, edx
  sub ebx, [real]
  sbb ebp, [real+4]
  ${kit.check("available and stolen together are not behind real", "ebp", 0)}
  shr ebx, 16
  ${kit.check("available and stolen together are not far ahead of real", "ebx", 0)}
  ${kit.call("GetCycleCounter", { counter: 3 })}
  or eax, edx
  ${kit.check("there is no fourth counter", "eax", 0)}
  ${now(kit, 0)}
  ${kit.call("RDTSC")}
  sub eax, esi
  mov [real], eax                   ; offset of the two at the start
  ${wait(4)}
  ${now(kit, 0)}
  ${kit.call("RDTSC")}
  sub eax, esi
  sub eax, [real]
  add eax, 0x8000
  shr eax, 16
  ${kit.check("the time-stamp counter runs at the rate of the real counter", "eax", 0)}`;
}

function localTimer(kit: Kit): string {
  const { release: r, localApic } = kit.config, n = counter(kit);
  if (!localApic) return "";
  return `
  ${cancel(kit, "the periodic alarm was armed", n, PERIODIC, 1)}
  mov al, 0xff                      ; line 0 is not used any more
  out 0x21, al
  ${kit.call("APICWrite", { register: 0xf0, value: 0x1ff })}
  ${kit.call("APICWrite", { register: 0x80, value: 0 })}
  ${kit.call("APICWrite", { register: 0x320, value: r.lvtt.ioApic })}
  ${kit.call("APICRead", { register: 0x320 })}
  ${kit.check("LVTT", "eax", r.lvtt.ioApic)}
  mov dword [local_ticks], 0
  mov dword [wired_local], 1
  ${periodic(kit, LOCAL)}
  ${wait(3)}
  mov eax, [local_ticks]
  sub eax, 3
  shr eax, 1
  ${kit.check("ticks come by the local timer's vector", "eax", 0)}
  ${kit.call("APICWrite", { register: 0x320, value: r.lvtt.ioApic | 0x10000 })}
  ${quiet(kit, "a masked local timer does not tick", 2, 0)}
  ${kit.call("APICWrite", { register: 0x320, value: r.lvtt.ioApic })}
  ${wait(2)}
  ${cancel(kit, "the periodic alarm goes on behind the mask", n, PERIODIC | LOCAL, 1)}
  ${quiet(kit, "a cancelled alarm does not tick", 2, 0)}
  ${oneShot(kit, LOCAL, 1)}
  ${wait(1)}
  ${quiet(kit, "a one-shot alarm ticks once", 2, 0)}
  ${cancel(kit, "a fired one-shot alarm is not armed", 0, LOCAL, 0)}
  ${oneShot(kit, LOCAL, -1)}
  ${wait(1)}
  ${noIdle(kit)}
  ${oneShot(kit, LOCAL, 2)}
  ${oneShot(kit, LOCAL, 1)}
  ${wait(1)}
  ${quiet(kit, "arming again replaces", 3, 0)}`;
}

/** 9.5: before it halts, 2.6.21 trades its periodic alarm for one of real time, and takes it back afterwards. */
function noIdle(kit: Kit): string {
  if (kit.config.release.clockEvents) return "";
  return `
  ${periodic(kit, LOCAL)}
  ${cancel(kit, "the available alarm is armed", 1, 0, 1)}
  ${oneShot(kit, LOCAL, 2)}
  ${wait(1)}
  ${periodic(kit, LOCAL)}
  ${wait(1)}
  ${cancel(kit, "the available alarm is armed again", 1, 0, 1)}`;
}

/** All steps with the timer half. */
export function timeSteps(kit: Kit): string {
  const hz = rate(kit), n = counter(kit);
  return `
time_steps:
  cmp dword [has_timer], 0
  je time_done
  ${kit.call("GetWallclockTime")}
  mov [wall], eax
  mov [wall+4], edx
  ${interrupts(kit, true)}
  ${expectFlag(kit, "interrupts are on for the first time", true)}
  ${interrupts(kit, false)}
  mov al, 0x3a                      ; the 8254 stops
  out 0x43, al
  ${kit.call("GetCycleFrequency")}
  ${kit.check("frequency, high dword", "edx", 0)}
  mov esi, eax
  mov ecx, 1000
  div ecx
  ${kit.check("frequency is a multiple of 1000", "edx", 0)}
  mov [khz], eax
  sub eax, 977
  sbb eax, eax
  ${kit.check("frequency is 977 kHz or more", "eax", 0)}
  mov eax, esi
  xor edx, edx
  mov ecx, ${hz}
  div ecx
  mov [period], eax
  ${kit.call("GetCycleFrequency")}
  ${kit.check("frequency stays", "eax", "esi")}
  ${periodic(kit, 0)}
  mov al, 0xfe                      ; the handler is there: line 0 is unmasked
  out 0x21, al
  ${wait(3)}
  ${kit.check("EFLAGS in a tick's frame", "dword [tick_flags]", 0x200)}
  ${kit.check("interrupts are off in the handler", "dword [tick_mask]", 0)}
  ${kit.check("ticks come by line 0", "dword [local_ticks]", 0)}
  ${counters(kit)}
  ${localTimer(kit)}
  ${cancel(kit, "the last alarm", n, PERIODIC, kit.config.localApic ? 0 : 1)}
  ${cancel(kit, "an alarm that is not armed", 0, 0, 0)}
  ${cancel(kit, "an alarm of stolen time", 2, 0, 0)}
  ${kit.call("SetAlarm", { flags: 2, expiry: [0, 0], period: [0, 0] })}
  ${kit.call("SetAlarm", { flags: 0x77, expiry: [0, 0], period: [0, 0] })}
  ${quiet(kit, "unknown counters have no alarms", 2, 0)}
time_done:
  ret

wait_ticks:                         ; EBX: how many more
  mov ebp, [ticks]
  add ebp, ebx
  mov edi, 60
wait_more:
  ${interrupts(kit, false)}
  mov eax, [ticks]
  sub eax, ebp
  jns wait_enough
  ${kit.call("Halt")}
  ${expectFlag(kit, "interrupts are on after Halt", true)}
  dec edi
  jnz wait_more
  ${interrupts(kit, false)}
  ${kit.check("ticks that were waited for", "ebp", "dword [ticks]")}
wait_enough:
  ret
wall: dd 0, 0
real: dd 0, 0
khz: dd 0
period: dd 0`;
}

/** Ring 3 is interrupted: an alarm while the user's program counts. `run` enters it. */
export function interruptedUser(kit: Kit, run: string): string {
  const { localApic } = kit.config, wiring = localApic ? LOCAL : 0, done = kit.label();
  return `cmp dword [has_timer], 0
  je ${done}
  mov dword [user_ticks], 0
  ${periodic(kit, wiring)}
  ${run}
  ${kit.call("CancelAlarm", { flags: counter(kit) | (kit.config.release.cancelsWithFlags ? PERIODIC | wiring : 0) })}
  ${kit.check("the alarm of the user's time was armed", "eax", 1)}
  xor eax, eax
  cmp dword [user_ticks], 0
  sete al
  ${kit.check("ring 3 was interrupted", "eax", 0)}
${done}:`;
}
