import { assertEquals } from "../../../scripts/deps/std.ts";
import { fullBoard } from "./board_devices.ts";

Deno.test("devices of a PC fit on one board and survive a storm of port accesses", () => {
  const host = fullBoard();
  for (let i = 0; i < 60000; i++) {
    const port = (i * 2654435761 >>> 13) & 0x7ff;
    if ((i & 3) === 0) host.in(port, 32);
    else host.out(port, (i * 40503) >>> 0, i & 4 ? 8 : 32);
    if ((i & 63) === 0) host.run(500);
  }
  assertEquals(host.in(0x20) <= 0xff, true);
});
