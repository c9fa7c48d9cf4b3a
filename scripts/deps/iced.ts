/**
 * iced-x86, an independent decoder, as an oracle for lengths. Tests and scripts only. Cold.
 */
export { Code, CpuidFeature, Decoder, DecoderOptions, Instruction } from "npm:iced-x86@1.21.0";
