/** Main file of a Worker that runs a part of a job: one task in, one answer out. Cold. */
import { workerPart, type WorkerTask } from "./run.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerTask>) => void) | null;
  postMessage(value: unknown): void;
}

const scope = self as unknown as WorkerScope;
scope.onmessage = (event): void => {
  workerPart(event.data).then((answer) => scope.postMessage(answer));
};
