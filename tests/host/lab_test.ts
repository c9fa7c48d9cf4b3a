/**
 * The lab page in a real browser against `vmikit lab`, each as a process of its own: the page loads, the guest that ships
 * runs, registers change on a step, a step back returns, the time line shows calls, typed keys reach a guest.
 */
import { asm16 } from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes, fromFileUrl, join } from "../../scripts/deps/std.ts";
import { toolSync } from "../guests/tool.ts";
import { type Page, withPage } from "./browser.ts";

const chromium = toolSync("chromium");
const missing = chromium.available ? "" : ` (${chromium.reason})`;
const PROGRAM = fromFileUrl(new URL("../../scripts/vmikit.ts", import.meta.url));

/** Starts `vmikit lab`, opens its page, and ends both; the command must end as at Ctrl-C. */
async function withLab(args: readonly string[], use: (page: Page) => Promise<void>): Promise<void> {
  const lab = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", "--allow-net=127.0.0.1", PROGRAM, "lab", "--json", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let out = "";
  try {
    for await (const text of lab.stdout.pipeThrough(new TextDecoderStream())) {
      const first = out === "";
      out += text;
      if (!first) continue;
      await withPage(JSON.parse(out.split("\n", 1)[0]).url, use);
      lab.kill("SIGINT");
    }
    assertEquals((await lab.status).code, 130);
    assertEquals(JSON.parse(out.trim().split("\n")[1]), { exit: 130 });
  } catch (error) {
    lab.kill("SIGKILL");
    await lab.status;
    throw error;
  }
}

/** What the page shows of a register. */
const register = (name: string): string => `document.querySelector("[data-register=${name}]")?.textContent`;
const text = (id: string): string => `document.getElementById("${id}").textContent`;
/** The terminal's rows as text; a no-break space is what it draws for a blank. */
const CONSOLE = `document.querySelector("#console .xterm-rows").innerText.replaceAll("\\u00a0", " ")`;
const count = (selector: string): string => `document.querySelectorAll("${selector}").length`;

for (const engine of ["interpreter", "jit"]) {
  Deno.test({
    name: `the lab page runs the guest that ships and shows it (${engine})${missing}`,
    ignore: !chromium.available,
    fn: () =>
      withLab(["--engine", engine], async (page) => {
        await page.until(`${register("eip")} !== undefined`);
        assertEquals(await page.evaluate(text("said")), "at the beginning");
        const begin = await page.evaluate(register("eip"));
        assert(/^0x[0-9a-f]{8}$/.test(String(begin)));
        const code = await page.evaluate(`document.querySelector("#code td").textContent`);
        assertEquals(`0x${code}`, begin);

        await page.click("#step");
        await page.until(`${text("said")} === "stepped one instruction"`);
        const stepped = await page.evaluate(register("eip"));
        assert(stepped !== begin);
        assert(Number(await page.evaluate(count("#registers .changed"))) > 0);
        await page.click("#back");
        await page.until(`${text("said")} === "went back one instruction"`);
        assertEquals(await page.evaluate(register("eip")), begin);

        await page.click("#run");
        await page.until(`${CONSOLE}.includes("ready")`, CONSOLE);
        await page.until(`${text("said")} !== "running" || !document.getElementById("pause").disabled`);
        if (await page.evaluate(text("said")) === "running") await page.click("#pause");
        await page.until(`document.getElementById("pause").disabled`);
        assertStringIncludes(String(await page.evaluate(text("calls-head"))), "shadow: ");
        assert(Number(await page.evaluate(count("#calls tr"))) > 10);
        assert(Number(await page.evaluate(count("#calls-picture rect"))) > 10);
        assertStringIncludes(String(await page.evaluate(text("paging"))), "32-bit");
        await page.click("#map .table");
        await page.until(`${text("ranges")}.includes("->")`);

        const state = `JSON.stringify([${text("registers")}, ${text("time")}])`;
        const there = await page.evaluate(state);
        await page.evaluate(`document.getElementById("count").value = "1000"`);
        await page.click("#back");
        await page.until(`${text("said")} === "went back 1000 instructions"`);
        assert(await page.evaluate(state) !== there);
        await page.click("#step");
        await page.until(`${text("said")} === "stepped 1000 instructions"`);
        assertEquals(await page.evaluate(register("eip")), JSON.parse(String(there))[0].match(/eip(0x[0-9a-f]{8})/)[1]);

        await page.click("#restart");
        await page.until(`${text("said")} === "at the beginning"`);
        assertEquals(await page.evaluate(register("eip")), begin);
        await page.until(`${count("#calls tr")} === 0 && !${CONSOLE}.includes("ready")`);
        assertEquals(page.complaints, []);
      }),
  });
}

/** Echoes each byte of the serial line with its successor. */
const ECHO = asm16`
  mov dx, 0x3fd
again:
  in al, dx
  test al, 1
  jz again
  mov dl, 0xf8
  in al, dx
  inc al
  out dx, al
  mov dl, 0xfd
  jmp again`;

