/** Profile and placement, timeline, specs in XML. */
import { job } from "../../../../lib/vmi/message/job.ts";
import {
  placeByProfile,
  placementCost,
  type Profile,
  profileLine,
  profileOf,
  readProfile,
} from "../../../../lib/vmi/message/profile.ts";
import { timeline, timelineSvg, traceLines } from "../../../../lib/vmi/message/timeline.ts";
import { specFromXml } from "../../../../lib/vmi/message/spec_xml.ts";
import { checkSpec } from "../../../../lib/vmi/message/spec.ts";
import { modulesByName } from "../../../../lib/vmi/message/builtins.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../../scripts/deps/std.ts";

/** Eight ranks of which even and odd ones talk among themselves. */
async function evenOdd(placement?: readonly number[]): Promise<{ profile: Profile; time: number }> {
  const j = job({
    ranks: 8,
    ...(placement === undefined ? {} : { clusters: placement }),
    spec: {
      devices: { far: { module: "builtin:delay", parameters: { latencyUs: 500, crossCluster: true } } },
      chains: [{ name: "c", layers: ["far", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      const friends = [0, 1, 2, 3].map((i) => 2 * i + (rank.rank % 2)).filter((r) => r !== rank.rank);
      for (let i = 0; i < 5; i++) {
        for (const r of friends) rank.to(r).sendInline(new Uint8Array(100));
        for (const r of friends) await rank.receive(r);
      }
    },
  });
  const result = await j.run();
  return { profile: profileOf(result, "k"), time: result.time };
}

Deno.test("placeByProfile() puts ranks that talk into one group, and the job is faster for it", async () => {
  const first = await evenOdd([0, 0, 0, 0, 1, 1, 1, 1]);
  assertEquals(first.profile.entries.length, 24);
  assertEquals(first.profile.entries[0], { from: 0, to: 2, messages: 5, bytes: 500, latencyUs: 1 });
  const groups = placeByProfile(first.profile, [4, 4]);
  assertEquals(groups, [0, 1, 0, 1, 0, 1, 0, 1]);
  assertEquals(placementCost(first.profile, groups), 0);
  assert(placementCost(first.profile, [0, 0, 0, 0, 1, 1, 1, 1]) > 0);
  const second = await evenOdd(groups);
  assert(second.time <= first.time - 2_400_000, `${second.time} against ${first.time}`);
});

Deno.test("placeByProfile() keeps the sizes it is given and repeats exactly", () => {
  const prng = new Prng(12);
  const entries = Array.from({ length: 60 }, () => ({
    from: prng.below(11),
    to: prng.below(11),
    messages: prng.below(50),
    bytes: prng.below(1e6),
    latencyUs: 1,
  }));
  const profile = { key: "k", ranks: 11, entries };
  const groups = placeByProfile(profile, [5, 4, 2]);
  assertEquals([0, 1, 2].map((g) => groups.filter((x) => x === g).length), [5, 4, 2]);
  assertEquals(placeByProfile(profile, [5, 4, 2]), groups);
  assert(placementCost(profile, groups) <= placementCost(profile, [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2]));
  assertThrows(() => placeByProfile(profile, [5, 5]), ConfigError, "do not add up to 11");
});

Deno.test("the profile database is lines of JSON, of which the last of a key counts", () => {
  const one = { key: "a", ranks: 1, entries: [] };
  const two = { key: "a", ranks: 2, entries: [] };
  const lines = profileLine(one) + profileLine({ ...one, key: "b" }) + profileLine(two);
  assertEquals(readProfile(lines, "a"), two);
  assertEquals(readProfile(lines, "c"), undefined);
  assertThrows(() => readProfile("{", "a"), ConfigError, "Line 1");
  assertThrows(() => readProfile("{}\n", "a"), ConfigError, "no profile");
});

Deno.test("timeline() pairs departures and arrivals, timelineSvg() draws them", async () => {
  const result = await job({
    ranks: 2,
    spec: {
      devices: {
        see: { module: "builtin:trace", parameters: { types: [16], snap: 2 } },
        lossy: { module: "builtin:drop", parameters: { probability: 1, skip: 3, count: 1 } },
      },
      chains: [{ name: "c", layers: ["see", "lossy", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 0) { for (let i = 0; i < 4; i++) rank.to(1).sendInline(Uint8Array.of(i, 7, 7)); }
      await rank.until(() => false, 1e5);
    },
  }).run();
  const messages = timeline(result.trace);
  assertEquals(messages.length, 4);
  assertEquals(messages.filter((m) => m.arrived === undefined).length, 1);
  assert(messages.every((m) => m.arrived === undefined || m.arrived === m.sent + 1000));
  const [line] = traceLines(result.trace).split("\n");
  assertEquals((JSON.parse(line) as { data: string }).data, "0007");
  const svg = timelineSvg(messages, 2);
  assertStringIncludes(svg, "<svg ");
  assertEquals(svg.match(/marker-end/g)?.length, 3);
  assertEquals(svg.match(/, lost</g)?.length, 1);
});

const XML = `<?xml version="1.0"?>
<!-- two networks -->
<vmi version="2.1">
  <device name="lan" location="builtin:loopback"><parameter name="latencyNs" value="25000"/></device>
  <device name='spare' location="builtin:loopback"/>
  <device name="either" location="builtin:failover"/>
  <chain name="main &amp; only" use="default">
    <layer device="credit"/>
    <layer device="either"><child><layer device="lan"/></child><child><layer device="spare"/></child></layer>
  </chain>
</vmi>
`;

Deno.test("specFromXml() reads devices, chains and children", () => {
  const spec = checkSpec(specFromXml(XML), modulesByName([]));
  assertEquals(spec.chains[0].name, "main & only");
  assertEquals(spec.devices.get("lan")?.parameters["latencyNs"], 25000);
  assertEquals(spec.chains[0].layers[1].children.map((c) => c[0].device), ["lan", "spare"]);
});

Deno.test("specFromXml() takes any name, and the hash of a module", () => {
  const { devices } = specFromXml(`<vmi><device name="toString" location="./a.ts" sha256="ab"/></vmi>`);
  assertEquals(devices, { toString: { module: "./a.ts", parameters: {}, asText: true, sha256: "ab" } });
});

Deno.test("specFromXml() reads values as modules want them, whatever they look like", () => {
  const device = (location: string, name: string, value: string): string =>
    `<vmi><device name="d" location="builtin:${location}"><parameter name="${name}" value="${value}"/></device>
     <chain name="c"><layer device="loopback"/></chain></vmi>`;
  const read = (location: string, name: string, value: string, ranks = 2): unknown =>
    checkSpec(specFromXml(device(location, name, value)), modulesByName([]), ranks).devices.get("d")?.parameters[name];
  assertEquals(read("encrypt", "keyId", "20261125"), "20261125");
  assertEquals(read("encrypt", "keyId", "true"), "true");
  assertEquals(read("delay", "latencyUs", "1e3"), 1000);
  assertEquals(read("outage", "up", "false"), false);
  assertEquals(read("drop", "pairs", "[[0, 1]]"), [[0, 1]]);
  const fails = (text: string, ...args: Parameters<typeof read>): void =>
    assertStringIncludes(assertThrows(() => read(...args), ConfigError).message, text);
  fails('latencyUs: must be a number, not "soon"', "delay", "latencyUs", "soon");
  fails('up: must be a boolean, not "1"', "outage", "up", "1");
  fails('pairs: must be a list as JSON has them, not "0-1"', "drop", "pairs", "0-1");
  fails("pairs: must be a list, not 7", "drop", "pairs", "7");
  fails("pairs[0]: names rank 2; the job has ranks 0 to 1", "drop", "pairs", "[[0, 2]]");
  fails('no parameter "latency"', "delay", "latency", "5");
});

Deno.test("specFromXml() names the line of each mistake", () => {
  const cases: [string, string][] = [
    ["<vmi>", "line 1: <vmi> is not closed"],
    ["<vmi>\n</chain></vmi>", "line 2: </chain> closes nothing"],
    ["<spec/>", "not <vmi>"],
    ["<vmi/><vmi/>", "one outermost"],
    ["<vmi>\n<lan/></vmi>", "line 2: <lan> cannot stand in <vmi>"],
    ["<vmi>\n\n<device name='a'/></vmi>", "line 3: <device> needs the attribute location"],
    ["<vmi><device name='a' name='b'/></vmi>", "given twice"],
    ["<vmi><device name='&x;' location='b'/></vmi>", "no entity"],
    ["<vmi>hello</vmi>", '"hello" is not expected'],
    ["<vmi><device name='a' location='b' size='3'/></vmi>", "no attribute size"],
    ["<vmi><chain name='a'><layer/></chain></vmi>", "needs the attribute device"],
    ["<vmi version='9'/>", 'version is "9"'],
    [
      "<vmi><device name='a' location='b'>\n<parameter name='p' value='1'/><parameter name='p' value='2'/></device></vmi>",
      'line 2: parameter "p" is given twice',
    ],
    ["<vmi><", "not expected"],
  ];
  for (const [text, message] of cases) {
    assertStringIncludes(assertThrows(() => specFromXml(text), ConfigError).message, message);
  }
});
