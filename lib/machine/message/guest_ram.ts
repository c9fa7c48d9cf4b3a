/**
 * RAM of a machine as its message card may touch it: whole ranges that lie in Regions of kind `ram`, nothing else. Warm.
 */
import type { AddressSpace } from "../../memory/address_space.ts";
import type { GuestRam } from "../../vmi/message/guest/registrations.ts";

/** Makes the view. @param space The machine's memory; asked for at each access, since the machine is made later. */
export function guestRam(space: () => AddressSpace | undefined): GuestRam {
  const has = (at: number, length: number): boolean => {
    const s = space();
    if (s === undefined || !Number.isInteger(at) || at < 0 || length < 0) return false;
    let from = at;
    for (const r of s.regions) {
      if (r.kind !== "ram" || from < r.at || from > r.at + r.size) continue;
      if (at + length <= r.at + r.size) return true;
      from = r.at + r.size; // the next Region may join on
    }
    return false;
  };
  return {
    has,
    read: (at, into) => has(at, into.length) && space()?.readPhysical(at, into) === into.length,
    write: (at, bytes) => has(at, bytes.length) && space()?.writePhysical(at, bytes) === bytes.length,
  };
}
