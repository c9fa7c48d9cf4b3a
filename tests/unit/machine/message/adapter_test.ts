/** The adapter as a guest driver uses it: found on the PCI bus, rings in RAM, polled and by interrupt; and VMCALL. */
import { cluster, type ClusterOptions } from "../../../../lib/machine/message/cluster.ts";
import { hostClock } from "../../../../lib/host/message/clock.ts";
import { clusterSplit, ringEnds, tcpEnds } from "../../../conformance/message/split.ts";
import { messageGuest } from "../../../../lib/guests/message/library.ts";
import { AdapterDoorbell, AdapterRegister, MessageOp } from "../../../../lib/spec/message_abi.ts";
import { asm, pc } from "../../../../mod.ts";
import { assert, assertEquals } from "../../../../scripts/deps/std.ts";

const R = AdapterRegister;
const D = AdapterDoorbell;

/** A driver: finds the card, sets up rings, connects, sends a message to and fro; `wait` is how it waits for completions. */
function driver(wait: string, setup = "", result = "movzx eax, byte [buffer]"): ReturnType<typeof asm> {
  return messageGuest(`
bar0 equ 0xe0000000
bar1 equ 0xe0001000
  jmp start
; EAX: register of the function in slot 3 -> EAX
pci_read:
  or eax, 0x80000000 + 3 * 2048
  mov edx, 0xcf8
  out dx, eax
  mov edx, 0xcfc
  in eax, dx
  ret
pci_write:
  or eax, 0x80000000 + 3 * 2048
  mov edx, 0xcf8
  out dx, eax
  mov edx, 0xcfc
  mov eax, ebx
  out dx, eax
  ret
start:
  xor eax, eax
  call pci_read
  cmp eax, 0x564d1234
  jne fail
  mov eax, 0x10
  mov ebx, bar0
  call pci_write
  mov eax, 0x14
  mov ebx, bar1
  call pci_write
  mov eax, 4
  mov ebx, 6
  call pci_write
  cmp dword [bar0 + ${R.id}], 0x32494d56
  jne fail
  mov dword [bar0 + ${R.sqBase}], sq
  mov dword [bar0 + ${R.sqLog2}], 2
  mov dword [bar0 + ${R.cqBase}], cq
  mov dword [bar0 + ${R.cqLog2}], 2
  mov dword [bar0 + ${R.rqBase}], rq
  mov dword [bar0 + ${R.rqLog2}], 1
  ${setup}
  mov dword [bar0 + ${R.control}], 5
  mov dword [bar1 + ${D.rqTail}], 1
  cmp dword [bar0 + ${R.rank}], 0
  jne second

  ; rank 0: waits for the request, accepts it, waits for the message, sends it back one larger
  call take
  cmp al, 0x83
  jne fail
  mov byte [command], ${MessageOp.respond}
  mov dword [command + 4], 1
  call submit
  mov ebp, 6
more:
  call take
  cmp al, 0x82
  jne fail
  call refill
  inc byte [buffer]
  call reply
  dec ebp
  jnz more
  ${result}
  jmp msg_exit

second:
  mov byte [command], ${MessageOp.connect}
  mov dword [command + 4], 0
  call submit
  call take
  cmp al, 0x84
  jne fail
  mov byte [buffer], 10
  mov ebp, 6
again:
  call reply
  call take
  cmp al, 0x82
  jne fail
  cmp dword [last + 16], 5
  jne fail
  call refill
  dec ebp
  jnz again
  ${result}
  jmp msg_exit

; sends five bytes of the buffer to the peer, by an inline message
reply:
  mov byte [command], ${MessageOp.sendInline}
  mov word [command + 2], 5
  mov eax, [bar0 + ${R.rank}]
  xor eax, 1
  mov [command + 4], eax
  mov eax, [buffer]
  mov [command + 16], eax
  mov eax, [buffer + 4]
  mov [command + 20], eax
; copies the command to the next entry and rings the bell
submit:
  mov edi, [sq_tail]
  shl edi, 6
  add edi, sq
  mov esi, command
  mov ecx, 16
  rep movsd
  mov eax, [sq_tail]
  inc eax
  and eax, 3
  mov [sq_tail], eax
  mov [bar1 + ${D.sqTail}], eax
  mov edi, command
  mov ecx, 16
  xor eax, eax
  rep stosd
  ret
; gives the receive buffer back
refill:
  mov eax, [rq_tail]
  inc eax
  and eax, 1
  mov [rq_tail], eax
  mov [bar1 + ${D.rqTail}], eax
  ret
; waits for the next completion -> last, AL: type
take:
  mov edx, [cq_head]
  shl edx, 5
  add edx, cq
  mov al, [edx + 2]
  and al, 1
  cmp al, [phase]
  je .there
  ${wait}
  jmp take
.there:
  mov esi, edx
  mov edi, last
  mov ecx, 8
  rep movsd
  mov eax, [cq_head]
  inc eax
  and eax, 3
  mov [cq_head], eax
  jnz .same
  xor byte [phase], 1
.same:
  mov [bar1 + ${D.cqHead}], eax
  mov al, [last]
  ret
fail:
  mov eax, 0xbad
  jmp msg_exit
align 64
command: times 64 db 0
sq: times 256 db 0
cq: times 128 db 0
rq: dd buffer, 0, 64, 7
    dd buffer, 0, 64, 8
last: times 32 db 0
buffer: times 64 db 0
sq_tail: dd 0
cq_head: dd 0
rq_tail: dd 1
phase: db 1
`);
}

