/** FXSAVE images to and from a state block, written apart from the instructions FXSAVE and FXRSTOR. Source: SDM-2A table 3-47. */
import { type CpuState, Layout } from "../../lib/cpu/i386/state.ts";
import { WINDOW_BYTES } from "./case.ts";

/** Loads an image. */
export function loadImage(s: CpuState, fx: Uint8Array): void {
  const view = new DataView(fx.buffer, fx.byteOffset, fx.byteLength);
  const fsw = view.getUint16(2, true), top = (fsw >> 11) & 7, fcw = view.getUint16(0, true);
  s.set(Layout.fcw, fcw);
  s.set(Layout.fsw, fsw & 0x4740 | fsw & 0x3f | ((fsw & ~fcw & 0x3f) !== 0 ? 0x8080 : 0));
  s.set(Layout.ftop, top);
  s.set(Layout.fempty, ~fx[4] & 0xff);
  s.set(Layout.mxcsr, view.getInt32(24, true));
  for (let i = 0; i < 8; i++) {
    s.u8.set(fx.subarray(32 + 16 * i, 42 + 16 * i), Layout.fpr + 16 * ((top + i) & 7));
  }
  s.u8.set(fx.subarray(160, 288), Layout.xmm);
}

/** The image of a state. */
export function imageOf(s: CpuState): Uint8Array {
  const fx = new Uint8Array(512), view = new DataView(fx.buffer);
  const top = s.get(Layout.ftop);
  view.setUint16(0, s.get(Layout.fcw), true);
  view.setUint16(2, s.get(Layout.fsw) & ~0x3800 | (top << 11), true);
  fx[4] = ~s.get(Layout.fempty);
  view.setInt32(24, s.get(Layout.mxcsr), true);
  for (let i = 0; i < 8; i++) {
    const at = Layout.fpr + 16 * ((top + i) & 7);
    fx.set(s.u8.subarray(at, at + 10), 32 + 16 * i);
  }
  fx.set(s.u8.subarray(Layout.xmm, Layout.xmm + 128), 160);
  return fx;
}

/** Hash of the data page before the window, as the native runner computes it. */
export function hashPage(page: DataView): number {
  let hash = 0;
  for (let at = 0; at < 4096 - WINDOW_BYTES; at += 4) hash = (Math.imul(hash, 31) + page.getInt32(at, true)) | 0;
  return hash >>> 0;
}
