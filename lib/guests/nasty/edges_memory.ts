/**
 * Edges of the calls about memory management, time and other CPUs. Sources: Paravirtualization API 2.0, appendix A; the
 * calls' use by Linux 2.6.21 to 2.6.36. Cold data.
 */
import { DIRECTORY, FREE_TABLE, HYPERVISOR, STACK, TABLES } from "./frame.ts";
import type { NastyEdge } from "./source.ts";

const edge = (name: string, code: string, options: Omit<NastyEdge, "name" | "code"> = {}): NastyEdge => ({
  name,
  code,
  ...options,
});
const FREE = 0x40000000;
const MINE = HYPERVISOR >>> 12;
/** Looks at the first free page: what it holds, or the fault. */
const LOOK = `try\nmov eax, [${FREE}]\nnote\ncaught`;
const MARK = `mov dword [0x300000], 0x11111111\nmov dword [0x301000], 0x22222222`;

const ENTRIES: readonly NastyEdge[] = [
  edge(
    "SetPxE at an odd address",
    `try\nask SetPxE pte=0x300007 ptep=${FREE_TABLE + 1} flags=1\ncaught\nmov eax, [${FREE_TABLE + 1}]\nnote`,
  ),
  edge("SetPxE where nothing is mapped", `try\nask SetPxE pte=7 ptep=0x50000000 flags=1\ncaught`),
  edge("SetPxE at the end of the address space", `try\nask SetPxE pte=7 ptep=0xfffffffc flags=1\ncaught`),
  edge(
    "SetPxE into the ROM",
    `mov ebx, [rom]\nmov ecx, [ebx]\ntry\nask SetPxE pte=7 ptep=ebx flags=1\ncaught\nmov eax, [ebx]\nnote`,
  ),
  edge(
    "SetPxE with every flag",
    `${MARK}\ntry\nask SetPxE pte=0x300007 ptep=${FREE_TABLE} flags=0xffffffff\ncaught\nask FlushTLB flags=3\n${LOOK}`,
  ),
  edge(
    "SetPxE with no level, then of a level that is none",
    `${MARK}\nask SetPxE pte=0x300007 ptep=${FREE_TABLE} flags=0\n${LOOK}\nask SetPxE pte=0x301007 ptep=${FREE_TABLE} flags=0x0f\nask InvalPage address=${FREE}\n${LOOK}`,
  ),
  edge(
    "SetPxE of a frame of the hypervisor, then a read",
    `ask SetPxE pte=${HYPERVISOR + 7} ptep=${FREE_TABLE} flags=0x40000011\n${LOOK}`,
  ),
  edge(
    "SetPxE of a frame beyond all memory, then a read",
    `ask SetPxE pte=0xf0000007 ptep=${FREE_TABLE} flags=0x40000011\n${LOOK}`,
  ),
  edge(
    "SetPxE of a large page over the hypervisor, then a read",
    `try\nask SetCR4 value=0x10\ncaught\nask SetPxE pte=${HYPERVISOR + 0x87} ptep=${
      DIRECTORY + 0x400
    } flags=2\nask FlushTLB flags=3\n${LOOK}`,
  ),
  edge(
    "SetPxE of the directory into itself, then a write through it",
    `${MARK}\nask SetPxE pte=${DIRECTORY + 7} ptep=${
      DIRECTORY + 0xffc
    } flags=2\nask FlushTLB flags=3\nmov eax, [0xfffffffc]\nand eax, 0xfffff000\nnote\ntry\nmov dword [0xffd00000], 0x300007\ncaught\nask InvalPage address=${FREE}\n${LOOK}`,
  ),
  edge(
    "SetPxE of a table into itself",
    `ask SetPxE pte=${FREE_TABLE + 7} ptep=${FREE_TABLE} flags=0x40000011\n${MARK}\ntry\nmov dword [${
      FREE + 4
    }], 0x300007\ncaught\ntry\nmov eax, [${FREE + 0x1000}]\nnote\ncaught`,
  ),
  edge(
    "SetPxE of the entry under the kernel's own stack",
    `ask SetPxE pte=0 ptep=${TABLES + 4 * ((STACK - 1) >> 12)} flags=1\nask FlushTLB flags=3`,
  ),
  edge(
    "SetPxELong under two levels",
    `${MARK}\ntry\nask SetPxELong pte=0x300007,0x301007 ptep=${FREE_TABLE} flags=1\ncaught\n${LOOK}\ntry\nmov eax, [${
      FREE + 0x1000
    }]\nnote\ncaught`,
  ),
  edge(
    "SetPxELong at an odd address",
    `try\nask SetPxELong pte=0x300007,0 ptep=${FREE_TABLE + 4} flags=1\ncaught\nmov eax, [${FREE_TABLE + 4}]\nnote`,
    { pae: true },
  ),
  edge(
    "SetPxELong with reserved bits, then a read",
    `try\nask SetPxELong pte=0x300007,0xffffffff ptep=${FREE_TABLE} flags=0x40000011\ncaught\n${LOOK}`,
    { pae: true },
  ),
  edge(
    "SetPxELong of a directory pointer with reserved bits, then CR3",
    `try\nask SetPxELong pte=0xffffffff,0xffffffff ptep=${
      DIRECTORY + 16
    } flags=4\ncaught\ntry\nask SetCR3 value=${DIRECTORY}\ncaught\nmov eax, [0x5000]\nnote`,
    { pae: true },
  ),
  edge(
    "SetPxE under three levels",
    `${MARK}\ntry\nask SetPxE pte=0x300007 ptep=${FREE_TABLE} flags=1\ncaught\n${LOOK}`,
    { pae: true },
  ),
  edge(
    "UpdatePxE where nothing is mapped, and at odd addresses",
    `ask UpdatePxE ptep=0x50000000 flags=1\nask UpdatePxE ptep=0xffffffff flags=0xffffffff\nask UpdatePxE ptep=${
      FREE_TABLE + 3
    } flags=1\nask UpdatePxELong ptep=${FREE_TABLE + 0xffc} flags=1`,
  ),
  edge("a new entry without a word", `${MARK}\nmov dword [${FREE_TABLE}], 0x300007\n${LOOK}`),
  edge(
    "a changed entry without a word, then a flush",
    `${MARK}\nmov dword [${FREE_TABLE}], 0x300007\n${LOOK}\nmov dword [${FREE_TABLE}], 0x301007\nask InvalPage address=${FREE}\n${LOOK}\nmov dword [${FREE_TABLE}], 0\nask FlushTLB flags=1\n${LOOK}`,
  ),
  edge(
    "a changed directory entry without a word, then CR3",
    `${MARK}\nmov dword [0x70000], 0x301007\nmov dword [${FREE_TABLE}], 0x300007\n${LOOK}\nmov dword [${
      DIRECTORY + 0x400
    }], 0x70007\nask SetCR3 value=${DIRECTORY}\n${LOOK}`,
  ),
  edge(
    "five thousand deferred updates, then one of each way out",
    `${MARK}\nask SetLazyMode mode=1\nmov ebx, 5000\nagain:\nmov ebp, ebx\nand ebp, 0x3ff\nlea esi, [ebp*4+${FREE_TABLE}]\nask SetPxE pte=0x300007 ptep=esi flags=0x31\ndec ebx\njnz again\nask SetLazyMode mode=0\n${LOOK}\nask SetLazyMode mode=1\nask SetPxE pte=0x301007 ptep=${FREE_TABLE} flags=0x40000031\nmov eax, [${FREE_TABLE}]\nand eax, 0xfffff000\nnote\nask InvalPage address=${FREE}\n${LOOK}`,
  ),
  edge("SetLazyMode beyond 2", `ask SetLazyMode mode=3`),
  edge("SetLazyMode with every bit", `ask SetLazyMode mode=0xffffffff`),
  edge(
    "lazy modes in each other",
    `ask SetLazyMode mode=1\nask SetLazyMode mode=2\nask SetLazyMode mode=1\nask SetLazyMode mode=1\nask SetLazyMode mode=0\nask SetLazyMode mode=0`,
  ),
];

