/**
 * A user's script in an empty folder imports mod.ts by URL, with no permission but the import itself, and runs guests.
 */
import { assert, assertEquals, assertMatch, fromFileUrl, join } from "../scripts/deps/std.ts";

const ROOT = new URL("../", import.meta.url);

/** Serves mod.ts and lib/ as a plain file server would; notes what was asked for. */
function serveTree(asked: Set<string>): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    asked.add(pathname);
    if (!/^\/(mod\.ts|lib\/[\w/.-]+\.ts)$/.test(pathname) || pathname.includes("..")) {
      return new Response("not here", { status: 404 });
    }
    const text = await Deno.readTextFile(fromFileUrl(new URL(`.${pathname}`, ROOT)));
    return new Response(text, { headers: { "content-type": "application/typescript" } });
  });
}

const SCRIPT = (url: string): string => `
import { asm, expect, guests, i386, type Machine, machine, MiB, ram, vmiPc } from "${url}";

const m: Machine = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB })] });
m.load(0x7c00, asm\`
  mov eax, 40
  add eax, 2
  hlt
\`);
expect(m.run({ instructions: 1_000 }).kind).toBe("halt");
expect(m.cpu.eax).toBe(42);
const v = vmiPc();
v.boot(guests.minikernel());
expect(v.run({ until: v.serial.contains("ready"), instructions: 50_000_000 }).kind).toBe("until");
for (const name of ["read", "write", "net", "env", "run", "sys", "ffi"] as const) {
  const { state } = await Deno.permissions.query({ name });
  if (state === "granted") throw new Error(name + " is granted");
}
console.log("eax", m.cpu.eax);
`;

Deno.test("mod.ts imported by URL from an empty folder runs guests with no permission", async () => {
  const folder = await Deno.makeTempDir({ prefix: "vmikit-url-" });
  const asked = new Set<string>();
  const server = serveTree(asked);
  try {
    const host = `127.0.0.1:${server.addr.port}`;
    await Deno.writeTextFile(join(folder, "user.ts"), SCRIPT(`http://${host}/mod.ts`));
    const deno = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...args, `--allow-import=${host}`, "user.ts"],
        cwd: folder,
        env: { NO_COLOR: "1", DENO_DIR: join(folder, "cache"), DENO_NO_UPDATE_CHECK: "1" },
      }).output();
      assertEquals(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    assertEquals(await deno("run", "--no-prompt", "--quiet"), "eax 42\n");
    // The user's settings rule how our files are checked: with the defaults they must pass.
    await deno("check", "--all", "--quiet");
    assert(asked.size > 100, `${asked.size} files`);
    for (const path of asked) assertMatch(path, /^\/(mod\.ts|lib\/(?!host\/).*\.ts)$/);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});