/** Writes a K to the text screen, and an A beside it for each press of the key A. */
const SCREEN = asm16`
  mov ax, 0xb800
  mov ds, ax
  xor bx, bx
  mov al, 'K'
put:
  mov ah, 7
  mov [bx], ax
  add bx, 2
again:
  in al, 0x64
  test al, 1
  jz again
  in al, 0x60
  cmp al, 0x1e
  jne again
  mov al, 'A'
  jmp put`;

/** Opens the lab for a bare program. */
async function withProgram(bytes: Uint8Array, use: (page: Page) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vmikit-lab-" });
  try {
    const image = join(folder, "program.bin");
    await Deno.writeFile(image, bytes);
    await withLab(["--image", `${image}@0x7c00`], use);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: `the lab page types to the guest, and keys are typed again on the way back${missing}`,
  ignore: !chromium.available,
  fn: () =>
    withProgram(ECHO.bytes, async (page) => {
      await page.until(`${register("eip")} !== undefined`);
      await page.click("#run");
      await page.click("#console");
      await page.type("HAL");
      await page.until(`${CONSOLE}.includes("IBM")`, CONSOLE);
      await page.click("#pause");
      await page.until(`${text("said")} === "paused"`);
      await page.click("#back");
      await page.until(`${text("said")} === "went back one instruction"`);
      await page.until(`${CONSOLE}.includes("IBM")`, CONSOLE);
      assertStringIncludes(String(await page.evaluate(text("calls-head"))), "nobody answers");
      assertEquals(await page.evaluate(text("paging")), "off");
      assertEquals(page.complaints, []);
    }),
});

/** Counts in AX. */
const COUNT = asm16`
again:
  inc ax
  mov [0x500], ax
  jmp again`;

Deno.test({
  name: `the lab page sets breakpoints, ends runs there, takes them away, and shows memory${missing}`,
  ignore: !chromium.available,
  fn: () =>
    withProgram(COUNT.bytes, async (page) => {
      await page.until(`${count("#code tr")} > 2`);
      await page.click("#code tr:nth-child(2)");
      await page.until(`${count("#code .breakpoint")} === 1`);
      for (const value of ["00000001", "00000002"]) {
        await page.click("#run");
        await page.until(`${register("eax")} === "0x${value}"`, register("eax"));
        await page.until(`${text("said")} === "breakpoint 00007c01 ended the run at EIP 00007c01"`, text("said"));
      }
      await page.click("#breakpoints button");
      await page.until(`${count("#code .breakpoint")} === 0`);
      const type = (id: string, value: string): Promise<unknown> =>
        page.evaluate(
          `{ const f = document.getElementById("${id}"); f.value = "${value}"; f.dispatchEvent(new Event("change")); }`,
        );
      await type("memory-at", "500");
      await page.until(`${text("memory")}.startsWith("00000500  01 00 ")`, text("memory"));
      await page.click("#memory-on");
      await page.until(`${text("memory")}.startsWith("00000600  ")`, text("memory"));
      await type("breakpoint", "0x7c04");
      await page.until(`${text("breakpoints")} === "00007c04"`);
      await page.click("#run");
      await page.until(`${register("eip")} === "0x00007c04"`, register("eip"));
      assertEquals(page.complaints, []);
    }),
});

Deno.test({
  name: `the lab page shows the text screen and presses keys there${missing}`,
  ignore: !chromium.available,
  fn: () =>
    withProgram(SCREEN.bytes, async (page) => {
      await page.until(`${register("eip")} !== undefined`);
      await page.click("#run");
      await page.until(`${text("screen")}.startsWith("K")`, text("screen"));
      await page.click("#screen");
      await page.press("a");
      await page.until(`${text("screen")}.startsWith("KA")`, text("screen"));
      assertEquals(page.complaints, []);
    }),
});

Deno.test({
  name: `the lab page shows a cluster's messages on a time line and the machine of each rank${missing}`,
  ignore: !chromium.available,
  fn: () =>
    withLab(["--program", "guest-ring", "--nodes", "3"], async (page) => {
      await page.until(`${register("eip")} !== undefined`);
      await page.click("#run");
      await page.until(`${text("said")} === "every rank is done"`, text("said"));
      await page.until(`${count("#messages-picture line[stroke='#1f77b4']")} > 20`);
      assertStringIncludes(String(await page.evaluate(text("ranks"))), "rank 2: done at ");
      const shown = await page.evaluate(text("registers"));
      await page.evaluate(`document.getElementById("count").value = "20"`);
      await page.click("#back");
      await page.until(`/^at [0-9.]+ us$/.test(${text("said")})`, text("said"));
      assert(await page.evaluate(text("registers")) !== shown);
      await page.click("#restart");
      await page.until(`${text("said")} === "at the beginning" && ${text("messages-head")} === "0 messages"`);
      assertEquals(await page.evaluate(`getComputedStyle(document.getElementById("calls-part")).display`), "none");
      assertEquals(page.complaints, []);
    }),
});
