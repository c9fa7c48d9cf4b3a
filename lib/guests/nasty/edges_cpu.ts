/**
 * Edges of the calls about the processor, descriptors, interrupts and ports. Sources: Paravirtualization API 2.0,
 * appendix A; the calls' use by Linux 2.6.21 to 2.6.36. Cold data.
 */
import { HYPERVISOR, STACK } from "./frame.ts";
import type { NastyEdge } from "./source.ts";

const edge = (name: string, code: string, options: Omit<NastyEdge, "name" | "code"> = {}): NastyEdge => ({
  name,
  code,
  ...options,
});
const GET = (n: number): string => `ask GetCR${n}\nnote`;

/** Control, debug and model-specific registers. */
const CPU: readonly NastyEdge[] = [
  edge("SetCR0 with NW and without CD", `try\nask SetCR0 value=0xa0010033\ncaught`),
  edge("SetCR0 without paging and protection", `try\nask SetCR0 value=0\ncaught\n${GET(0)}`),
  edge("SetCR0 without paging", `try\nask SetCR0 value=0x10011\ncaught\n${GET(0)}`),
  edge("SetCR0 without write protection", `try\nask SetCR0 value=0x80000011\ncaught\n${GET(0)}`),
  edge("SetCR0 with all bits", `try\nask SetCR0 value=0xffffffff\ncaught\nask CLTS`),
  edge("SetCR4 with reserved bits", `try\nask SetCR4 value=0xffffffff\ncaught\n${GET(4)}`),
  edge(
    "SetCR4 with PAE while paging is on, on tables made for it",
    `mov dword [0x60fe0], 0x71001      ; the last 32 bytes of the directory: pointers
     mov dword [0x71000], 0xe7
     mov dword [0x71008], 0x2000e7
     ask SetCR3 value=0x60fe0
     try
     ask SetCR4 value=0x20
     caught
     ${GET(4)}
     mov eax, [0x5000]
     mov dword [0x300000], 0x11111111
     ask SetPxELong pte=0x3000e7,0 ptep=0x71010 flags=2
     try
     mov eax, [0x400000]
     caught
     ask SetPxELong pte=0x2000e7,0 ptep=0x71010 flags=2
     try
     mov eax, [0x500000]
     note
     caught
     try
     ask SetCR4 value=0
     caught
     ${GET(4)}
     mov eax, [0x300000]
     note`,
  ),
  edge("SetCR4 with PAE while paging is on, on tables of two levels", `try\nask SetCR4 value=0x20\ncaught\n${GET(4)}`),
  edge("SetCR4 without PAE under three levels", `try\nask SetCR4 value=0\ncaught\n${GET(4)}`, { pae: true }),
  edge("SetCR3 beyond memory", `try\nask SetCR3 value=0xf0000000\ncaught\n${GET(3)}`),
  edge("SetCR3 in the hypervisor's memory", `try\nask SetCR3 value=${HYPERVISOR}\ncaught\n${GET(3)}`),
  edge(
    "SetCR3 to a table of entries to itself",
    `mov edi, 0x70000\nmov ecx, 1024\nmov eax, 0x70007\nrep stosd\ntry\nask SetCR3 value=0x70000\ncaught`,
  ),
  edge(
    "SetCR3 with reserved bits in a directory pointer",
    `mov dword [0x70000], 0xfff\nmov dword [0x70004], 0xffffffff\ntry\nask SetCR3 value=0x70000\ncaught\n${GET(3)}`,
    { pae: true },
  ),
  edge("SetCR3 with low bits", `try\nask SetCR3 value=0x60018\ncaught\n${GET(3)}`),
  edge(
    "SetDR and GetDR beyond 7",
    `try\nask SetDR number=8 value=1\ncaught\ntry\nask GetDR number=0xffffffff\nnote\ncaught`,
  ),
  edge("GetDR beyond 7", `try\nask GetDR number=8\nnote\nask GetDR number=0x80000000\nnote\ncaught`),
  edge(
    "debug registers with every bit",
    `try\nask SetDR number=7 value=0x400\nask SetDR number=6 value=0\ncaught\nask GetDR number=6\nnote\ntry\nask SetDR number=7 value=0xffff0000\ncaught\nask GetDR number=7\nnote`,
  ),
  edge(
    "a breakpoint on the ROM's code",
    `mov eax, [calls+27*4]\nmov ebx, eax\nask SetDR number=0 value=ebx\nask SetDR number=7 value=0x401\ntry\nask RDTSC\ncaught\nask SetDR number=7 value=0x400`,
  ),
  edge("RDMSR of none", `try\nask RDMSR msr=0x12345678\ncaught`),
  edge("WRMSR of none", `try\nask WRMSR msr=0x12345678 value=1,2\ncaught`),
  edge("WRMSR of EFER with every bit", `try\nask WRMSR msr=0xc0000080 value=0xffffffff,0xffffffff\ncaught`),
  edge(
    "WRMSR of the APIC's place into the hypervisor's memory",
    `try\nask WRMSR msr=0x1b value=${
      HYPERVISOR + 0x900
    },0\ncaught\ntry\nask APICWrite register=0x300 value=0x12345\ncaught`,
  ),
  edge("RDPMC", `try\nask RDPMC counter=0\ncaught`),
  edge(
    "CPUID of wild leaves",
    `ask CPUID leaf=0xffffffff subleaf=0xffffffff\nask CPUID leaf=0x7fffffff subleaf=7\nask CPUID leaf=0x80000000 subleaf=0\nnote`,
  ),
  edge(
    "SetIOPLMask with every bit",
    `try\nask SetIOPLMask mask=0xffffffff\npushfd\npop eax\nand eax, 0x24c100\nxor eax, 0\ncaught\nask SetIOPLMask mask=0\npushfd\npop eax\nand eax, 0x247100\nnote`,
  ),
  edge(
    "SetInterruptMask with every bit but IF",
    `try\nask SetInterruptMask mask=0xfffffdff\ncaught\npushfd\npop eax\nand eax, 0x247300\nnote`,
  ),
  edge("Reboot, soft", `ask Reboot how=0`),
  edge("Reboot of an unknown kind", `ask Reboot how=77`),
  edge("Shutdown with interrupts pending", `mov al, 0xfe\nout 0x21, al\nask Shutdown`),
  edge("Halt with nothing to wake it", `mov al, 0xff\nout 0x21, al\nout 0xa1, al\nask Halt`),
];