const POLLED = "";
const WAITED = `
  mov byte [command], ${MessageOp.wait}
  call submit`;
/** Interrupts on line 11 end a halt; the handler clears the cause. */
const HALTED = "sti\nhlt\ncli";
const HANDLER = `
  jmp set_up
  align 8
the_idtr: dw 0x7f * 8 - 1
  dd idt
the_gdtr: dw 23
  dd gdt
gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
handler:
  push eax
  mov dword [bar0 + ${R.isr}], 15
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  pop eax
  iret
idt: times 0x80 dq 0
set_up:
  lgdt [the_gdtr]
  lidt [the_idtr]
  mov eax, handler
  mov [idt + 0x2b * 8], ax
  mov word [idt + 0x2b * 8 + 2], 8
  mov word [idt + 0x2b * 8 + 4], 0x8e00
  shr eax, 16
  mov [idt + 0x2b * 8 + 6], ax
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 0x20
  out 0x21, al
  mov al, 0x28
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, 0xfb
  out 0x21, al
  mov al, 0xf7
  out 0xa1, al
  mov dword [bar0 + ${R.imr}], 1
`;

/** The same by messages: vector 0x2b of the local APIC, the 8259A masked, the wire never used. */
const MESSAGES = HANDLER.replace(
  `  mov al, 0x20
  out 0xa0, al
  out 0x20, al`,
  "  mov dword [0xfee000b0], 0\n  inc dword [messages]",
).replace("mov al, 0xfb", "mov al, 0xff").replace("mov al, 0xf7", "mov al, 0xff") + `
  mov dword [0xfee000f0], 0x1ff
  mov eax, 0x34
  call pci_read
  and eax, 0xff
  cmp eax, 0x50
  jne fail
  call pci_read
  cmp al, 5
  jne fail
  mov eax, 0x54
  mov ebx, 0xfee00000
  call pci_write
  mov eax, 0x58
  mov ebx, 0x2b
  call pci_write
  mov eax, 0x50
  mov ebx, 0x10000
  call pci_write
  jmp armed
messages: dd 0
armed:
`;
/** And with causes gathered for a while. */
const MODERATED = `mov dword [bar0 + ${R.moderation}], 5000\n${MESSAGES}`;

for (
  const [how, wait, setup] of [
    ["polling memory", POLLED, ""],
    ["WAIT", WAITED, ""],
    ["interrupts", HALTED, HANDLER],
    ["message-signalled interrupts", HALTED, MESSAGES],
    ["moderated message-signalled interrupts", HALTED, MODERATED],
  ]
) {
  Deno.test(`a driver with rings exchanges messages, waiting by ${how}`, async () => {
    const result = await cluster({ nodes: 2, program: driver(wait, setup) }).run({ untilNs: 1e8 });
    assertEquals(result.ranks.map((r) => [r.state, r.value, r.error]), [["done", 16, undefined], [
      "done",
      16,
      undefined,
    ]]);
  });
}

Deno.test("in real time machines that poll memory let the event loop carry their frames", async () => {
  const options = (net: string): ClusterOptions => ({
    nodes: 2,
    program: driver(POLLED),
    time: "real",
    clock: hostClock(),
    spec: { chains: [{ name: "c", layers: ["credit", net] }] },
  });
  const alone = await cluster(options("loopback")).run({ untilNs: 60e9 });
  assertEquals(alone.ranks.map((r) => [r.state, r.value]), [["done", 16], ["done", 16]]);
  for (const [net, ends] of [["tcp", await tcpEnds(2)], ["worker", ringEnds(2)]] as const) {
    const split = await clusterSplit(options(net), ends);
    assertEquals(split.ranks.map((r) => [r.state, r.value]), [["done", 16], ["done", 16]], net);
  }
});

Deno.test("the card works in a whole PC, in slot 3", async () => {
  const result = await cluster({
    nodes: 2,
    program: driver(POLLED),
    at: 0x200000, // the stack below must be RAM
    machine: (_rank, card) => pc({ memory: 4 << 20, cards: [card] }),
  }).run({ untilNs: 1e8 });
  assertEquals(result.ranks.map((r) => [r.state, r.value, r.error]), [["done", 16, undefined], [
    "done",
    16,
    undefined,
  ]]);
});

