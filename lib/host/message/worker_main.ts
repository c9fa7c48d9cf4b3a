/** Main file of a Worker that runs a part of a job: one task in, reports and one answer out. Cold. */
import type { JobProgress } from "../../vmi/message/job.ts";
import { workerPart, type WorkerTask } from "./run.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerTask>) => void) | null;
  postMessage(value: unknown): void;
}

const scope = self as unknown as WorkerScope;
scope.onmessage = (event): void => {
  const report = (progress: JobProgress): void => scope.postMessage({ progress });
  workerPart(event.data, report).then((answer) => scope.postMessage(answer));
};