const PAGES: readonly NastyEdge[] = [
  edge(
    "AllocatePage of no kind, and of every kind",
    `ask AllocatePage pfn=0x300 flags=0\nask AllocatePage pfn=0x300 flags=0xffffffff clone=0xffffffff start=0xffffffff count=0xffffffff\nmov eax, [0x300000]\nnote`,
  ),
  edge(
    "AllocatePage beyond all memory",
    `ask AllocatePage pfn=0xfffff flags=0x41\nask AllocatePage pfn=0xffffffff flags=0x42\nask ReleasePage pfn=0xffffffff flags=0x41`,
  ),
  edge(
    "AllocatePage of a frame of the hypervisor",
    `ask AllocatePage pfn=${MINE} flags=0x41\nask ReleasePage pfn=${MINE} flags=0x41`,
  ),
  edge(
    "AllocatePage of what is in use as something else, again and again",
    `mov dword [0x300000], 0x61626364\nask AllocatePage pfn=0x300 flags=0x41\nask AllocatePage pfn=0x300 flags=0x42\nask AllocatePage pfn=0x300 flags=0x52\nask AllocatePage pfn=0x300 flags=0x41\nmov eax, [0x300000]\nnote\nmov dword [0x300000], 5\nmov eax, [0x300000]\nnote\nask ReleasePage pfn=0x300 flags=0x42\nask ReleasePage pfn=0x300 flags=0x41`,
  ),
  edge(
    "AllocatePage of the page that runs",
    `ask AllocatePage pfn=0x10 flags=0x41\nask AllocatePage pfn=${
      (STACK - 1) >> 12
    } flags=0x42\nmov dword [scratch], 7\npush dword 7\npop eax\nnote`,
  ),
  edge(
    "AllocatePage as a clone of itself, of nothing, of too much",
    `ask AllocatePage pfn=0x300 flags=0x62 clone=0x300 start=768 count=256\nask AllocatePage pfn=0x301 flags=0x62 clone=0xffffff start=0 count=1024\nask AllocatePage pfn=0x302 flags=0x62 clone=0x60 start=1000 count=5000\nmov eax, [0x302000]\nnote`,
  ),
  edge(
    "AllocatePage as a clone of a frame of the hypervisor",
    `ask AllocatePage pfn=0x300 flags=0x62 clone=${MINE} start=0 count=1024\nmov eax, [0x300000]\nnote`,
  ),
  edge(
    "ReleasePage of what nobody announced",
    `ask ReleasePage pfn=0x300 flags=0x41\nask ReleasePage pfn=0x300 flags=0\nask ReleasePage pfn=0x300 flags=0xffffffff`,
  ),
  edge(
    "ReleasePage of the directory in use",
    `${MARK}\nask ReleasePage pfn=${DIRECTORY >> 12} flags=0x42\nmov dword [${FREE_TABLE}], 0x300007\n${LOOK}`,
  ),
  edge(
    "InvalPage and FlushTLB of anything",
    `ask InvalPage address=0xffffffff\nask InvalPage address=0\nask FlushTLB flags=0\nask FlushTLB flags=2\nask FlushTLB flags=0xffffffff`,
  ),
  edge("SetLinearMapping of a slot that is none", `ask SetLinearMapping slot=4 address=0 pages=1 pfn=0`),
  edge(
    "SetLinearMapping of the last slot there is not",
    `ask SetLinearMapping slot=0xffffffff address=0 pages=1 pfn=0`,
  ),
  edge(
    "SetLinearMapping of everything",
    `${MARK}\nask SetLinearMapping slot=3 address=0 pages=0xffffffff pfn=0\nask SetPxE pte=0x300007 ptep=${FREE_TABLE} flags=1\n${LOOK}`,
  ),
  edge(
    "SetLinearMapping that lies, then SetPxE into the hypervisor",
    `ask SetLinearMapping slot=3 address=${FREE} pages=16 pfn=${MINE}\ntry\nask SetPxE pte=0x300007 ptep=${FREE} flags=1\ncaught`,
  ),
  edge(
    "SetLinearMapping that lies, then SetPxE into the ROM",
    `ask SetLinearMapping slot=3 address=${FREE} pages=16 pfn=0xc8\ntry\nask SetPxE pte=0 ptep=${FREE} flags=1\ncaught\nmov eax, [0xc8000]\nand eax, 0xffff\nnote`,
  ),
  edge(
    "SetLinearMapping that lies, then SetPxE beyond all memory",
    `ask SetLinearMapping slot=3 address=${FREE} pages=16 pfn=0xf0000\ntry\nask SetPxE pte=0x300007 ptep=${FREE} flags=1\ncaught`,
  ),
];