Deno.test("message-signalled interrupts are counted: one for each time causes rise from none", async () => {
  const counting = (setup: string): ReturnType<typeof asm> => driver(HALTED, setup, "mov eax, [messages]");
  const job = cluster({ nodes: 2, program: counting(MESSAGES) });
  const [one, two] = (await job.run({ untilNs: 1e8 })).ranks;
  // Rank 0: a request and six messages; rank 1: the answer and six messages; each waits for one before it goes on.
  assertEquals([one.value, two.value], [7, 7]);
  const slow = (await cluster({ nodes: 2, program: counting(MODERATED) }).run({ untilNs: 1e8 })).ranks;
  assertEquals(slow.map((r) => r.value), [7, 7]);
  assert(slow[1].time >= two.time + 12 * 5000, `${slow[1].time} ns against ${two.time} ns`);
});

Deno.test("without the bus-master bit the adapter touches no memory; with it work that waited is done", async () => {
  const program = messageGuest(`
bar0 equ 0xe0000000
bar1 equ 0xe0001000
  jmp start
pci_write:
  or eax, 0x80000000 + 3 * 2048
  mov edx, 0xcf8
  out dx, eax
  mov edx, 0xcfc
  mov eax, ebx
  out dx, eax
  ret
start:
  mov eax, 0x10
  mov ebx, bar0
  call pci_write
  mov eax, 0x14
  mov ebx, bar1
  call pci_write
  mov eax, 4
  mov ebx, 2
  call pci_write
  mov dword [bar0 + ${R.sqBase}], sq
  mov dword [bar0 + ${R.sqLog2}], 1
  mov dword [bar0 + ${R.cqBase}], cq
  mov dword [bar0 + ${R.cqLog2}], 1
  mov dword [bar0 + ${R.control}], 1
  mov dword [bar1 + ${D.sqTail}], 1
  mov ecx, 1000
spin:
  dec ecx
  jnz spin
  xor esi, esi
  cmp byte [cq], 0
  jne bad
  cmp dword [block + 4], 0
  jne bad
  cmp dword [bar0 + ${R.status}], 3
  jne bad
  ; a hypercall is no bus master
  call msg_init
  mov esi, [msg_size]
  mov eax, 4
  mov ebx, 6
  call pci_write
  cmp byte [cq], 0x81
  jne bad
  shl esi, 8
  add esi, [block + 4]
bad:
  mov eax, esi
  jmp msg_exit
  align 64
sq: db ${MessageOp.info}, 2, 0, 0
  dd 0, 0, 0, block, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0
  times 64 db 0
cq: times 64 db 0
block: times 64 db 0
`);
  const result = await cluster({ nodes: 3, program }).run();
  assertEquals(result.ranks.map((r) => r.value), [0x303, 0x303, 0x303]);
});

Deno.test("VMCALL is a gate as well: INFO by EAX and EBX", async () => {
  const program = asm`
    mov eax, 0x564d0001
    mov ebx, entry
    vmcall
    test eax, eax
    jnz bad
    mov eax, 0x564d0099
    vmcall
    cmp eax, 0x8000000a
    jne bad
    mov eax, [block + 4]
    mov [entry + 48], eax
    mov eax, 0x564d0064
    vmcall
  bad:
    cli
    hlt
    align 8
  entry: dd 0, 0, 0, 0, block, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0
  block: times 64 db 0
  `;
  const result = await cluster({ nodes: 3, program }).run();
  assertEquals(result.ranks.map((r) => r.value), [3, 3, 3]);
});

Deno.test("rings outside RAM stop the adapter, not the node or its peers", async () => {
  const stray = (register: number, bell: number): ReturnType<typeof asm> =>
    messageGuest(`
  mov eax, 0x80000000 + 3 * 2048 + 0x10
  mov edx, 0xcf8
  out dx, eax
  mov edx, 0xcfc
  mov eax, 0xe0000000
  out dx, eax
  mov eax, 0x80000000 + 3 * 2048 + 0x14
  mov edx, 0xcf8
  out dx, eax
  mov edx, 0xcfc
  mov eax, 0xe0001000
  out dx, eax
  mov eax, 0x80000000 + 3 * 2048 + 4
  mov edx, 0xcf8
  out dx, eax
  mov edx, 0xcfc
  mov eax, 6
  out dx, eax
  mov dword [0xe0000000 + ${R.sqBase}], good
  mov dword [0xe0000000 + ${R.cqBase}], good
  mov dword [0xe0000000 + ${register}], 0xfffffff0
  mov dword [0xe0000000 + ${R.sqLog2}], 4
  mov dword [0xe0000000 + ${R.cqLog2}], 4
  mov dword [0xe0000000 + ${R.control}], 1
  mov dword [0xe0001000 + ${bell}], 3
  mov eax, [0xe0000000 + ${R.status}]
  push eax
  mov dword [0xe0000000 + ${R.control}], 2
  pop eax
  shl eax, 8
  mov ecx, [0xe0000000 + ${R.status}]
  or eax, ecx
  jmp msg_exit
  align 64
good: times 1024 db 0xff
`);
  const result = await cluster({
    nodes: 3,
    program: [stray(R.sqBase, D.sqTail), stray(R.cqBase, D.sqTail), async (rank) => await rank.advance(1e6)],
  }).run();
  const [sq, cq, other] = result.ranks.map((r) => r.value);
  assertEquals([sq, cq], [0x603, 0x603]); // fatal and link up; ready again after reset
  assert(other === undefined);
});
