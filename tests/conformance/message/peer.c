/* The guest half of the conformance of emulated ranks: it does what messages of its peer say. */
#include "vmikit_message.h"

enum { ROOM = 1200000 };
static msg_u8 in[ROOM], area[ROOM];
static msg_u64 remote;
static msg_u32 puts, gets, published;

struct command { msg_u32 what, a, b, c; };

static msg_u32 handle_of(void *at, msg_u32 size) {
  struct msg_entry e = {.op = MSG_OP_REGISTER, .flags = 2, .address = msg_at(at), .length = size};
  if (msg_call(&e)) return 0;
  while (msg_wait(0, 0) != MSG_GOT_DONE);
  return msg_last.context;
}

static void answer(msg_u32 rank, msg_u32 a, msg_u32 b) {
  msg_u32 words[2] = {a, b};
  msg_send(rank, words, sizeof words);
}

static msg_u32 hash_of(const msg_u8 *p, msg_u32 n) {
  msg_u32 h = 0;
  while (n--) h = 31 * h + *p++;
  return h;
}

/* One put or get of the area against the peer's buffer; returns the status of its completion. */
static msg_u32 move(msg_u8 op, msg_u32 rank, msg_u32 size, msg_u32 offset) {
  msg_u32 handle = handle_of(area, ROOM);
  struct msg_entry e = {.op = op, .flags = 3, .connection = rank, .address = msg_at(area), .length = size,
    .registration = handle, .remote = remote, .offset = offset};
  msg_u32 status = msg_call(&e) & 0xff;
  if (!status) {
    while (msg_wait(0, 0) != MSG_GOT_DONE);
    status = msg_last.status;
  }
  struct msg_entry drop = {.op = MSG_OP_DEREGISTER, .registration = handle};
  msg_call(&drop);
  return status;
}

int msg_main(void) {
  msg_u32 publication = 0;
  msg_mesh();
  for (;;) {
    int type = msg_wait(in, ROOM);
    msg_u32 rank = msg_last.connection, size = msg_last.length;
    if (type == MSG_GOT_PUTNOTIFY) puts += msg_last.context;
    if (type == MSG_GOT_GETNOTIFY) gets += msg_last.context;
    if (type == MSG_GOT_PUBLISHED) { remote = msg_last.aux; published = size; }
    if (type != MSG_GOT_RECV) continue;
    struct command c = *(struct command *)in;
    switch (c.what) {
      case 1: /* echo */
        msg_send(rank, in, size);
        break;
      case 2: { /* lend a bytes under context b */
        for (msg_u32 i = 0; i < c.a; i++) area[i] = i * 7;
        struct msg_entry e = {.op = MSG_OP_PUBLISH, .flags = 2, .connection = rank, .address = msg_at(area),
          .length = c.a, .registration = handle_of(area, ROOM), .remote = 0x1122334455667788ull, .context = c.b,
          .payload_length = 5, .payload_address = msg_at("hello")};
        msg_call(&e);
        while (msg_wait(0, 0) != MSG_GOT_DONE);
        publication = msg_last.context;
        break;
      }
      case 3: /* hash of a bytes of the area, and the notifications */
        answer(rank, hash_of(area, c.a), puts * 1000 + gets);
        break;
      case 4: /* get a bytes from the peer's offset b, turn them over, put them to c */
        puts = move(MSG_OP_GET, rank, c.a, c.b);
        for (msg_u32 i = 0; i < c.a; i++) area[i] ^= 0xff;
        answer(rank, puts, move(MSG_OP_PUT, rank, c.a, c.c));
        puts = 0;
        break;
      case 5: { /* take the buffer back */
        struct msg_entry e = {.op = MSG_OP_UNPUBLISH, .connection = rank, .remote = publication};
        msg_u32 first = msg_call(&e) & 0xff;
        answer(rank, first, msg_call(&e) & 0xff);
        break;
      }
      case 6: /* compute, and receive nothing */
        for (volatile msg_u32 i = 0; i < c.a; i++);
        break;
      case 7:
        return (int)published;
    }
  }
}
