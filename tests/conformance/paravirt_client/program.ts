/** The client kernel as one program: its parts in order, its timeline, and what it says when it is done. Cold. */
import { assemble } from "../../../mod.ts";
import { activation, activationData, probe } from "./activation.ts";
import { flagSteps, interruptSteps, registerSteps, tableSteps, unpatched } from "./cpu_steps.ts";
import { handlers } from "./handlers.ts";
import { checked, head, headData, ORIGIN } from "./head.ts";
import { Kit } from "./kit.ts";
import { directMap, earlyFixmap, mappingSteps } from "./mmu_steps.ts";
import { natives } from "./natives.ts";
import { processSteps } from "./process_steps.ts";
import type { Config } from "./releases.ts";
import { smpSteps } from "./smp_steps.ts";
import { timeSteps } from "./time_steps.ts";

/** A client kernel, assembled. */
export interface Program {
  readonly kit: Kit;
  readonly bytes: Uint8Array;
  readonly labels: ReadonlyMap<string, number>;
}

const CACHE = new Map<string, Program>();

/** The client kernel of a release and configuration. */
export function program(config: Config): Program {
  const key = JSON.stringify(config), there = CACHE.get(key);
  if (there !== undefined) return there;
  const kit = new Kit(config);
  const { bytes, labels } = assemble(source(kit), { origin: ORIGIN, bits: 32 });
  const made = { kit, bytes, labels };
  CACHE.set(key, made);
  return made;
}

function source(kit: Kit): string {
  const { release: r } = kit.config;
  const stage = (n: number): string => `mov dword [stage], ${n}`;
  const parts = [
    head(kit),
    stage(1),
    r.probesFirst ? "call probe" : "",
    earlyFixmap(kit),
    r.probesFirst ? "" : "call probe",
    "call activate",
    stage(10),
    "call register_steps",
    stage(11),
    "call table_steps",
    stage(12),
    "call interrupt_steps",
    "call flag_steps",
    stage(13),
    "call direct_map",
    stage(14),
    "call mapping_steps",
    stage(15),
    "call vmalloc_steps",
    stage(20),
    "call time_steps",
    stage(21),
    kit.config.smp === true ? "call smp_steps" : "",
    stage(16),
    "call first_process",
    stage(17),
    "mov dword [demand], demand_user",
    "call sysenter_steps",
    "mov dword [demand], 0",
    stage(18),
    "call bad_returns",
    stage(19),
    "call fork_steps",
    stage(100),
    kit.call("Shutdown"),
    "jmp bug_stop",
    probe(kit),
    activation(kit),
    unpatched(kit),
    registerSteps(kit),
    tableSteps(kit),
    interruptSteps(kit),
    flagSteps(kit),
    directMap(kit),
    mappingSteps(kit),
    timeSteps(kit),
    kit.config.smp === true ? smpSteps(kit) : "",
    processSteps(kit),
    handlers(kit),
    checked(kit),
  ];
  return [...parts, kit.thunks, headData(kit), activationData(kit), natives(kit), "apic_page: dd 0", ""].join("\n");
}
