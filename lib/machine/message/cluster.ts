/**
 * Cluster: a job whose ranks are emulated machines with private memory, host-side programs, or both. Each machine has a
 * message card; its program finds its rank there. Cold.
 */
import { MiB } from "../../base/bits.ts";
import { ConfigError } from "../../core/errors.ts";
import { type EngineName, i386 } from "../../cpu/i386/factory.ts";
import { pciBus } from "../../device/pci_bus.ts";
import { ram } from "../../memory/region.ts";
import type { MessageCard } from "../../vmi/message/guest/card.ts";
import { Job, type JobOptions } from "../../vmi/message/job.ts";
import { HostNode, type RankProgram } from "../../vmi/message/node.ts";
import type { Runtime } from "../../vmi/message/runtime.ts";
import { checkKeys } from "../../core/keys.ts";
import { integer } from "../config.ts";
import { type Machine, machine } from "../machine.ts";
import { PcPlatform } from "../pc_platform.ts";
import type { Bootable, Program } from "../program.ts";
import { GuestNode } from "./guest_node.ts";
import { MessageHypercalls } from "./hypercalls.ts";

/** What a node runs: a program or an image (such as `elf()` makes) for a machine, or a host-side program. */
export type NodeProgram = Program | Bootable | RankProgram;

/** A cluster. All options of a job but `program`, `node` and `ranks` are there as well. */
export interface ClusterOptions extends Omit<JobOptions, "ranks" | "program" | "node"> {
  /** Nodes. */
  readonly nodes: number;
  /** One program for all nodes, or one each. */
  readonly program: NodeProgram | readonly NodeProgram[];
  /** Where programs for machines are loaded; default 0x100000. Images say themselves. */
  readonly at?: number;
  /** Bytes of RAM of a machine; default 4 MiB. */
  readonly memory?: number;
  /** Engine of the machines. */
  readonly engine?: EngineName;
  /** Instructions a machine executes in a second of virtual time; default 100 000 000. */
  readonly hz?: number;
  /**
   * May machines run ahead of messages that they cannot notice before their next call? Default: true, where all ranks are
   * machines. It changes no result, only how fast a job in virtual time runs.
   */
  readonly ahead?: boolean;
  /** Makes a machine for a card, instead of the plain one; its program is loaded afterwards. */
  readonly machine?: (rank: number, card: MessageCard) => Machine;
}

const KEYS = [
  ...[
    "nodes",
    "program",
    "at",
    "memory",
    "engine",
    "hz",
    "ahead",
    "machine",
    "spec",
    "modules",
    "key",
    "seed",
    "time",
    "clock",
  ],
  ...["clusters", "limits", "transport", "placement", "lostProcess"],
];

/** Slot of the card in a plain machine. */
const SLOT = 3;
/** Interrupt line of the card in a plain machine. */
const LINE = 11;

/** A job of machines. */
export class Cluster extends Job {
  /** The machine of a rank. @throws {ConfigError} message-machine: the rank is a host-side program. */
  machine(rank: number): Machine {
    const node = this.node(rank);
    if (node instanceof GuestNode) return node.machine;
    throw new ConfigError("message-machine", `Rank ${rank} is a host-side program and has no machine`);
  }
}

/**
 * Makes a cluster; run it with `await cluster(...).run()`.
 * @throws {ConfigError} For everything that is wrong with the description.
 */
export function cluster(options: ClusterOptions): Cluster {
  checkKeys("cluster", options, KEYS);
  const { nodes, program, at, memory, engine, hz, ahead = true, machine: maker, ...rest } = options;
  const programs = Array.isArray(program) ? program as readonly NodeProgram[] : undefined;
  if (programs !== undefined && programs.length !== nodes) {
    throw new ConfigError("message-program", `There are ${programs.length} programs for ${nodes} nodes`);
  }
  for (const [i, one] of (programs ?? [program]).entries()) {
    if (typeof one === "function" || (typeof one === "object" && one !== null)) continue;
    const where = programs === undefined ? "program" : `program[${i}]`;
    throw new ConfigError("message-program", `${where} must be a program, an image or a function, not ${one}`);
  }
  if (maker !== undefined && typeof maker !== "function") {
    throw new ConfigError("message-machine", "machine must be a function that makes a machine");
  }
  if (typeof ahead !== "boolean") {
    throw new ConfigError("message-ahead", `ahead must be true or false, not ${String(ahead)}`);
  }
  const runsAhead = ahead && (programs ?? [program]).every((one) => typeof one !== "function");
  const size = integer("memory", memory, 4 * MiB, 1 * MiB, 2 ** 31);
  const entry = integer("at", at, 0x100000, 0, 2 ** 32 - 1);
  return new Cluster({
    ...rest,
    ranks: nodes,
    node: (rank, runtime: Runtime, queue, job) => {
      const mine = programs?.[rank] ?? program as NodeProgram;
      if (typeof mine === "function") return new HostNode(runtime, queue, mine, (text) => job.log(text));
      const node = new GuestNode(runtime, queue, (text) => job.log(text), runsAhead);
      const m = maker?.(rank, node.card) ?? plain(node.card, size, engine, hz);
      node.plug(m);
      if ("load" in mine) m.boot(mine);
      else m.load(entry, mine);
      return node;
    },
  });
}

/** A CPU, RAM, interrupt controllers, a PCI bus with the card in slot 3, line 11. */
function plain(card: MessageCard, size: number, engine: EngineName | undefined, hz: number | undefined): Machine {
  const platform = new PcPlatform(1, 1 << LINE);
  const bus = pciBus();
  bus.add(SLOT, 0, card.pci);
  card.pci.config[0x3c] = LINE;
  card.wire(() => platform.irq(LINE));
  card.signals((address, data) => platform.signal(address, data));
  return machine({
    cpu: i386(engine === undefined ? {} : { engine }),
    memory: [ram({ at: 0, size })],
    devices: [bus, card, ...platform.devices],
    platform,
    paravirt: new MessageHypercalls(card),
    ...(hz === undefined ? {} : { hz }),
  });
}
