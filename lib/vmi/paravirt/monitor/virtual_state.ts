/**
 * The registers a guest believes to have: what it has set, kept by the monitor, while the real ones are the monitor's.
 * All are plain numbers, so that a snapshot is a copy. Cold data.
 */

/** Virtual registers of one CPU; u32 unless said otherwise. */
export interface VirtualState {
  /**
   * 0: the monitor has nothing to do with this CPU, 1: its guest is de-privileged, 2: it waits for a start-up message and
   * will then begin de-privileged.
   */
  active: number;
  /** State in which it begins, as SetInitialAPState has given it; empty: none was given. */
  startState: number[];
  cr0: number;
  /** Address of the page fault delivered last. */
  cr2: number;
  cr3: number;
  cr4: number;
  /** IA32_EFER. */
  efer: number;
  /** Low and high dwords of the four PAE directory pointers, as loaded with CR3. */
  pointers: number[];
  gdtBase: number;
  gdtLimit: number;
  idtBase: number;
  idtLimit: number;
  /** Local descriptor table: selector, base, limit; selector 0: none. */
  ldt: number;
  ldtBase: number;
  ldtLimit: number;
  /** Task register: selector, base, limit of the guest's task state. */
  tr: number;
  tssBase: number;
  tssLimit: number;
  /** Stack for entries from ring 3. */
  kernelSs: number;
  kernelEsp: number;
  /** I/O privilege level that user code has, 0-3. */
  iopl: number;
  sysenterCs: number;
  sysenterEsp: number;
  sysenterEip: number;
  /** Linear addresses of instructions that were patched. */
  sites: number[];
  /** 1 while address line 20 goes through. */
  a20: number;
  /** Mode of SetLazyMode. */
  lazy: number;
  /** What CPU lazy mode keeps: kind and two words in turn. */
  deferred: number[];
  /** Linear mappings the guest has named: address, pages, first frame for each of the four slots. */
  slots: number[];
  /** Entries written but not yet taken notice of: guest-physical address and bytes in turn. */
  queue: number[];
}

/** Before Init. */
export function powerOn(): VirtualState {
  return {
    active: 0,
    startState: [],
    cr0: 0,
    cr2: 0,
    cr3: 0,
    cr4: 0,
    efer: 0,
    pointers: [0, 0, 0, 0, 0, 0, 0, 0],
    gdtBase: 0,
    gdtLimit: 0,
    idtBase: 0,
    idtLimit: 0,
    ldt: 0,
    ldtBase: 0,
    ldtLimit: 0,
    tr: 0,
    tssBase: 0,
    tssLimit: 0,
    kernelSs: 0,
    kernelEsp: 0,
    iopl: 0,
    sysenterCs: 0,
    sysenterEsp: 0,
    sysenterEip: 0,
    sites: [],
    a20: 1,
    lazy: 0,
    deferred: [],
    slots: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    queue: [],
  };
}
