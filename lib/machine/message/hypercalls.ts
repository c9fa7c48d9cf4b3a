/**
 * Message hypercalls by VMCALL or VMMCALL: EAX holds 0x564D0000 + the command, EBX the guest-physical address of the
 * entry; EAX returns the status. It is the same as the port form, for guests in protected mode. WAIT answers success at
 * once and stalls the CPU behind the instruction; what it waited for stands in memory. Warm.
 */
import type { Section } from "../../core/component.ts";
import { MESSAGE_HYPERCALL } from "../../spec/message_abi.ts";
import { Reg } from "../../spec/i386_regs.ts";
import type { MessageCard } from "../../vmi/message/guest/card.ts";
import type { Region } from "../../memory/region.ts";
import type { Hypervisor, HypervisorHost } from "../platform.ts";

/** The gate of one machine. */
export class MessageHypercalls implements Hypervisor {
  /** Name of the component. */
  readonly name = "message-calls";
  /** It brings no ROM. */
  readonly regions: readonly Region[] = [];
  readonly #card: MessageCard;
  #host: HypervisorHost | undefined;

  /** Makes one. @param card The machine's message card. */
  constructor(card: MessageCard) {
    this.#card = card;
  }

  /** See {@linkcode Hypervisor.attach}. */
  attach(host: HypervisorHost): void {
    this.#host = host;
  }

  /** Has no state of its own. */
  reset(): void {}

  /** Has no state of its own. */
  save(): Section {
    return { version: 1, fields: {} };
  }

  /** Has no state of its own. */
  load(_section: Section): void {}

  /** Answers a message hypercall; others are left to be undefined instructions. */
  hypercall(cpu: number): boolean {
    const context = this.#host?.context(cpu);
    if (context === undefined) return false;
    const eax = context.reg(Reg.eax);
    if (eax >>> 16 !== MESSAGE_HYPERCALL) return false;
    this.#card.call(context.reg(Reg.ebx), eax & 0xffff, (status) => context.setReg(Reg.eax, status));
    return true;
  }
}