/** The counter's value in ESI, EDI. */
const NOW = `ask GetCycleCounter counter=0\nmov esi, eax\nmov edi, edx`;
/** The 8254 stops, the 8259A lets line 0 through. */
const OPEN = [[0x43, 0x3a], [0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1], [0x21, 0xff], [0x21, 0xfe]].map((
  [port, value],
) => `mov al, ${value}\nout ${port}, al`).join("\n");
const TICKS = `mov eax, [ticks]\nnote`;

const TIME: readonly NastyEdge[] = [
  edge(
    "GetCycleCounter of counters that are none",
    `ask GetCycleCounter counter=3\nor eax, edx\nnote\nask GetCycleCounter counter=0xffffffff\nor eax, edx\nnote`,
  ),
  edge(
    "SetAlarm of counters that are none",
    `${OPEN}\nask SetAlarm flags=2 expiry=0,0 period=0,0\nask SetAlarm flags=0xff expiry=0,0 period=1,0\nask EnableInterrupts\nask DisableInterrupts\n${TICKS}`,
  ),
  edge(
    "an alarm in the past",
    `${OPEN}\nask SetAlarm flags=0 expiry=0,0 period=0,0\nask Halt\n${TICKS}\nask CancelAlarm flags=0\nnote`,
  ),
  edge(
    "an alarm at the end of time",
    `ask SetAlarm flags=0 expiry=0xffffffff,0xffffffff period=0,0\nask CancelAlarm flags=0\nnote\nask CancelAlarm flags=0\nnote`,
  ),
  edge(
    "a periodic alarm without a period",
    `${OPEN}\n${NOW}\nask SetAlarm flags=0x100 expiry=esi,edi period=0,0\nask Halt\n${TICKS}\nask CancelAlarm flags=0x100\nnote`,
  ),
  edge(
    "a periodic alarm of one cycle",
    `${OPEN}\n${NOW}\nask SetAlarm flags=0x100 expiry=esi,edi period=1,0\nask EnableInterrupts\nmov ebx, 3000\nspin:\ndec ebx\njnz spin\nask DisableInterrupts\nask CancelAlarm flags=0x100\nnote\nmov eax, [ticks]\nsub eax, 30\nsbb eax, eax\nnote`,
  ),
  edge(
    "a periodic alarm with the longest period",
    `${OPEN}\n${NOW}\nask SetAlarm flags=0x100 expiry=esi,edi period=0xffffffff,0xffffffff\nask Halt\n${TICKS}\nask CancelAlarm flags=0x100\nnote`,
  ),
  edge(
    "every flag of SetAlarm and CancelAlarm",
    `ask SetAlarm flags=0xffffff00 expiry=0xffffffff,0x7fffffff period=5,0\nask CancelAlarm flags=0xfffffffe\nnote\nask CancelAlarm flags=0xffffff00\nnote`,
  ),
  edge(
    "calls from the handler of an interrupt that came in a call",
    `${MARK}\n${OPEN}\nmov dword [on_tick], nested\nask SetLazyMode mode=1\nask SetPxE pte=0x300007 ptep=${FREE_TABLE} flags=0x40000031\nask SetAlarm flags=0 expiry=0,0 period=0,0\nask EnableInterrupts\nask SetLazyMode mode=0\nask DisableInterrupts\n${TICKS}\n${LOOK}\njmp finish\nnested:\nask SetPxE pte=0x301007 ptep=${
      FREE_TABLE + 4
    } flags=0x40001031\nask SetLazyMode mode=1\nask SetAlarm flags=0 expiry=0,0 period=0,0\nask EnableInterrupts\nret`,
  ),
  edge("recursion without end", `try\nrecurse:\nask GetCycleCounter counter=0\ncall recurse\ncaught`),
];

