/**
 * The interrupt routing of a PC with one CPU: sixteen lines on two 8259A. Cold.
 */
import type { Pic8259 } from "../device/pic8259.ts";
import type { Platform } from "./platform.ts";

/** A platform around the controllers; they are given to the machine as a device as well. */
export function picPlatform(controllers: Pic8259): Platform {
  return {
    irq: (n) => controllers.line(n),
    interrupts: (index) => index === 0 ? controllers : undefined,
    listen: (changed) => controllers.onChange(changed),
  };
}
