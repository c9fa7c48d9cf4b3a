/**
 * Where in an instruction's bytes its constants lie: displacement and immediates. Source: SDM-2A chapter 2. Warm.
 */
import { type Decoded, immediateSize, NO_REGISTER } from "./decode.ts";

/** A constant of an instruction. */
export interface Field {
  /** Which one, by its name in {@linkcode Decoded}. */
  readonly name: "disp" | "imm" | "imm2";
  /** Offset from the first byte of the instruction. */
  readonly at: number;
  /** Bytes. */
  readonly size: number;
  /** It is sign-extended. */
  readonly signed: boolean;
  /** It is the distance to the target of a jump. */
  readonly isTarget: boolean;
}

/** The constants of an instruction in order; those of far transfers and 16-bit addresses are left out. */
export function fieldsOf(d: Decoded): Field[] {
  const fields: Field[] = [];
  let end = d.length;
  for (let n = d.row.operands.length - 1; n >= 0; n--) {
    const o = d.row.operands[n], size = immediateSize(o, d);
    if (size === 0) continue;
    end -= size;
    if (o === "Ap") return [];
    const isTarget = o[0] === "J";
    const name = o === "Ob" || o === "Ov" ? "disp" : "imm";
    if (name === "imm" || size === 4) {
      fields.unshift({ name, at: end, size, signed: isTarget || o === "sIb", isTarget });
    }
  }
  const second = fields.findLastIndex((f) => f.name === "imm");
  if (second > fields.findIndex((f) => f.name === "imm")) fields[second] = { ...fields[second], name: "imm2" };
  const mod = d.modrm >>> 6;
  const size = !d.isMem || d.addrSize === 16 ? 0 : mod === 1 ? 1 : mod === 2 || d.base === NO_REGISTER ? 4 : 0;
  // POP counts ESP as already moved, so its displacement is not the one in the code.
  if (size > 0 && fields.every((f) => f.name !== "disp") && d.row.sem !== "pop") {
    fields.unshift({ name: "disp", at: end - size, size, signed: true, isTarget: false });
  }
  return fields;
}
