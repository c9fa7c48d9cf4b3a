/**
 * Loaded before tests by `deno task test --engine NAME`: CPUs for which a test names no engine have this one. Programs that
 * tests start and Workers that they make have the usual engine. Cold.
 */
import { i386, usual } from "../lib/cpu/i386/factory.ts";

const name = Deno.env.get("VMIKIT_ENGINE");
if (name !== undefined) {
  const engine = name as typeof usual.engine;
  i386({ engine }); // refuses what is no engine
  usual.engine = engine;
}
