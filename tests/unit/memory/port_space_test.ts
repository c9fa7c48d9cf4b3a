import type { PortHandler, Width } from "../../../lib/core/bus.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { HookTable } from "../../../lib/core/hooks.ts";
import { PortSpace } from "../../../lib/memory/port_space.ts";
import { assertEquals, assertThrows } from "../../../scripts/deps/std.ts";

function recorder(log: string[], widths?: readonly Width[]): PortHandler {
  return {
    read: (port, width) => {
      log.push(`r${width} ${port.toString(16)}`);
      return port & 0xff;
    },
    write: (port, value, width) => void log.push(`w${width} ${port.toString(16)}=${value.toString(16)}`),
    ...(widths === undefined ? {} : { widths }),
  };
}

Deno.test("PortSpace splits accesses by what the device answers", () => {
  const ports = new PortSpace(new HookTable());
  const log: string[] = [];
  ports.map(0x100, 8, "bytes", recorder(log));
  ports.map(0x1f0, 8, "words", recorder(log, [8, 16]));
  ports.map(0xcf8, 8, "dwords", recorder(log, [8, 16, 32]));
  assertEquals(ports.read(0x100, 32), 0x03020100);
  ports.write(0x1f0, 0x12345678, 32);
  assertEquals(ports.read(0xcfc, 32), 0xfc);
  ports.write(0x106, 0xabcd, 16);
  assertEquals(
    log.join(" | "),
    "r8 100 | r8 101 | r8 102 | r8 103 | w16 1f0=5678 | w16 1f2=1234 | r32 cfc | w8 106=cd | w8 107=ab",
  );
});

Deno.test("PortSpace reads all ones where nobody answers, also at the edge of a device and of the space", () => {
  const ports = new PortSpace(new HookTable());
  const log: string[] = [];
  const unclaimed: number[] = [];
  ports.unclaimed = (port): void => void unclaimed.push(port);
  ports.map(0x60, 1, "one", recorder(log, [8, 16, 32]));
  assertEquals([ports.read(0x10, 8), ports.read(0x10, 16), ports.read(0x10, 32)], [0xff, 0xffff, 0xffffffff]);
  assertEquals(ports.read(0x60, 16), 0xff60);
  assertEquals(log, ["r8 60"]);
  ports.write(0xffff, 0x1234, 16);
  assertEquals(unclaimed.slice(-2), [0xffff, 0]);
});

Deno.test("PortSpace.map() refuses overlaps by name and gives ports back", () => {
  const ports = new PortSpace(new HookTable());
  const handler = recorder([]);
  const back = ports.map(0x3f8, 8, "uart0", handler);
  assertThrows(() => ports.map(0x3ff, 1, "uart1", handler), ConfigError, '"uart1" belongs to "uart0"');
  assertEquals(ports.owner(0x3ff), "uart0");
  back();
  back();
  assertEquals(ports.owner(0x3f8), undefined);
  ports.map(0x3ff, 1, "uart1", handler);
  assertThrows(() => ports.map(0xffff, 2, "x", handler), ConfigError);
});

Deno.test("port hooks see and change values", () => {
  const hooks = new HookTable();
  const ports = new PortSpace(hooks);
  const log: string[] = [];
  ports.map(0x80, 1, "post", recorder(log));
  const remove = hooks.onPort(0x80, (e) => {
    e.value = 0x155;
  });
  ports.write(0x80, 1, 8);
  assertEquals(ports.read(0x80, 8), 0x55);
  remove();
  assertEquals(ports.read(0x80, 8), 0x80);
  assertEquals(log, ["w8 80=55", "r8 80", "r8 80"]);
});
