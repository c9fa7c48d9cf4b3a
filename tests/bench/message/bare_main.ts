/** One end of the bare ring's ping-pong. */
import { WorkerTransport } from "../../../lib/host/mod.ts";

const BATCHES = 40;
const ROUNDS = 500;

interface Scope {
  onmessage: ((e: MessageEvent<{ memory: SharedArrayBuffer; process: number; size: number }>) => void) | null;
  postMessage(value: number): void;
}

const scope = self as unknown as Scope;
scope.onmessage = async ({ data: { memory, process, size } }): Promise<void> => {
  const transport = new WorkerTransport(memory, process, 2);
  const record = new Uint8Array(size + 76); // a frame of that size
  const receive = async (): Promise<void> => {
    while (transport.poll(() => {}) === 0) await transport.sleep(50);
  };
  let best = Infinity;
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = performance.now();
    for (let i = 0; i < ROUNDS; i++) {
      if (process === 1) await receive();
      transport.send(1 - process, record);
      if (process === 0) await receive();
    }
    best = Math.min(best, ((performance.now() - start) * 1000) / (2 * ROUNDS));
  }
  scope.postMessage(best);
};
