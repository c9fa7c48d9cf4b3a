/**
 * What memory by linear address needs of its CPU. Cold contract.
 */

/** What the memory needs of its CPU. */
export interface MemoryHost {
  /** Records a fault in the state and throws; `linear` is the faulting address of #PF. */
  pageFault(linear: number, errorCode: number): never;
  /** Records a page fault in the state and throws nothing. */
  notePageFault(linear: number, errorCode: number): void;
  /** Raises a fault. */
  raise(vector: number, errorCode?: number): never;
  /** Leave to the run loop after this instruction: a trap is due. */
  attention(): void;
  /** A translation was missing in the modelled look-aside table; `steps` entries of tables were read. */
  missed(steps: number): void;
}
