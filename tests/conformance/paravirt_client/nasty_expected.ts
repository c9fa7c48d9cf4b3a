/**
 * What comes of each edge of the nasty guest: why the run stopped, then what the guest has said. One text where all
 * backends agree; otherwise one for each group of backends. Values and codes are hexadecimal.
 *
 * Where they differ, the reason is one of these. In ring 0 nothing checks arguments, and what hardware allows is allowed:
 * paging off, odd entries, IOPL from a frame. A de-privileging backend ends a guest whose argument has no meaning or that
 * maps its memory, keeps protection and paging on, lets user code have no I/O privilege but by SetIOPLMask, has no call
 * gates, and returns to ring 1 as to its own. Backends in ring 0 leave CPU start and APIC to the guest. Cold data.
 */
export const NASTY_EXPECTED: Readonly<Record<string, string | Readonly<Record<string, string>>>> = {
  "SetCR0 with NW and without CD": "halt, fault d code 0 in the ROM, end",
  "SetCR0 without paging and protection": {
    "native scripted": "halt, value 10, end",
    "direct shadow": "halt, value 80000011, end",
  },
  "SetCR0 without paging": {
    "native scripted": "halt, value 10011, end",
    "direct shadow": "halt, value 80010011, end",
  },
  "SetCR0 without write protection": "halt, value 80000011, end",
  "SetCR0 with all bits": "halt, end",
  "SetCR4 with reserved bits": "halt, fault d code 0 in the ROM, value 0, end",
  "SetCR4 with PAE while paging is on, on tables made for it":
    "halt, value 20, fault e code 9 in the kernel, value 11111111, value 0, value 11111111, end",
  "SetCR4 with PAE while paging is on, on tables of two levels": "halt, fault d code 0 in the ROM, value 0, end",
  "SetCR4 without PAE under three levels": "shutdown by e",
  "SetCR3 beyond memory": {
    "native scripted shadow": "shutdown by 6",
    "direct": "killed page-table page table at physical ADDRESS of ADDRESS",
  },
  "SetCR3 in the hypervisor's memory": {
    "native scripted": "shutdown by 6",
    "direct shadow": "killed hypervisor-memory SetCR3",
  },
  "SetCR3 to a table of entries to itself": "shutdown by d",
  "SetCR3 with reserved bits in a directory pointer": "halt, fault d code 0 in the ROM, value 60000, end",
  "SetCR3 with low bits": "halt, value 60018, end",
  "SetDR and GetDR beyond 7": { "native scripted": "halt, value 0, end", "direct shadow": "killed bad-argument SetDR" },
  "GetDR beyond 7": "halt, value 0, value 0, end",
  "debug registers with every bit": "halt, value ffff0ff0, value ffff0400, end",
  "a breakpoint on the ROM's code": "halt, fault 1 code 0 in the ROM, end",
  "RDMSR of none": "halt, fault d code 0 in the ROM, end",
  "WRMSR of none": "halt, fault d code 0 in the ROM, end",
  "WRMSR of EFER with every bit": "halt, fault d code 0 in the ROM, end",
  "WRMSR of the APIC's place into the hypervisor's memory": {
    "native scripted": "halt, absent, end",
    "direct shadow": "halt, end",
  },
  "RDPMC": "halt, fault d code 0 in the ROM, end",
  "CPUID of wild leaves": "halt, value 80000004, end",
  "SetIOPLMask with every bit": "halt, value 0, end",
  "SetInterruptMask with every bit but IF": "halt, value 0, end",
  "Reboot, soft": "reset",
  "Reboot of an unknown kind": "reset",
  "Shutdown with interrupts pending": "halt",
  "Halt with nothing to wake it": "halt",
  "SetGDT from memory that is not mapped": "halt, fault e code 0 in the ROM, end",
  "SetGDT from the end of mapped memory": "halt, fault e code 0 in the ROM, end",
  "SetGDT of an empty table": "shutdown by d",
  "SetGDT of 64 KiB of which half is mapped": {
    "native scripted": "halt, end",
    "direct shadow": "halt, fault d code 0 in the kernel, unexpected, end",
  },
  "SetIDT without entries, then an interrupt": "shutdown by d",
  "SetIDT from memory that is not mapped": "halt, fault e code 0 in the ROM, end",
  "SetTR of what is no task":
    "halt, fault d code 0 in the ROM, fault d code 60 in the ROM, fault d code fff8 in the ROM, fault d code 84 in the ROM, end",
  "SetTR twice: the task is busy": "halt, fault d code 80 in the ROM, end",
  "SetTR of a task that is not present": "halt, fault b code 90 in the ROM, end",
  "SetLDT of what is no local table":
    "halt, fault d code 60 in the ROM, fault d code fff8 in the ROM, fault d code 8c in the ROM, value 0, end",
  "a local table in memory that is not mapped": {
    "native scripted": "halt, fault e code 0 in the kernel, end",
    "direct shadow": "halt, fault d code c in the kernel, end",
  },
  "WriteGDTEntry beyond everything": "halt, fault e code 2 in the ROM, fault e code 2 in the ROM, end",
  "WriteGDTEntry over a table that is loaded: the kernel's code vanishes": "shutdown by d",
  "WriteGDTEntry of a ring 0 gate for ring 3": "halt, value 0, end",
  "WriteIDTEntry: a gate to a null selector": "halt, fault d code 0 in the kernel, end",
  "WriteIDTEntry: a gate to a data segment": "halt, fault d code 68 in the kernel, end",
  "WriteIDTEntry: a gate of no kind": "halt, fault d code 1a in the kernel, end",
  "WriteIDTEntry: a task gate to a task that is none": "halt, fault d code 60 in the kernel, end",
  "GetGDT and GetIDT into memory that is not writable":
    "halt, fault e code 2 in the ROM, fault e code 2 in the ROM, end",
  "UpdateKernelStack with a null SS, then a system call": "shutdown by a",
  "UpdateKernelStack to memory that is not mapped, then a system call": "shutdown by e",
  "IRET to ring 2, and to no code":
    "halt, fault d code 60 in the kernel, fault d code 68 in the kernel, fault d code fff8 in the kernel, fault d code 7c in the kernel, end",
  "IRET to ring 1": {
    "native scripted": "halt, fault d code 60 in the kernel, end",
    "direct shadow": "halt, value 1, end",
  },
  "IRET with NT": "halt, end",
  "IRET with I/O privilege for ring 3": {
    "native scripted": "halt, end",
    "direct shadow": "halt, fault d code 0 in ring 3, end",
  },
  "IRET to virtual-8086 mode with wild selectors": "halt, fault d code 0 in the kernel, end",
  "IRET beyond the address space's mapped part": "halt, fault e code 4 in ring 3, end",
  "IRET with the frame in memory that is not mapped": "halt, fault e code 0 in the kernel, end",
  "SYSEXIT that nobody prepared": {
    "native scripted": "halt, fault d code 0 in the ROM, end",
    "direct shadow": "halt, fault d code 0 in the kernel, end",
  },
  "calls from ring 3": {
    "native": "halt, fault d code 0 in ring 3, fault 6 code 0 in ring 3, end",
    "scripted direct shadow": "halt, fault 6 code 0 in ring 3, fault 6 code 0 in ring 3, fault 6 code 0 in ring 3, end",
  },
  "Init from ring 3": "halt, fault 6 code 0 in ring 3, end",
  "Init twice": "halt, value 0, end",
  "calls before Init": { "native scripted": "halt, value 1, end", "direct shadow": "killed not-initialized GetCR0" },
  "GetRelocationInfo of numbers that are none": "halt, value 0, value 0, value 0, end",
  "calls that no document describes": "halt, value 0, value 0, value 0, end",
  "a jump into the middle of the ROM's code": {
    "native": "halt, fault 3 code 0 in the ROM, fault e code 2 in the ROM, end",
    "scripted direct shadow": "halt, fault e code 2 in the ROM, end",
  },
  "the hypercall instruction outside the ROM": "halt, fault 6 code 0 in the kernel, end",
  "the place where injected calls return": "killed unknown-call offset ADDRESS of the ROM",
  "a store into the ROM": "halt, value 0, end",
  "a call on a stack that is not aligned": "halt, value 0, end",
  "arguments beyond the mapped stack": "killed bad-argument SetAlarm",
  "an argument beyond the mapped stack, of a call that may be plain code": {
    "native": "halt, fault e code 0 in the ROM, end",
    "scripted direct shadow": "killed bad-argument WriteGDTEntry",
  },
  "a call with the stack at the start of the address space": "halt, end",
  "a call with the direction flag and null data segments": "halt, value 0, end",
  "port calls into memory that is not mapped": "halt, fault e code 2 in the ROM, fault e code 0 in the ROM, end",
  "a port call that repeats four billion times": "budget",
  "SetPxE at an odd address": {
    "native scripted": "halt, value 300007, end",
    "direct shadow": "killed bad-argument SetPxE",
  },
  "SetPxE where nothing is mapped": "halt, fault e code 2 in the ROM, end",
  "SetPxE at the end of the address space": "halt, fault e code 2 in the ROM, end",
  "SetPxE into the ROM": "halt, value cb0caa55, end",
  "SetPxE with every flag": "halt, value 11111111, end",
  "SetPxE with no level, then of a level that is none": "halt, value 11111111, value 22222222, end",
  "SetPxE of a frame of the hypervisor, then a read": {
    "native scripted": "halt, value ffffffff, end",
    "direct shadow": "killed hypervisor-memory page at ADDRESS",
  },
  "SetPxE of a frame beyond all memory, then a read": "halt, value ffffffff, end",
  "SetPxE of a large page over the hypervisor, then a read": {
    "native scripted": "halt, value ffffffff, end",
    "direct shadow": "killed hypervisor-memory page at ADDRESS",
  },
  "SetPxE of the directory into itself, then a write through it": "halt, value 60000, value 11111111, end",
  "SetPxE of a table into itself": "halt, value 11111111, end",
  "SetPxE of the entry under the kernel's own stack": "shutdown by e",
  "SetPxELong under two levels": "halt, value 11111111, value 22222222, end",
  "SetPxELong at an odd address": {
    "native scripted": "halt, value 300007, end",
    "direct shadow": "killed bad-argument SetPxELong",
  },
  "SetPxELong with reserved bits, then a read": "halt, fault e code 9 in the kernel, end",
  "SetPxELong of a directory pointer with reserved bits, then CR3": "halt, fault d code 0 in the ROM, value 0, end",
  "SetPxE under three levels": "halt, value 11111111, end",
  "UpdatePxE where nothing is mapped, and at odd addresses": "halt, end",
  "a new entry without a word": "halt, value 11111111, end",
  "a changed entry without a word, then a flush":
    "halt, value 11111111, value 22222222, fault e code 0 in the kernel, end",
  "a changed directory entry without a word, then CR3": "halt, value 11111111, value 22222222, end",
  "five thousand deferred updates, then one of each way out": "halt, value 11111111, value 301000, value 22222222, end",
  "SetLazyMode beyond 2": { "native scripted": "halt, end", "direct shadow": "killed bad-argument SetLazyMode" },
  "SetLazyMode with every bit": { "native scripted": "halt, end", "direct shadow": "killed bad-argument SetLazyMode" },
  "lazy modes in each other": "halt, end",
  "AllocatePage of no kind, and of every kind": "halt, value 0, end",
  "AllocatePage beyond all memory": "halt, end",
  "AllocatePage of a frame of the hypervisor": "halt, end",
  "AllocatePage of what is in use as something else, again and again": "halt, value 61626364, value 5, end",
  "AllocatePage of the page that runs": "halt, value 7, end",
  "AllocatePage as a clone of itself, of nothing, of too much": "halt, value 0, end",
  "AllocatePage as a clone of a frame of the hypervisor": "halt, value 0, end",
  "ReleasePage of what nobody announced": "halt, end",
  "ReleasePage of the directory in use": "halt, value 11111111, end",
  "InvalPage and FlushTLB of anything": "halt, end",
  "SetLinearMapping of a slot that is none": {
    "native scripted": "halt, end",
    "direct shadow": "killed bad-argument SetLinearMapping",
  },
  "SetLinearMapping of the last slot there is not": {
    "native scripted": "halt, end",
    "direct shadow": "killed bad-argument SetLinearMapping",
  },
  "SetLinearMapping of everything": "halt, value 11111111, end",
  "SetLinearMapping that lies, then SetPxE into the hypervisor": {
    "native scripted": "halt, fault e code 2 in the ROM, end",
    "direct shadow": "killed hypervisor-memory SetPxE",
  },
  "SetLinearMapping that lies, then SetPxE into the ROM": {
    "native scripted": "halt, fault e code 2 in the ROM, value aa55, end",
    "direct shadow": "halt, value aa55, end",
  },
  "SetLinearMapping that lies, then SetPxE beyond all memory": {
    "native scripted": "halt, fault e code 2 in the ROM, end",
    "direct shadow": "halt, end",
  },
  "GetCycleCounter of counters that are none": "halt, value 0, value 0, end",
  "SetAlarm of counters that are none": "halt, value 0, end",
  "an alarm in the past": "halt, value 1, value 0, end",
  "an alarm at the end of time": "halt, value 1, value 0, end",
  "a periodic alarm without a period": "halt, value 1, value 0, end",
  "a periodic alarm of one cycle": "halt, value 1, value 0, end",
  "a periodic alarm with the longest period": "halt, value 1, value 1, end",
  "every flag of SetAlarm and CancelAlarm": "halt, value 0, value 1, end",
  "calls from the handler of an interrupt that came in a call": "halt, value 2, value 11111111, end",
  "recursion without end": "shutdown by e",
  "SetInitialAPState of a CPU that is not there": {
    "native scripted": "halt, absent, end",
    "direct shadow": "killed bad-argument SetInitialAPState",
  },
  "SetInitialAPState from memory that is not mapped": {
    "native scripted": "halt, absent, end",
    "direct shadow": "halt, fault e code 0 in the ROM, end",
  },
  "APICRead and APICWrite of wild registers": {
    "native scripted": "halt, absent, end",
    "direct shadow": "halt, value 10, end",
  },
  "an interrupt to itself, by the APIC": {
    "native scripted": "halt, absent, end",
    "direct shadow": "halt, value 1, end",
  },
  "an INIT to itself, by the APIC": { "native scripted": "halt, absent, end", "direct shadow": "reset" },
};

/**
 * What differs from `native` where the guest is told nothing, by edge and backend: a hypervisor whose page tables the
 * processor walks ends a guest that maps its memory; `trap` copies descriptor tables (what is not mapped is not there) and
 * takes ring 1 for its own.
 */
export const NASTY_TRANSPARENT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "SetCR3 in the hypervisor's memory": {
    "trap": "killed hypervisor-memory CR3 ADDRESS",
    "hardware with shadow paging": "killed hypervisor-memory CR3 ADDRESS",
  },
  "SetPxE of a frame of the hypervisor, then a read": {
    "trap": "killed hypervisor-memory page at ADDRESS",
    "hardware with shadow paging": "killed hypervisor-memory page at ADDRESS",
  },
  "SetPxE of a large page over the hypervisor, then a read": {
    "trap": "killed hypervisor-memory page at ADDRESS",
    "hardware with shadow paging": "killed hypervisor-memory page at ADDRESS",
  },
  "a local table in memory that is not mapped": { "trap": "halt, fault d code c in the kernel, end" },
  "IRET to ring 1": { "trap": "halt, value 1, end" },
};
