/**
 * Debian's stock kernel finds KVM or VMware, uses what they offer, and its hypercalls can be watched and injected.
 */
import {
  hardware,
  inject,
  kvm,
  linux,
  MiB,
  pc,
  type Personality,
  type PersonalityPcMachine,
  vmiPc,
  vmware,
} from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { busyboxInitrd } from "./initrd.ts";

const kernel = guestSync("linux-686-pae");
const busybox = guestSync("busybox");
const missing = [kernel, busybox].find((g) => !g.available);
const note = missing === undefined ? "" : " (guest not available)";

/** Without the self tests of its ciphers, which are half of the boot. */
const APPEND = "console=ttyS0 nokaslr cryptomgr.notests";

const INIT = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox echo clock $(/bin/busybox cat /sys/devices/system/clocksource/clocksource0/current_clocksource)
/bin/busybox echo $(/bin/busybox nproc) processors
steal() { /bin/busybox awk '/^cpu /{print $9}' /proc/stat; }
/bin/busybox echo stolen $(steal)
/bin/busybox sleep 1
/bin/busybox echo then $(steal)
/bin/busybox reboot -f
`;

/** What the kernel boots with. */
function debianImage(): ReturnType<typeof linux> {
  assert(kernel.available && busybox.available);
  const initrd = busyboxInitrd(Deno.readFileSync(busybox.path), INIT, ["/proc", "/sys"]);
  return linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: APPEND });
}

/** The kernel as it begins to boot. */
function debian<N extends string>(personality: Personality<N>, cpus: number): PersonalityPcMachine<N> {
  const m = pc({ memory: 128 * MiB, cpus, personality });
  m.boot(debianImage());
  return m;
}

Deno.test({
  name: `Debian's kernel finds KVM under backend hardware, and uses its clock${note}`,
  ignore: missing !== undefined,
  fn() {
    const m = vmiPc({ backend: hardware(), personality: kvm(), memory: 128 * MiB });
    m.boot(debianImage());
    const up = m.run({ until: m.serial.contains("Switched to clocksource kvm-clock"), instructions: 20_000_000_000 });
    assertEquals(up.kind, "until", m.serial.tail(2000));
    for (
      const line of [
        "Hypervisor detected: KVM",
        "kvm-clock: Using msrs 4b564d01 and 4b564d00",
        "Booting paravirtualized kernel on KVM",
      ]
    ) assertStringIncludes(m.serial.text, line);
    // What the kernel asked of KVM has left the guest by way of the monitor; memory management has not.
    const { backend } = m.paravirt.stats();
    assert((backend["exits cpuid"] ?? 0) > 100 && (backend["exits msr"] ?? 0) > 10, JSON.stringify(backend));
    assertEquals(backend["exits page-fault"], undefined);
  },
});

Deno.test({
  name: `Debian's kernel on two CPUs finds KVM, its clock, stolen time, and sends interrupts by hypercall${note}`,
  ignore: missing !== undefined,
  fn() {
    const m = debian(kvm(), 2);
    const seen = m.hypercalls.record();
    const up = m.run({ until: m.serial.contains("stolen "), instructions: 20_000_000_000 });
    assertEquals(up.kind, "until", m.serial.tail(2000));
    for (
      const line of [
        "Hypervisor detected: KVM",
        "kvm-clock: Using msrs 4b564d01 and 4b564d00",
        "Booting paravirtualized kernel on KVM",
        "kvm-guest: PV spinlocks enabled",
        "kvm-guest: setup PV IPIs",
        "Switched to clocksource kvm-clock",
        "clock kvm-clock",
        "2 processors",
      ]
    ) assertStringIncludes(m.serial.text, line);
    // Both CPUs have sent to each other, and each message had one receiver.
    const sent = seen.filter("SEND_IPI");
    assert(sent.length > 50, `${sent.length} messages`);
    assert(sent.every((e) => e.result === 1));
    assertEquals(new Set(sent.map((e) => e.args["first"])), new Set([0, 1]));
    assertEquals(m.hypercalls.stats().calls["SEND_IPI"], sent.length);

    // A call from outside: the kernel takes an interrupt that nobody in the guest has sent.
    const icr = Number(sent.at(-1)?.args["icr"]);
    const alike = (): number => seen.filter((e) => e.args["icr"] === icr).length;
    const before = alike();
    assertEquals(inject(m, "SEND_IPI", { low: 1, icr }), 1);
    const remove = m.hooks.onInterrupt(icr & 0xff, (e) => e.stop(`cpu${e.cpu}`));
    const taken = m.run({ instructions: 10_000_000 });
    assert(taken.kind === "hook" && taken.name === "cpu0", taken.kind);
    assertEquals(alike(), before + 1);
    remove();

    // Two seconds are taken from the first CPU; the kernel counts them in hundredths.
    const here = m.snapshot();
    m.hypercalls.steal(2 * m.clock.hz);
    m.run({ until: m.serial.contains("reboot: "), instructions: 5_000_000_000 });
    const [, stolen] = /then (\d+)/.exec(m.serial.text) ?? [];
    assert(Number(stolen) >= 199 && Number(stolen) <= 201, `${stolen} of 200`);
    // From there the run is the same each time, wherever it is cut.
    m.restore(here);
    m.run({ instructions: 3_000_001 });
    const end = m.hash();
    m.restore(here);
    for (const instructions of [1, 999_999, 2_000_001]) m.run({ instructions });
    assertEquals(m.hash(), end);
  },
});

Deno.test({
  name: `Debian's kernel finds VMware and takes its frequencies from the backdoor${note}`,
  ignore: missing !== undefined,
  fn() {
    const m = debian(vmware(), 1);
    m.hypercalls.after("GETHZ", (call, result) => assertEquals([call.way, result], ["port", m.clock.hz]));
    const seen = m.hypercalls.record();
    const up = m.run({ until: m.serial.contains("then "), instructions: 20_000_000_000 });
    assertEquals(up.kind, "until", m.serial.tail(2000));
    for (
      const line of [
        "vmware: hypercall mode: 0x00",
        "Hypervisor detected: VMware",
        "vmware: TSC freq read from hypervisor : 100.000 MHz",
        "vmware: Host bus clock speed read from hypervisor : 100000000 Hz",
        "Booting paravirtualized kernel on VMware hypervisor",
        "clock tsc",
      ]
    ) assertStringIncludes(m.serial.text, line);
    assertEquals(seen.names(), ["GETHZ", "STEALCLOCK"]);
  },
});

Deno.test({
  name: `Debian's kernel believes a backdoor that a script answers${note}`,
  ignore: missing !== undefined,
  fn() {
    const m = debian(vmware({ calls: "vmcall" }), 1);
    m.hypercalls.override("GETHZ", () => ({ eax: 123_000_000, ebx: 0, ecx: 50_000_000 }));
    const up = m.run({ until: m.serial.contains("50000000 Hz"), instructions: 20_000_000_000 });
    assertEquals(up.kind, "until", m.serial.tail(2000));
    assertStringIncludes(m.serial.text, "vmware: hypercall mode: 0x02");
    assertStringIncludes(m.serial.text, "TSC freq read from hypervisor : 123.000 MHz");
  },
});
