/**
 * CPU time of processes, user and system together, as the shell's `time` tells it. Cold.
 */

/** How a process went. */
export interface Timed {
  /** Seconds of CPU time, of it and the processes it waited for. */
  readonly seconds: number;
  /** Its exit code. */
  readonly code: number;
  /** The end of what it said on standard error. */
  readonly said: string;
}

const SCRIPT = `TIMEFORMAT='%U %S'; time "$@" </dev/null >/dev/null`;

/** Runs a program to its end, or kills it after `limit` seconds of wall time (exit code 124). */
export async function timed(command: readonly string[], limit = 300): Promise<Timed> {
  const { code, stderr } = await new Deno.Command("bash", {
    args: ["--norc", "-c", SCRIPT, "bash", "timeout", String(limit), ...command],
    env: { NO_COLOR: "1", LC_ALL: "C", DENO_NO_UPDATE_CHECK: "1" },
    stdout: "null",
  }).output();
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
  const [user, system] = (lines.pop() ?? "").split(" ").map(Number);
  if (!Number.isFinite(user + system)) throw new Error(`bash printed no times for ${command[0]}`);
  return { seconds: user + system, code, said: lines.slice(-3).join("\n") };
}

/** Middle value; of an even number the lower one of the two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1];
}
