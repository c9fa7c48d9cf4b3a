/** Every device on one fake board. */
import { i440fx } from "../../../lib/device/i440fx.ts";
import { i8042 } from "../../../lib/device/i8042.ts";
import { memoryImage } from "../../../lib/device/block_image.ts";
import { pciBus } from "../../../lib/device/pci_bus.ts";
import { pic8259 } from "../../../lib/device/pic8259.ts";
import { piix3Ide } from "../../../lib/device/piix3_ide.ts";
import { piix3Isa } from "../../../lib/device/piix3_isa.ts";
import { piix4Pm } from "../../../lib/device/piix4_pm.ts";
import { pit8254 } from "../../../lib/device/pit8254.ts";
import { rtcMc146818 } from "../../../lib/device/rtc_mc146818.ts";
import { debugConsole, port92, postCode } from "../../../lib/device/small_ports.ts";
import { uart16550 } from "../../../lib/device/uart16550.ts";
import { vgaText } from "../../../lib/device/vga_text.ts";
import { FakeHost } from "./fake_host.ts";

/** A host with all devices attached. */
export function fullBoard(): FakeHost {
  const host = new FakeHost(1_000_000);
  const bus = pciBus();
  const isa = piix3Isa();
  const ide = piix3Ide({ drives: [{ kind: "disk", image: memoryImage(new Uint8Array(512 * 64)) }] });
  const pm = piix4Pm();
  bus.add(0, 0, i440fx());
  bus.add(1, 0, isa.pci);
  bus.add(1, 1, ide.pci);
  bus.add(1, 3, pm.pci);
  const uart2 = uart16550({ name: "uart1", port: 0x2f8, irq: 3 });
  const all = [pic8259(), pit8254(), rtcMc146818(), i8042(), port92(), debugConsole(), postCode(), uart16550(), uart2];
  for (const d of [...all, vgaText(), isa, ide, pm, bus]) host.add(d);
  return host;
}
