/**
 * A real browser for tests: chromium without a window, driven by the DevTools protocol over its WebSocket. Profile and
 * process end with it. Cold.
 */

/** How long a page may take for anything. */
const PATIENCE_MS = 60_000;

/** A page in the browser. */
export interface Page {
  /** Evaluates an expression in the page; its value as data. @throws {Error} what the page threw. */
  evaluate(expression: string): Promise<unknown>;
  /** Waits until an expression is true. @throws {Error} with the last value of `show`. */
  until(expression: string, show?: string): Promise<void>;
  /** Presses the mouse in the middle of an element. */
  click(selector: string): Promise<void>;
  /** Types a text as a keyboard would, to whatever has the focus. */
  type(text: string): Promise<void>;
  /** Presses and releases one key, to whatever has the focus. */
  press(key: string): Promise<void>;
  /** Errors and failed loads the page has reported so far. */
  readonly complaints: readonly string[];
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Opens an address, does something with the page, and ends the browser. */
export async function withPage(url: string, use: (page: Page) => Promise<void>): Promise<void> {
  const profile = await Deno.makeTempDir({ prefix: "vmikit-chromium-" });
  const browser = new Deno.Command("chromium", {
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"],
      ...["--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"],
    ],
    env: { HOME: profile },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const { address, end } = devTools(browser.stderr);
  try {
    const line = await Line.open(await address);
    try {
      await use(await openPage(line, url));
    } finally {
      await line.close();
    }
  } finally {
    browser.kill("SIGKILL");
    await browser.status;
    await end; // its helpers hold the line for a moment
    await removeFolder(profile);
  }
}

/** Its helpers may still write for a moment. */
async function removeFolder(path: string): Promise<void> {
  for (let n = 0; n < 20; n++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      await wait(100);
    }
  }
}

/** The address chromium says on standard error; the rest of what it says is read and forgotten, up to its end. */
function devTools(
  stderr: ReadableStream<Uint8Array>,
): { readonly address: Promise<string>; readonly end: Promise<void> } {
  let said = "";
  const { promise: address, resolve, reject } = Promise.withResolvers<string>();
  const read = async (): Promise<void> => {
    for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
      if (said.length < 1 << 16) said += text;
      const found = /DevTools listening on (ws:\S+)/.exec(said);
      if (found !== null) resolve(found[1]);
    }
    reject(new Error(`chromium ended: ${said.slice(-1000)}`));
  };
  return { address, end: read() };
}

/** Requests and replies of the protocol. */
class Line {
  readonly #socket: WebSocket;
  readonly #waiting: Map<number, (reply: Reply) => void> = new Map();
  #next = 1;
  /** Told of events. */
  onEvent: (reply: Reply) => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const reply = JSON.parse(data) as Reply;
      if (reply.id === undefined) return this.onEvent(reply);
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
  }

  static async open(address: string): Promise<Line> {
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", () => reject(new Error(`no DevTools at ${address}`)), { once: true });
    });
    return new Line(socket);
  }

  async ask(method: string, params: object, sessionId?: string): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, resolve);
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    const { result, error } = await promise;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.addEventListener("close", resolve, { once: true }));
    this.#socket.close();
    await closed;
  }
}

async function openPage(line: Line, url: string): Promise<Page> {
  const { targetId } = await line.ask("Target.createTarget", { url: "about:blank" });
  const attached = await line.ask("Target.attachToTarget", { targetId, flatten: true });
  const session = attached["sessionId"] as string;
  const complaints: string[] = [];
  line.onEvent = ({ method, params }) => {
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") complaints.push(JSON.stringify(params));
  };
  const ask = (method: string, params: object = {}): Promise<Record<string, unknown>> =>
    line.ask(method, params, session);
  for (const domain of ["Runtime", "Log", "Page"]) await ask(`${domain}.enable`);
  await ask("Page.navigate", { url });
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await ask("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value?: unknown }).value;
  };
  return { complaints, evaluate, until: (e, show) => until(evaluate, e, show), ...hands(ask, evaluate) };
}

async function until(evaluate: Page["evaluate"], expression: string, show = expression): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    if (await evaluate(`Boolean(${expression})`) === true) return;
    await wait(50);
  }
  throw new Error(`The page never came to ${expression}; at the end: ${JSON.stringify(await evaluate(show))}`);
}

function hands(
  ask: (method: string, params: object) => Promise<unknown>,
  evaluate: Page["evaluate"],
): Pick<Page, "click" | "type" | "press"> {
  return {
    click: async (selector) => {
      const [x, y] = await evaluate(`(() => {
        const e = document.querySelector(${JSON.stringify(selector)});
        e.scrollIntoView({ block: "center" });
        const r = e.getBoundingClientRect();
        return [r.x + r.width / 2, r.y + r.height / 2];
      })()`) as [number, number];
      const mouse = { x, y, button: "left", clickCount: 1 };
      await ask("Input.dispatchMouseEvent", { type: "mousePressed", ...mouse });
      await ask("Input.dispatchMouseEvent", { type: "mouseReleased", ...mouse });
    },
    press: async (key) => {
      for (const type of ["keyDown", "keyUp"]) await ask("Input.dispatchKeyEvent", { type, key });
    },
    type: async (text) => {
      for (const key of text) await ask("Input.dispatchKeyEvent", { type: "char", text: key });
    },
  };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
