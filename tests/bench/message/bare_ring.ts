/** One end of a ping-pong over the bare rings of two Workers. */
import { WorkerTransport } from "../../../lib/host/mod.ts";
import { BATCHES, rounds, SIZES } from "./jobs.ts";

interface Scope {
  onmessage: ((e: MessageEvent<{ memory: SharedArrayBuffer; process: number }>) => void) | null;
  postMessage(value: number[]): void;
}

const scope = self as unknown as Scope;
scope.onmessage = async ({ data: { memory, process } }): Promise<void> => {
  const transport = new WorkerTransport(memory, process, 2);
  const receive = async (): Promise<void> => {
    while (transport.poll(() => {}) === 0) await transport.sleep(50);
  };
  const result: number[] = [];
  for (const size of SIZES) {
    const record = new Uint8Array(size + 100); // a frame's head comes with it
    const n = rounds(size);
    let best = Infinity;
    for (let batch = 0; batch < BATCHES; batch++) {
      const start = performance.now();
      for (let i = 0; i < n; i++) {
        if (process === 1) await receive();
        transport.send(1 - process, record);
        if (process === 0) await receive();
      }
      best = Math.min(best, ((performance.now() - start) * 1000) / (2 * n));
    }
    result.push(best);
  }
  await transport.close();
  scope.postMessage(result);
};
