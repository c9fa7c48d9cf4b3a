/** Device modules from files and addresses. */
import { loadModules } from "../../../../lib/host/message/modules.ts";
import { job } from "../../../../lib/vmi/message/job.ts";
import type { MessageSpec } from "../../../../lib/vmi/message/spec.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { assertEquals, assertRejects } from "../../../../scripts/deps/std.ts";

const BASE = new URL("./", import.meta.url);

/** A filter in a user's own file: it counts frames and turns payloads around. */
const SOURCE = `export const module = {
  name: "reverse", abi: 1, kind: "filter", parameters: [],
  create: () => ({
    open: (host) => ({
      down: (f) => host.down({ ...f, payload: f.payload.slice().reverse() }),
      up: (f) => host.up({ ...f, payload: f.payload.slice().reverse() }),
    }),
  }),
};
`;

function spec(module: string, sha256?: string): MessageSpec {
  return {
    devices: {
      mine: { module, ...(sha256 === undefined ? {} : { sha256 }) },
      see: { module: "builtin:trace", parameters: { snap: 8, types: [16] } },
    },
    chains: [{ name: "c", layers: ["mine", "see", "loopback"] }],
  };
}

async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
}

async function run(module: string, options: Parameters<typeof loadModules>[1], hash?: string): Promise<void> {
  const s = spec(module, hash);
  const result = await job({
    ranks: 2,
    spec: s,
    modules: await loadModules(s, options),
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 0) rank.to(1).sendInline(Uint8Array.of(1, 2, 3));
      else return [...(await rank.receive()).data];
    },
  }).run();
  assertEquals(result.ranks[1].value, [1, 2, 3]);
  assertEquals(result.trace.find((t) => t.direction === "down")?.data, "030201");
}

Deno.test("a spec names a module by path", async () => {
  const file = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(file, SOURCE);
    await run(file, {});
    await Deno.writeTextFile(`${file}.bad.js`, "export const other = 1;");
    await assertRejects(() => loadModules(spec(`${file}.bad.js`)), ConfigError, 'does not export "module"');
    await Deno.remove(`${file}.bad.js`);
  } finally {
    await Deno.remove(file);
  }
  await assertRejects(
    () => loadModules(spec("./nothing.ts"), { base: BASE }),
    ConfigError,
    "Cannot load module ./nothing.ts",
  );
});

Deno.test("a spec names a module by address: only when allowed, and only with its hash", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(SOURCE, { headers: { "content-type": "text/javascript" } }),
  );
  const url = `http://127.0.0.1:${server.addr.port}/reverse.js`;
  try {
    await assertRejects(() => loadModules(spec(url)), ConfigError, "allow it with its SHA-256");
    await assertRejects(() => loadModules(spec(url), { allow: { [url]: "00" } }), ConfigError, "not 00");
    const hash = await sha256(SOURCE);
    await run(url, { allow: { [url]: hash } });
    // The hash may stand in the spec: then the caller only has to agree.
    await run(url, { allow: "with-hash" }, hash);
    await assertRejects(() => loadModules(spec(url, hash)), ConfigError, "allow it with its SHA-256");
    await assertRejects(
      () => loadModules(spec(url), { allow: "with-hash" }),
      ConfigError,
      "needs its SHA-256 as sha256",
    );
    await assertRejects(() => loadModules(spec(url, "0".repeat(64)), { allow: "with-hash" }), ConfigError, "not 0000");
    const other = { allow: { [url]: "1".repeat(64) } };
    await assertRejects(() => loadModules(spec(url, hash), other), ConfigError, "the caller 1111");
  } finally {
    await server.shutdown();
  }
});

Deno.test("an address that cannot be reached is said; the job's check says what else is wrong with a spec", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}/x.js`;
  listener.close();
  const allow = { [url]: "00" };
  await assertRejects(() => loadModules(spec(url), { allow }), ConfigError, `Cannot load module ${url}: `);
  await assertRejects(() => loadModules(spec("http://")), ConfigError, "no path and no address");
  for (const wrong of [null, 3, { devices: null }, { devices: { a: null } }, { devices: { a: { module: 3 } } }]) {
    assertEquals(await loadModules(wrong as unknown as MessageSpec), []);
  }
});
