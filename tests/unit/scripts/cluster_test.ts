/** `vmikit cluster`, driven without a process. */
import { Exit, type Io } from "../../../scripts/cli/io.ts";
import { PROGRAMS } from "../../../scripts/cli/cluster_jobs.ts";
import { main } from "../../../scripts/vmikit.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../scripts/deps/std.ts";

type Files = Record<string, Uint8Array>;

async function run(args: string, files: Files = {}): Promise<{ code: number; out: string; err: string }> {
  const said = { out: "", err: "" };
  const io: Io = {
    out: (text) => said.out += text,
    err: (text) => said.err += text,
    read: (path) =>
      files[path] === undefined
        ? Promise.reject(new Deno.errors.NotFound(path))
        : Promise.resolve(Uint8Array.from(files[path])),
    write: (path, bytes) => {
      files[path] = bytes;
      return Promise.resolve();
    },
    load: () => Promise.resolve({}),
    now: () => 0,
  };
  const code = await main(["cluster", ...args.split(" ").filter((a) => a !== "")], io);
  return { code, ...said };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (b: Uint8Array): string => new TextDecoder().decode(b);

Deno.test("vmikit cluster runs every program it names", async () => {
  const size: { readonly [name: string]: string } = {
    ep: "16",
    heat: "5",
    "guest-heat": "2",
    sort: "100",
    matrix: "8",
    "guest-sort": "100",
    "guest-matrix": "8",
  };
  for (const name of Object.keys(PROGRAMS)) {
    const { code, out, err } = await run(`--nodes 2 --program ${name} --size ${size[name] ?? "3"}`);
    assertEquals([name, code, err], [name, Exit.ok, ""]);
    assertStringIncludes(out, "rank 1: done after");
    assertStringIncludes(out, "0 -> 1");
  }
});

Deno.test("vmikit cluster gives JSON, a trace, a timeline and a profile", async () => {
  const files: Files = {};
  const { code, out } = await run(
    "--nodes 3 --program ring --json --trace t.jsonl --timeline t.svg --profile p.jsonl",
    files,
  );
  assertEquals(code, Exit.ok);
  const result = JSON.parse(out) as { ranks: { value: number }[] };
  assertEquals(result.ranks[0].value, 30);
  assert(text(files["t.jsonl"]).split("\n").length > 60);
  assertStringIncludes(text(files["t.svg"]), "marker-end");
  await run("--nodes 3 --program ring --timeline t.json", files);
  const messages = JSON.parse(text(files["t.json"])) as { source: number; sent: number; arrived: number }[];
  assert(messages.length > 30 && messages.every((m) => m.arrived > m.sent));
  await run("--nodes 3 --program ring --profile p.jsonl", files);
  assertEquals(text(files["p.jsonl"]).trim().split("\n").length, 2);
});

Deno.test("vmikit cluster takes assembler source and a spec in JSON or XML", async () => {
  const files = {
    "hello.asm": bytes(
      "call msg_mesh\nmov esi, text\nmov ecx, 5\ncall msg_log\nmov eax, [msg_rank]\njmp msg_exit\ntext: db 'hello'\n",
    ),
    "s.json": bytes('{"chains":[{"name":"c","layers":["reliable","drop","loopback"]}]}'),
    "s.xml": bytes('<vmi><chain name="c"><layer device="loopback"/></chain></vmi>'),
    "bad.json": bytes('{"chains":[]}'),
    "null.json": bytes("null"),
    "bad.asm": bytes("mov eax, nothing"),
  };
  for (const spec of ["s.json", "s.xml"]) {
    const { code, out } = await run(`--nodes 2 --program hello.asm --spec ${spec}`, files);
    assertEquals(code, Exit.ok);
    assertStringIncludes(out, "rank 1: hello");
  }
  for (
    const [args, message] of [
      ["--spec bad.json", "not empty"],
      ["--spec null.json", "must be an object, not null"],
      ["--spec none.json", "no such file"],
      ["--program bad.asm", '"nothing" is not defined'],
      ["--clusters 1,1", "do not add up to 4"],
      ["--nodes 0", "from 1 to 4096"],
      ["--workers many", "a number of Workers"],
      ["--workers 2 --mpi", "not both"],
    ]
  ) {
    const { code, err } = await run(args, files);
    assertEquals([args, code], [args, Exit.usage]);
    assertStringIncludes(err, message);
  }
});

Deno.test("vmikit cluster finds modules beside the spec, and at addresses only when told to", async () => {
  const folder = await Deno.makeTempDir();
  const source = `export const module = { name: "m", abi: 1, kind: "filter", parameters: [],
    create: () => ({ open: (host) => ({ down: (f) => host.down(f), up: (f) => host.up(f) }) }) };`;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response(source));
  const module = `http://127.0.0.1:${server.addr.port}/m.js`;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(source)));
  const sha256 = [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
  const spec = (mine: unknown): Uint8Array =>
    bytes(JSON.stringify({ devices: { mine }, chains: [{ name: "c", layers: ["mine", "worker"] }] }));
  try {
    await Deno.writeTextFile(`${folder}/m.js`, source);
    const files = { [`${folder}/s.json`]: spec({ module: "./m.js" }), "far.json": spec({ module, sha256 }) };
    for (const more of [`--spec ${folder}/s.json`, "--spec far.json --remote-modules"]) {
      for (const workers of ["", " --workers 2"]) {
        const { code, out, err } = await run(`--nodes 2 --program ring ${more}${workers}`, files);
        assertEquals([code, err], [Exit.ok, ""]);
        assertStringIncludes(out, "mine > worker");
      }
    }
    const { code, err } = await run("--nodes 2 --program ring --spec far.json", files);
    assertEquals(code, Exit.usage);
    assertStringIncludes(err, "is at an address");
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("vmikit cluster tells by its exit code how the job ended", async () => {
  const files = {
    "wait.asm": bytes("call msg_mesh\nmov edi, b\nmov ecx, 4\ncall msg_receive\nb: dd 0"),
    "crash.asm": bytes("ud2"),
  };
  assertEquals((await run("--nodes 2 --program wait.asm", files)).code, Exit.limit);
  assertEquals((await run("--nodes 2 --program crash.asm", files)).code, Exit.crash);
  assertEquals((await run("--nodes 2 --program ring --size 1000 --limit 5", files)).code, Exit.limit);
  assertEquals((await run("--nodes 2 --program ring --size 1000 --limit 5 --workers 2", files)).code, Exit.limit);
});

Deno.test("vmikit cluster spreads nodes over Workers, in real time too, and places them by a profile", async () => {
  const files: Files = {};
  const alone = await run("--nodes 4 --program ring --json --profile p.jsonl", files);
  const spread = await run("--nodes 4 --program ring --json --workers 2 --profile p.jsonl", files);
  const [a, b] = [alone, spread].map(({ out }) =>
    JSON.parse(out) as { ranks: unknown; links: unknown[]; placement?: number[] }
  );
  assertEquals(JSON.stringify(b.ranks), JSON.stringify(a.ranks));
  assertEquals(JSON.stringify(b.links).replaceAll("worker", "loopback"), JSON.stringify(a.links));
  assertEquals(a.links.length, 8);
  assertEquals(b.placement?.length, 4);
  assertEquals(text(files["p.jsonl"]).trim().split("\n").length, 2); // Workers add to the database as well
  assertEquals((await run("--nodes 2 --program ep --size 16 --workers 2 --time real")).code, Exit.ok);
});

Deno.test("vmikit cluster places ranks that talk on one Worker, and a frame crosses less", async () => {
  // Ranks 0 and 2 talk, and 1 and 3: even blocks would separate both pairs.
  const source = `
  call msg_mesh
  mov ebp, 20
again:
  mov eax, [msg_rank]
  xor eax, 2
  mov esi, word_
  mov ecx, 4
  call msg_send
  mov edi, word_
  mov ecx, 4
  call msg_receive
  dec ebp
  jnz again
  xor eax, eax
  jmp msg_exit
word_: dd 0
`;
  const files: Files = { "pairs.asm": bytes(source) };
  const command = "--nodes 4 --program pairs.asm --json --workers 2 --profile p.jsonl";
  const first = JSON.parse((await run(command, files)).out) as { placement?: number[]; time: number };
  const second = JSON.parse((await run(command, files)).out) as { placement: number[]; time: number };
  assertEquals(first.placement, undefined);
  assertEquals(second.placement, [0, 1, 0, 1]);
  assertEquals(second.time, first.time); // virtual time does not depend on where ranks are
});

Deno.test("vmikit cluster shows how far Workers are", async () => {
  const said: string[] = [];
  let clock = 0;
  const io: Io = {
    out: () => {},
    err: (text) => void said.push(text),
    terminal: { input: false, output: false, error: true } as never,
    read: (path) => Promise.reject(new Deno.errors.NotFound(path)),
    write: () => Promise.resolve(),
    load: () => Promise.resolve({}),
    now: () => clock += 3000,
  };
  assertEquals(await main("cluster --nodes 2 --program ring --size 4000 --workers 2".split(" "), io), Exit.ok);
  assert(said.some((s) => /ms, [12] of 2 ranks at work, \d+ messages/.test(s)), said.join(""));
});
