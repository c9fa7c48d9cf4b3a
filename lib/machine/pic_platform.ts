/**
 * The interrupt routing of a PC with one CPU: sixteen lines on two 8259A. Cold.
 */
import type { InterruptControllers } from "../device/interrupt_controller.ts";
import type { Platform } from "./platform.ts";

/** A platform around the controllers; they are given to the machine as a device as well. */
export function picPlatform(controllers: InterruptControllers): Platform {
  return {
    irq: (n) => controllers.line(n),
    interrupts: (index) => index === 0 ? controllers : undefined,
    listen: (changed) => controllers.listen(changed),
  };
}