/** Descriptor tables, task, local table. */
const DESCRIPTORS: readonly NastyEdge[] = [
  edge("SetGDT from memory that is not mapped", `try\nask SetGDT pointer=0x40000000\ncaught`),
  edge("SetGDT from the end of mapped memory", `try\nask SetGDT pointer=0x7ffffd\ncaught`),
  edge(
    "SetGDT of an empty table",
    `mov dword [scratch], 0x00000000\nmov dword [scratch+4], 0\ntry\nask SetGDT pointer=scratch\nmov eax, 0x7b\nmov ds, eax\ncaught`,
  ),
  edge(
    "SetGDT of 64 KiB of which half is mapped",
    `mov dword [scratch], 0x8000ffff\nmov dword [scratch+4], 0x007f\ntry\nask SetGDT pointer=scratch\ncaught\nask SetGDT pointer=gdt_pointer`,
  ),
  edge(
    "SetIDT without entries, then an interrupt",
    `mov dword [scratch], 0\nmov dword [scratch+4], 0\nask SetIDT pointer=scratch\nint 0x80`,
  ),
  edge("SetIDT from memory that is not mapped", `try\nask SetIDT pointer=0xfffffffe\ncaught`),
  edge(
    "SetTR of what is no task",
    `try\nask SetTR selector=0\ncaught\ntry\nask SetTR selector=0x60\ncaught\ntry\nask SetTR selector=0xfff8\ncaught\ntry\nask SetTR selector=0x84\ncaught`,
  ),
  edge("SetTR twice: the task is busy", `try\nask SetTR selector=0x80\ncaught`),
  edge(
    "SetTR of a task that is not present",
    `mov dword [gdt+0x90], 0x6b\nmov dword [gdt+0x94], 0x0900\ntry\nask SetTR selector=0x90\ncaught`,
  ),
  edge(
    "SetLDT of what is no local table",
    `try\nask SetLDT selector=0x60\ncaught\ntry\nask SetLDT selector=0xfff8\ncaught\ntry\nask SetLDT selector=0x8c\ncaught\nask SetLDT selector=0xffff0000\nask GetLDT\nnote`,
  ),
  edge(
    "a local table in memory that is not mapped",
    `mov dword [gdt+0x88], 0x0000ffff\nmov dword [gdt+0x8c], 0x40008200\ntry\nask SetLDT selector=0x88\nmov eax, 0x0f\nmov gs, ax\ncaught\nask SetLDT selector=0`,
  ),
  edge(
    "WriteGDTEntry beyond everything",
    `try\nask WriteGDTEntry base=gdt index=0xffffffff low=1 high=2\ncaught\ntry\nask WriteGDTEntry base=0x40000000 index=0 low=1 high=2\ncaught\ntry\nask WriteGDTEntry base=0xfffffffc index=0 low=1 high=2\ncaught`,
  ),
  edge(
    "WriteGDTEntry over a table that is loaded: the kernel's code vanishes",
    `ask WriteGDTEntry base=gdt index=12 low=0 high=0\nint3`,
  ),
  edge(
    "WriteGDTEntry of a ring 0 gate for ring 3",
    `mov eax, in_user\nask WriteGDTEntry base=gdt index=18 low=0x005f0000+ring_zero high=0x0001ec00\ntry\nuser in_user\nin_user:\ncall 0x93:0\nint 0x80\nring_zero:\nmov eax, cs\nand eax, 3\nshr eax, 1\ncall note\nint 0x80\ncaught`,
  ),
  edge(
    "WriteIDTEntry: a gate to a null selector",
    `ask WriteIDTEntry base=idt index=3 low=0 high=0x8e00\ntry\nint3\ncaught`,
  ),
  edge(
    "WriteIDTEntry: a gate to a data segment",
    `ask WriteIDTEntry base=idt index=3 low=0x00680000 high=0x8e00\ntry\nint3\ncaught`,
  ),
  edge(
    "WriteIDTEntry: a gate of no kind",
    `ask WriteIDTEntry base=idt index=3 low=0x00600000 high=0x8d00\ntry\nint3\ncaught`,
  ),
  edge(
    "WriteIDTEntry: a task gate to a task that is none",
    `ask WriteIDTEntry base=idt index=3 low=0x00600000 high=0x8500\ntry\nint3\ncaught`,
  ),
  edge(
    "GetGDT and GetIDT into memory that is not writable",
    `try\nask GetGDT pointer=0x40000000\ncaught\ntry\nask GetIDT pointer=0xfffffffe\ncaught`,
  ),
  edge(
    "UpdateKernelStack with a null SS, then a system call",
    `mov dword [tss+8], 0\nask UpdateKernelStack ss0=0 esp0=0xa000\ntry\nuser in_user\nin_user:\nint 0x80\ncaught`,
  ),
  edge(
    "UpdateKernelStack to memory that is not mapped, then a system call",
    `mov dword [tss+4], 0x40001000\nask UpdateKernelStack ss0=0x68 esp0=0x40001000\ntry\nuser in_user\nin_user:\nint 0x80\ncaught`,
  ),
];

