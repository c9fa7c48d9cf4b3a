/** Half a round trip over the bare ring, two Workers with nothing above it. */
import { ringMemory } from "../../../lib/host/mod.ts";

/** Measures, us. */
export async function bareHalfRoundTrip(size: number): Promise<number> {
  const memory = ringMemory(2);
  const workers = [0, 1].map(() => new Worker(new URL("./bare_main.ts", import.meta.url), { type: "module" }));
  const results = await Promise.all(workers.map((worker, process) =>
    new Promise<number>((resolve) => {
      worker.onmessage = (e: MessageEvent<number>): void => resolve(e.data);
      worker.postMessage({ memory, process, size });
    })
  ));
  for (const w of workers) w.terminate();
  return Math.min(...results);
}
