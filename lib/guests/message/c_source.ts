/**
 * The message library for guests in C: one header without a C library below it, for programs that a compiler makes into
 * an ELF file for the cluster's machines (`gcc -m32 -ffreestanding -nostdlib -static -no-pie -fno-pic -Wl,-Ttext=0x100000`).
 * The program defines `int msg_main(void)`; what it returns is the rank's value. Addresses are physical.
 *
 * The names are this toolkit's own; `historical_c.ts` has the historical interface over this one. Cold.
 */
import { CompletionType, MESSAGE_PORTS, MessageOp } from "../../spec/message_abi.ts";
import { REDUCE_OPS, REDUCE_TYPES } from "../../spec/message_abi.ts";

const constants = [
  ...Object.entries(MessageOp).map(([name, n]) => `#define MSG_OP_${name.toUpperCase()} ${n}`),
  ...Object.entries(CompletionType).map(([name, n]) => `#define MSG_GOT_${name.toUpperCase()} ${n}`),
  ...REDUCE_OPS.map((name, n) => `#define MSG_${name.toUpperCase()} ${n}`),
  ...REDUCE_TYPES.map((name, n) => `#define MSG_${name.toUpperCase()} ${n << 8}`),
].join("\n");

/** Text of the header, `vmikit_message.h`. */
export const MESSAGE_C_HEADER: string = `#ifndef VMIKIT_MESSAGE_H
#define VMIKIT_MESSAGE_H
${constants}

typedef unsigned char msg_u8;
typedef unsigned short msg_u16;
typedef unsigned int msg_u32;
typedef unsigned long long msg_u64;

struct msg_entry {
  msg_u8 op, flags;
  msg_u16 count;
  msg_u32 connection;
  msg_u64 cookie, address;
  msg_u32 length, registration;
  msg_u64 remote, offset;
  msg_u32 context, payload_length;
  msg_u64 payload_address;
} __attribute__((packed));

struct msg_completion {
  msg_u8 type, status;
  msg_u16 flags;
  msg_u32 connection;
  msg_u64 cookie;
  msg_u32 length, context;
  msg_u64 aux;
} __attribute__((packed));

struct msg_info {
  msg_u32 rank, size, cluster, clusters, features, inline_max, max_message, registrations;
  msg_u64 time;
  msg_u32 zero[6];
} __attribute__((packed));

static struct msg_info msg_self;
static struct msg_completion msg_last;
static msg_u32 msg_joined;

static inline msg_u32 msg_call(struct msg_entry *e) {
  msg_u32 status;
  __asm__ volatile("outl %0, %w1" : : "a"(e), "d"(${MESSAGE_PORTS.call}) : "memory");
  __asm__ volatile("inl %w1, %0" : "=a"(status) : "d"(${MESSAGE_PORTS.status}) : "memory");
  return status;
}

static inline msg_u64 msg_at(const volatile void *p) { return (msg_u32)p; }

/* Waits for a completion; data goes to buffer. Requests to connect are accepted on the way. */
static int msg_wait(void *buffer, msg_u32 room) {
  for (;;) {
    struct msg_entry e = {.op = MSG_OP_WAIT, .address = msg_at(&msg_last), .length = sizeof msg_last,
      .payload_address = msg_at(buffer), .payload_length = room};
    msg_call(&e);
    if (msg_last.type != MSG_GOT_CONNECTREQUEST) return msg_last.type;
    struct msg_entry yes = {.op = MSG_OP_RESPOND, .connection = msg_last.connection};
    msg_call(&yes);
    msg_joined++;
  }
}

static msg_u64 msg_time(void) {
  msg_u64 now = 0;
  struct msg_entry e = {.op = MSG_OP_TIME, .address = msg_at(&now), .length = 8};
  msg_call(&e);
  return *(volatile msg_u64 *)&now;
}

/* Connects all pairs. */
static void msg_mesh(void) {
  struct msg_entry info = {.op = MSG_OP_INFO, .address = msg_at(&msg_self), .length = sizeof msg_self};
  msg_call(&info);
  for (msg_u32 r = 0; r < msg_self.rank; r++) {
    struct msg_entry e = {.op = MSG_OP_CONNECT, .connection = r};
    msg_call(&e);
    while (msg_wait(0, 0) != MSG_GOT_CONNECTED);
  }
  while (msg_joined < msg_self.size - msg_self.rank - 1) {
    struct msg_entry e = {.op = MSG_OP_WAIT, .address = msg_at(&msg_last), .length = sizeof msg_last};
    msg_call(&e);
    if (msg_last.type != MSG_GOT_CONNECTREQUEST) continue;
    struct msg_entry yes = {.op = MSG_OP_RESPOND, .connection = msg_last.connection};
    msg_call(&yes);
    msg_joined++;
  }
}

static msg_u32 msg_send(msg_u32 rank, const void *data, msg_u32 size) {
  struct msg_entry e = {.op = MSG_OP_SEND, .connection = rank, .address = msg_at(data), .length = size};
  return msg_call(&e);
}

/* Messages that came before they were wanted: rank, size, data, padded to words. */
#ifndef MSG_STASH
#define MSG_STASH 65536
#endif
static msg_u8 msg_stash[MSG_STASH] __attribute__((aligned(4)));
static msg_u32 msg_kept;

static void msg_copy(void *to, const void *from, msg_u32 n) {
  msg_u8 *t = to;
  const msg_u8 *f = from;
  while (n--) *t++ = *f++;
}

static void msg_fail(msg_u32 code) {
  struct msg_entry e = {.op = MSG_OP_ABORT, .context = code};
  msg_call(&e);
  for (;;) __asm__ volatile("hlt");
}

/* Takes the kept message at an offset; returns its size. */
static msg_u32 msg_unkeep(msg_u32 at, msg_u32 *rank, void *data, msg_u32 room) {
  msg_u32 *head = (msg_u32 *)(msg_stash + at), size = head[1], next = at + ((size + 11) & ~3u);
  if (size > room) msg_fail(0xf011);
  if (rank) *rank = head[0];
  msg_copy(data, head + 2, size);
  msg_copy(msg_stash + at, msg_stash + next, msg_kept - next);
  msg_kept -= next - at;
  return size;
}

/* Receives the next message; returns its size, and its sender in *rank. */
static msg_u32 msg_receive(msg_u32 *rank, void *data, msg_u32 room) {
  if (msg_kept) return msg_unkeep(0, rank, data, room);
  while (msg_wait(data, room) != MSG_GOT_RECV);
  if (rank) *rank = msg_last.connection;
  return msg_last.length;
}

/* Receives the next message of one rank; those of others are kept for later. */
static msg_u32 msg_receive_from(msg_u32 from, void *data, msg_u32 room) {
  for (;;) {
    for (msg_u32 at = 0; at < msg_kept; at += (((msg_u32 *)(msg_stash + at))[1] + 11) & ~3u)
      if (*(msg_u32 *)(msg_stash + at) == from) return msg_unkeep(at, 0, data, room);
    if (msg_kept + 8 >= MSG_STASH) msg_fail(0xf011);
    while (msg_wait(msg_stash + msg_kept + 8, MSG_STASH - 8 - msg_kept) != MSG_GOT_RECV);
    if (msg_last.status) msg_fail(0xf011);
    msg_u32 *head = (msg_u32 *)(msg_stash + msg_kept);
    head[0] = msg_last.connection;
    head[1] = msg_last.length;
    msg_kept += (head[1] + 11) & ~3u;
  }
}

/* Collectives by messages of the library's own, without the card's help. What was sent between two ranks before one is
   received before it, if the two meet in it. */
static void msg_tree_barrier(void) {
  msg_u32 me = msg_self.rank, size = msg_self.size;
  for (msg_u32 k = 1; k < size; k <<= 1) {
    msg_send((me + k) % size, 0, 0);
    msg_receive_from((me + size - k) % size, 0, 0);
  }
}

static void msg_tree_broadcast(msg_u32 root, void *data, msg_u32 bytes) {
  msg_u32 size = msg_self.size, v = (msg_self.rank + size - root) % size, bit = 1;
  while (bit < size && !(v & bit)) bit <<= 1;
  if (bit < size) msg_receive_from((v - bit + root) % size, data, bytes);
  while (bit >>= 1) if (v + bit < size) msg_send((v + bit + root) % size, data, bytes);
}

/* Sums of 32-bit words, in place; more than MSG_STASH bytes do not fit. */
static void msg_tree_sum(msg_u32 *data, msg_u32 words) {
  static msg_u32 theirs[MSG_STASH / 4];
  msg_u32 me = msg_self.rank, size = msg_self.size;
  for (msg_u32 bit = 1; bit < size; bit <<= 1) {
    if (me & bit) {
      msg_send(me - bit, data, 4 * words);
      break;
    }
    if (me + bit >= size) continue;
    msg_receive_from(me + bit, theirs, sizeof theirs);
    for (msg_u32 i = 0; i < words; i++) data[i] += theirs[i];
  }
  msg_tree_broadcast(0, data, 4 * words);
}

/* Part i of mine goes to rank i, whose part for this rank becomes part i of theirs. */
static void msg_tree_alltoall(const void *mine, void *theirs, msg_u32 bytes) {
  msg_u32 me = msg_self.rank, size = msg_self.size;
  msg_copy((msg_u8 *)theirs + me * bytes, (const msg_u8 *)mine + me * bytes, bytes);
  for (msg_u32 k = 1; k < size; k++) {
    msg_u32 to = (me + k) % size, from = (me + size - k) % size;
    msg_send(to, (const msg_u8 *)mine + to * bytes, bytes);
    msg_receive_from(from, (msg_u8 *)theirs + from * bytes, bytes);
  }
}

/* A collective operation; root and context as the command wants them. Returns its status, 0 for success. */
static msg_u32 msg_collective(msg_u8 op, msg_u32 root, const void *data, msg_u32 size, void *into, msg_u32 room,
    msg_u32 context) {
  struct msg_entry e = {.op = op, .connection = root, .address = msg_at(data), .length = size,
    .payload_address = msg_at(into), .payload_length = room, .context = context};
  msg_u32 status = msg_call(&e);
  if (status) return status;
  while (msg_wait(0, 0) != MSG_GOT_COLLECTIVEDONE);
  return msg_last.status;
}

static inline void msg_barrier(void) { msg_collective(MSG_OP_BARRIER, 0, 0, 0, 0, 0, 0); }

static inline void msg_allreduce(const void *data, void *into, msg_u32 size, msg_u32 how) {
  msg_collective(MSG_OP_ALLREDUCE, 0, data, size, into, size, how);
}

static inline void msg_log(const char *text) {
  msg_u32 n = 0;
  while (text[n]) n++;
  struct msg_entry e = {.op = MSG_OP_LOG, .address = msg_at(text), .length = n};
  msg_call(&e);
}

int msg_main(void);

__attribute__((noreturn, section(".text.entry"))) void _start(void) {
  __asm__ volatile("fninit");
  struct msg_entry e = {.op = MSG_OP_EXIT, .context = (msg_u32)msg_main()};
  msg_call(&e);
  for (;;) __asm__ volatile("hlt");
}
#endif
`;