const FRAME = (eip: string, cs: number, flags: number, esp = "0x9f00", ss = 0x7b): string =>
  `mov esp, ${STACK}\ntry\npush dword ${ss}\npush dword ${esp}\npush dword ${flags}\npush dword ${cs}\npush dword ${eip}\niret\ncaught\nmov esp, ${STACK}`;

/** Interrupt flag, IRET, SYSEXIT, ports, the ROM itself. */
const FLOW: readonly NastyEdge[] = [
  edge(
    "IRET to ring 2, and to no code",
    [
      FRAME("0x5000", 0x62, 2),
      FRAME("0x5000", 0x68, 2),
      FRAME("0x5000", 0xfff8, 2),
      FRAME("0x5000", 0x7f, 2),
    ].join("\n"),
  ),
  edge("IRET to ring 1", `${FRAME("returned", 0x61, 2)}\njmp finish\nreturned:\nmov esp, ${STACK}\nmov eax, 1\nnote`),
  edge("IRET with NT", `${FRAME("returned", 0x60, 0x4002)}\nreturned:\nmov esp, ${STACK}`),
  edge(
    "IRET with I/O privilege for ring 3",
    `${FRAME("in_user", 0x73, 0x3202)}\njmp finish\nin_user:\npushfd\npop eax\nand eax, 0x200\ncli\nint 0x80`,
  ),
  edge(
    "IRET to virtual-8086 mode with wild selectors",
    `mov esp, ${STACK}\nmov dword [0x5000], 0x90f4f4f4\ntry\npush dword 0xffff\npush dword 0xffff\npush dword 0xffff\npush dword 0xffff\npush dword 0x500\npush dword 0xfff0\npush dword 0x20202\npush dword 0x500\npush dword 0\niret\ncaught\nmov esp, ${STACK}`,
  ),
  edge("IRET beyond the address space's mapped part", FRAME("0xfffffff0", 0x73, 0x202)),
  edge(
    "IRET with the frame in memory that is not mapped",
    `mov ebx, esp\ntry\nmov esp, 0x7ffffc\niret\ncaught\nmov esp, ebx`,
  ),
  edge("SYSEXIT that nobody prepared", `try\nmov edx, 0xdeadbeef\nmov ecx, 0x12345678\njmp dword [calls+34*4]\ncaught`),
  edge(
    "calls from ring 3",
    `try\nuser user_one\nuser_one:\nask GetCR0\nint 0x80\ncaught\nmov esp, ${STACK}\ntry\nuser user_two\nuser_two:\nask SetPxE pte=0 ptep=0x61000 flags=1\nint 0x80\ncaught\nmov esp, ${STACK}\ntry\nuser user_three\nuser_three:\nask SetAlarm flags=0 expiry=0,0 period=0,0\nint 0x80\ncaught`,
  ),
  edge(
    "Init from ring 3",
    `try\nuser in_user\nin_user:\nmov eax, [rom]\nlea eax, [eax+0x80]\ncall eax\nint 0x80\ncaught`,
  ),
  edge("Init twice", `mov eax, [rom]\nlea eax, [eax+0x80]\ncall eax\nnote`),
  edge("calls before Init", `try\nask GetCR0\nand eax, 1\nnote\nask SetPxE pte=0 ptep=0x63000 flags=1\ncaught`, {
    init: false,
  }),
  edge(
    "GetRelocationInfo of numbers that are none",
    `mov ebx, [rom]\nlea ebx, [ebx+0x88]\nmov eax, 74\ncall ebx\nor eax, edx\nnote\nmov eax, 0xffffffff\ncall ebx\nor eax, edx\nnote\nmov eax, 0x80000000\ncall ebx\nor eax, edx\nnote`,
  ),
  edge(
    "calls that no document describes",
    `mov eax, [calls+42*4]\nsub eax, absent\nnote\nmov eax, [calls+43*4]\nsub eax, absent\nnote\nmov eax, [calls+72*4]\nsub eax, absent\nnote`,
  ),
  edge(
    "a jump into the middle of the ROM's code",
    `try\nmov eax, [calls+38*4]\ninc eax\ncall eax\ncaught\ntry\nmov eax, [rom]\njmp eax\ncaught`,
  ),
  edge("the hypercall instruction outside the ROM", `try\ndb 0x0f, 0x01, 0xc1\ncaught`),
  edge("the place where injected calls return", `try\nmov eax, [rom]\nadd eax, 0x200+76*64\ncall eax\ncaught`),
  edge(
    "a store into the ROM",
    `mov ebx, [calls+38*4]\nmov ecx, [ebx]\ntry\nmov dword [ebx], 0xc3c3c3c3\ncaught\nsub ecx, [ebx]\nmov eax, ecx\nnote`,
  ),
  edge(
    "a call on a stack that is not aligned",
    `lea esp, [esp-1]\nask SetPxE pte=0x300007 ptep=0x63000 flags=1\nask GetCycleCounter counter=77\nnote\nask SetLinearMapping slot=0 address=0 pages=8 pfn=0\nlea esp, [esp+1]`,
  ),
  edge(
    "arguments beyond the mapped stack",
    `mov dword [0x63000], 0x300007\nask FlushTLB flags=3\ntry\nmov esp, 0x40000ffc\nmov eax, 1\nmov edx, 0\nmov ecx, 0\ncall dword [calls+68*4]\ncaught\nmov esp, ${STACK}`,
  ),
  edge(
    "an argument beyond the mapped stack, of a call that may be plain code",
    `mov dword [0x63000], 0x300007\nask FlushTLB flags=3\ntry\nmov esp, 0x40001000\nmov eax, 0x5000\nmov edx, 0\nmov ecx, 0\ncall dword [calls+11*4]\ncaught\nmov esp, ${STACK}`,
  ),
  edge(
    "a call with the stack at the start of the address space",
    `try\nmov esp, 4\ncall dword [calls+19*4]\ncaught\nmov esp, ${STACK}`,
  ),
  edge(
    "a call with the direction flag and null data segments",
    `xor eax, eax\nmov ds, ax\nmov es, ax\nstd\nmov eax, 0xffffffff\ncall dword [ss:calls+30*4]\ncall dword [ss:calls+31*4]\ncld\nmov ecx, 0x7b\nmov ds, ecx\nmov es, ecx\nand eax, 0x200\nnote`,
  ),
  edge(
    "port calls into memory that is not mapped",
    `mov edi, 0x40000000\ntry\nask INSB port=0x61 address=edi count=5\ncaught\nmov esi, 0x7ffffe\ntry\nask OUTSL port=0x80 address=esi count=3\ncaught\nask INL port=0xffff\nask INB port=0x12345\nask OUTW value=0xffffffff port=0xeeee`,
  ),
  edge(
    "a port call that repeats four billion times",
    `mov edi, 0x300000\ntry\nask INSB port=0x61 address=edi count=0xffffffff\ncaught`,
  ),
];

/** Edges of everything but memory management and time. */
export const CPU_EDGES: readonly NastyEdge[] = [...CPU, ...DESCRIPTORS, ...FLOW];