const SMP: readonly NastyEdge[] = [
  edge("SetInitialAPState of a CPU that is not there", `ask SetInitialAPState state=scratch apicId=99`),
  edge(
    "SetInitialAPState from memory that is not mapped",
    `try\nask SetInitialAPState state=0x40000000 apicId=0\ncaught`,
  ),
  edge(
    "APICRead and APICWrite of wild registers",
    `try\nask APICWrite register=0xffffffff value=0xffffffff\nask APICWrite register=0x123 value=1\nask APICRead register=0xfffff123\nask APICRead register=0x30\nand eax, 0xf0\nnote\ncaught`,
  ),
  edge(
    "an interrupt to itself, by the APIC",
    `ask APICWrite register=0xf0 value=0x1ff\nask EnableInterrupts\nask APICWrite register=0x300 value=0x44031\nnop\nask DisableInterrupts\n${TICKS}`,
  ),
  edge(
    "an INIT to itself, by the APIC",
    `ask APICWrite register=0xf0 value=0x1ff\nask APICWrite register=0x300 value=0x44500\nask APICWrite register=0x300 value=0x84500\nask GetCR0\nand eax, 1\nnote`,
  ),
];

/** Edges of memory management, time and other CPUs. */
export const MEMORY_EDGES: readonly NastyEdge[] = [...ENTRIES, ...PAGES, ...TIME, ...SMP];
