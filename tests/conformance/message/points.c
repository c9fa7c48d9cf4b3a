/* Conformance of emulated ranks among themselves, four of them: a rank to itself, multicast, sources that are overwritten,
   two publications of one memory, a put that is seen by a sentinel, notifications of contexts 0 and 0xffffffff, a fence,
   ends, and the three answers to a request. What is wrong ends the program as failed; its value is the number of checks. */
#include "vmikit_message.h"

static msg_u8 in[8192] __attribute__((aligned(16))), data[8192], window[256], from[256];
static msg_u32 checks, received, connected, dones, lefts, asked, put_notes, get_notes, published;
static msg_u32 collected, asked_size, asked_from;
static msg_u8 asked_data[2];
static msg_u32 last_size, last_from, last_status, put_context, put_size, get_context, registration;
static msg_u64 remote[2];

#define CHECK(x) do { if (x) checks++; else msg_fail(__LINE__); } while (0)

/* One completion of any kind. */
static void pump(void) {
  struct msg_entry e = {.op = MSG_OP_WAIT, .address = msg_at(&msg_last), .length = sizeof msg_last,
    .payload_address = msg_at(in), .payload_length = sizeof in};
  msg_call(&e);
  last_from = msg_last.connection;
  last_size = msg_last.length;
  last_status = msg_last.status;
  switch (msg_last.type) {
    case MSG_GOT_RECV: received++; break;
    case MSG_GOT_CONNECTED: connected++; break;
    case MSG_GOT_DISCONNECTED: lefts++; break;
    case MSG_GOT_CONNECTREQUEST:
      asked++, asked_from = last_from, asked_size = last_size, asked_data[0] = in[0], asked_data[1] = in[1];
      break;
    case MSG_GOT_COLLECTIVEDONE: collected++; break;
    case MSG_GOT_DONE: dones++; if (msg_last.cookie == 77) registration = msg_last.context; break;
    case MSG_GOT_PUBLISHED: remote[published++] = msg_last.aux; break;
    case MSG_GOT_PUTNOTIFY: put_notes++; put_context = msg_last.context; put_size = msg_last.length; break;
    case MSG_GOT_GETNOTIFY: get_notes++; get_context = msg_last.context; break;
  }
}

static void until(msg_u32 *what, msg_u32 count) { while (*what < count) pump(); }

static msg_u32 run(struct msg_entry e) { return msg_call(&e); }

/* What comes meanwhile is counted. */
static void barrier(void) {
  CHECK(!run((struct msg_entry){.op = MSG_OP_BARRIER}));
  until(&collected, collected + 1);
}

static void fill(msg_u8 *to, msg_u32 n, msg_u32 seed) { while (n--) to[n] = n * 13 + seed; }

static msg_u32 holds(const msg_u8 *p, msg_u32 n, msg_u32 seed) {
  while (n--) if (p[n] != (msg_u8)(n * 13 + seed)) return 0;
  return 1;
}

static msg_u32 registered(void *at, msg_u32 size) {
  CHECK(!run((struct msg_entry){.op = MSG_OP_REGISTER, .cookie = 77, .address = msg_at(at), .length = size}));
  registration = 0;
  while (!registration) pump();
  return registration;
}

static void to_itself(void) {
  msg_u32 me = msg_self.rank;
  CHECK(!run((struct msg_entry){.op = MSG_OP_CONNECT, .connection = me}));
  until(&asked, 1);
  CHECK(asked_from == me && !run((struct msg_entry){.op = MSG_OP_RESPOND, .connection = me}));
  until(&connected, 1);
  fill(data, 100, 5);
  CHECK(!msg_send(me, data, 100));
  fill(data, 100, 6); /* the card has its copy */
  until(&received, 1);
  CHECK(last_from == me && last_size == 100 && holds(in, 100, 5));
  CHECK(!run((struct msg_entry){.op = MSG_OP_DISCONNECT, .flags = 2, .connection = me}));
  until(&dones, dones + 1);
  CHECK(msg_send(me, data, 1) == 0x80000003u);
  received = connected = asked = lefts = 0;
}

/* Rank 0 to all others, then each to rank 0 from registered memory, in two pieces, overwritten when it is done. */
static void to_many(void) {
  msg_u32 others[3] = {1, 2, 3}, me = msg_self.rank;
  if (me == 0) {
    fill(data, 5000, 9);
    CHECK(!run((struct msg_entry){.op = MSG_OP_MULTICAST, .address = msg_at(data), .length = 5000,
      .payload_address = msg_at(others), .payload_length = sizeof others}));
    fill(data, 5000, 0);
    for (msg_u32 i = 1; i <= 3; i++) {
      until(&received, i);
      CHECK(last_size == 3000 && holds(in, 3000, 20 + last_from));
    }
    return;
  }
  until(&received, 1);
  CHECK(last_from == 0 && last_size == 5000 && holds(in, 5000, 9));
  struct { msg_u64 address; msg_u32 length, registration; } list[2];
  msg_u32 handle = registered(data, sizeof data);
  fill(data, 3000, 20 + me);
  list[0].address = msg_at(data), list[0].length = 1000, list[0].registration = handle;
  list[1].address = msg_at(data + 1000), list[1].length = 2000, list[1].registration = handle;
  CHECK(!run((struct msg_entry){.op = MSG_OP_SEND, .flags = 2 | 8, .count = 2, .address = msg_at(list)}));
  until(&dones, dones + 1);
  CHECK(last_status == 0);
  fill(data, 3000, 0);
  CHECK(!run((struct msg_entry){.op = MSG_OP_DEREGISTER, .registration = handle}));
  CHECK(run((struct msg_entry){.op = MSG_OP_DEREGISTER, .registration = handle}) == 0x80000002u);
}

