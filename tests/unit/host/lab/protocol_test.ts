import { LONGEST_REQUEST, parseRequest } from "../../../../lib/host/lab/protocol.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";

Deno.test("parseRequest reads each request, and drops what does not belong to it", () => {
  for (
    const request of [
      ...[{ do: "run" }, { do: "pause" }, { do: "restart" }, { do: "step", count: 1 }, { do: "back", count: 1000 }],
      ...[{ do: "type", text: "a\r\x00\xff" }, { do: "key", text: "A \n\x1b" }, { do: "look", at: 3 }, {
        do: "pages",
        entry: -1,
      }],
      ...[{ do: "breakpoint", at: 0x7c00 }, { do: "memory", at: 0xffff_ffff }],
    ]
  ) {
    assertEquals(parseRequest(JSON.stringify({ ...request, more: [1] })) as unknown, request);
  }
});

Deno.test("parseRequest refuses everything else", () => {
  const long = JSON.stringify({ do: "type", text: "a".repeat(LONGEST_REQUEST) });
  for (
    const data of [
      ...["", "null", "1", "[]", "{", '"run"', "{}", '{"do":"eval"}', '{"do":["run"]}', long, new Blob(), undefined],
      ...['{"do":"step"}', '{"do":"step","count":0}', '{"do":"step","count":1.5}', '{"do":"step","count":"1"}'],
      ...['{"do":"back","count":-1}', '{"do":"back","count":1e300}', '{"do":"type","text":""}', '{"do":"type"}'],
      ...['{"do":"type","text":"\\u0100"}', '{"do":"type","text":7}', '{"do":"look","at":-1}', '{"do":"look"}'],
      ...['{"do":"key","text":"\\u00e4"}', '{"do":"key","text":""}', '{"do":"key","text":3}'],
      ...['{"do":"breakpoint"}', '{"do":"breakpoint","at":-1}', '{"do":"memory","at":4294967296}', '{"do":"memory"}'],
      ...['{"do":"pages","entry":2048}', '{"do":"pages","entry":null}'],
      JSON.stringify({ do: "type", text: "a".repeat(4097) }),
    ]
  ) {
    assertEquals(parseRequest(data), undefined, String(data).slice(0, 60));
  }
});
