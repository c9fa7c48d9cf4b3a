/**
 * All system instructions by the `sem` of their rows. Cold data.
 */
import type { SystemFn } from "../context.ts";
import { CONTROL_REGISTERS } from "./control_registers.ts";
import { CPUID } from "./cpuid.ts";
import { DEBUG_REGISTERS } from "./debug_registers.ts";
import { DESCRIPTOR_TABLES } from "./descriptor_tables.ts";
import { FAR_TRANSFER } from "./far_transfer.ts";
import { FLAGS_IO } from "./flags_io.ts";
import { INTERRUPT } from "./interrupt.ts";
import { INTERRUPT_RETURN } from "./interrupt_return.ts";
import { MSR } from "./msr.ts";
import { PORT_IO } from "./port_io.ts";
import { PROCESSOR } from "./processor.ts";
import { SEGMENT_MOVES } from "./segment_moves.ts";
import { SELECTOR_CHECKS } from "./selector_checks.ts";
import { SYSCALL } from "./syscall.ts";

/** Functions by name. */
export const SYSTEM_FNS: Readonly<Record<string, SystemFn>> = {
  ...SEGMENT_MOVES,
  ...FLAGS_IO,
  ...INTERRUPT,
  ...INTERRUPT_RETURN,
  ...FAR_TRANSFER,
  ...CONTROL_REGISTERS,
  ...DEBUG_REGISTERS,
  ...DESCRIPTOR_TABLES,
  ...SELECTOR_CHECKS,
  ...MSR,
  ...CPUID,
  ...PORT_IO,
  ...SYSCALL,
  ...PROCESSOR,
};