/* Each lends its window twice to the next rank, which writes and reads it. */
static void remote_memory(void) {
  msg_u32 me = msg_self.rank, next = (me + 1) % msg_self.size, handle = registered(window, sizeof window);
  msg_u32 source = registered(from, sizeof from);
  for (msg_u32 k = 0; k < 2; k++)
    CHECK(!run((struct msg_entry){.op = MSG_OP_PUBLISH, .connection = next, .address = msg_at(window),
      .length = sizeof window, .registration = handle, .context = k ? 0xffffffffu : 0, .remote = k}));
  until(&published, 2);
  msg_u32 owner = (me + msg_self.size - 1) % msg_self.size;
  CHECK(remote[0] != remote[1]);
  /* No notification: the last byte tells. */
  fill(from, 64, 30 + me);
  from[63] = 0xa5;
  struct msg_entry put = {.op = MSG_OP_PUT, .flags = 2, .connection = owner, .address = msg_at(from), .length = 64,
    .registration = source, .remote = remote[0]};
  CHECK(!run(put));
  while (*(volatile msg_u8 *)(window + 63) != 0xa5);
  CHECK(holds(window, 63, 30 + next));
  until(&dones, dones + 1);
  /* With one, by the other publication; behind a fence a get that sees it. */
  fill(from, 64, 40 + me);
  put.flags = 1 | 2, put.remote = remote[1], put.offset = 64;
  CHECK(!run(put));
  struct msg_entry get = {.op = MSG_OP_GET, .flags = 1 | 2 | 4, .connection = owner, .address = msg_at(from + 128),
    .length = 64, .registration = source, .remote = remote[0], .offset = 64};
  CHECK(!run(get));
  until(&dones, dones + 2);
  CHECK(last_status == 0 && holds(from + 128, 64, 40 + me));
  until(&put_notes, 1);
  until(&get_notes, 1);
  CHECK(put_context == 0xffffffffu && put_size == 64 && get_context == 0 && holds(window + 64, 64, 40 + next));
  /* Outside, and by a handle of nobody. */
  put.offset = sizeof window - 63, put.flags = 0;
  CHECK(run(put) == 0x80000009u);
  put.remote = 0x123456789abcull;
  CHECK(run(put) == 0x80000002u);
  CHECK(!run((struct msg_entry){.op = MSG_OP_RELEASE, .connection = owner, .remote = remote[0]}));
  CHECK(run((struct msg_entry){.op = MSG_OP_RELEASE, .connection = owner, .remote = remote[0]}) == 0x80000002u);
}

/* Rank 0 ends all connections and asks again: 1 accepts, 2 rejects, 3 answers with an error; all with data. */
static void answers(void) {
  static const msg_u8 status[4] = {0, 0, 4, 14};
  msg_u32 me = msg_self.rank;
  msg_u8 words[2];
  if (me) {
    until(&lefts, 1);
    until(&asked, 1);
    CHECK(asked_from == 0 && asked_size == 2 && asked_data[0] == me && asked_data[1] == 7);
    words[0] = me, words[1] = 9;
    CHECK(!run((struct msg_entry){.op = MSG_OP_RESPOND, .context = me - 1, .payload_address = msg_at(words), .payload_length = 2}));
    if (me == 1) until(&received, received + 1);
    return;
  }
  for (msg_u32 r = 1; r < 4; r++) {
    CHECK(!run((struct msg_entry){.op = MSG_OP_DISCONNECT, .flags = 2, .connection = r}));
    until(&dones, dones + 1);
    connected = 0;
    words[0] = r, words[1] = 7;
    CHECK(!run((struct msg_entry){.op = MSG_OP_CONNECT, .connection = r, .payload_address = msg_at(words), .payload_length = 2}));
    until(&connected, 1);
    CHECK(last_from == r && last_status == status[r] && last_size == 2 && in[0] == r && in[1] == 9);
    CHECK(msg_send(r, words, 2) == (r == 1 ? 0 : 0x80000003u));
  }
}

int msg_main(void) {
  msg_mesh();
  barrier();
  to_itself();
  barrier();
  to_many();
  barrier();
  remote_memory();
  barrier();
  answers();
  return (int)checks;
}
