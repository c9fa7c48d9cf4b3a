/* A client of the historical interface, in the order of calls that parallel runtimes used: a full mesh in which every
   rank connects to all lower ones, streams small and large, publication, put and get with notifications, teardown. The
   program's value is the number of checks that hold, or less than 0. */
#define VMI_DEVICENAME "client"
#include "vmi.h"

enum { MOST = 8, LARGE = 40000 };
static PVMI_CONNECT slots[MOST];
static PVMI_REMOTE_BUFFER remote[MOST];
static int me, size, connected, checks, streams, answers, put_seen, got_seen, done, closed, left, sent, kept_ok;
static PVMI_SLAB kept;
static msg_u8 source[LARGE], window[MOST][256], fetched[LARGE];

#define NEED(x) do { VMI_STATUS s_ = (x); if (!VMI_SUCCESS(s_)) { VMI_perror(#x, s_); msg_fail(1000 + __LINE__); } } while (0)
#define CHECK(x) do { if (x) checks++; else { VMI_perror(#x, __LINE__); msg_fail(2000 + __LINE__); } } while (0)

static msg_u8 byte_of(int rank, int i) { return rank * 37 + i * 11 + (i >> 8); }

static int rank_of(PVMI_CONNECT conn) { return (int)(ULONG)VMI_CONNECT_GET_RECEIVE_CONTEXT(conn) - 1; }

static void on_publish(PVMI_CONNECT conn, PVMI_REMOTE_BUFFER buffer, PVMI_SLAB slab, ULONG bytes) {
  int from = rank_of(conn);
  UINT32 word = 0;
  CHECK(bytes == 4 && buffer->lctxt == 0x1122334400000000ull + me);
  NEED(VMI_Slab_Copy_Bytes(slab, 4, &word));
  CHECK(word == 0xc0de0000u + from && buffer->rsz == LARGE);
  remote[from] = buffer;
}

static void on_put(PVMI_CONNECT conn, UINT32 bytes, UINT32 context, VMI_STATUS status) {
  CHECK(VMI_SUCCESS(status) && context == 0xffffffffu && bytes == 64);
  int from = rank_of(conn), good = 1;
  for (int i = 0; i < 64; i++) good &= source[LARGE - 512 + 64 * from + i] == (msg_u8)(from ^ i);
  CHECK(good);
  put_seen++;
}

static void on_get(PVMI_CONNECT conn, UINT32 context, VMI_STATUS status) {
  (void)conn;
  CHECK(VMI_SUCCESS(status) && context == 0xffffffffu);
  got_seen++;
}

static void ready(PVMI_CONNECT conn, int rank) {
  slots[rank] = conn;
  VMI_CONNECT_SET_RECEIVE_CONTEXT(conn, (PVOID)(ULONG)(rank + 1));
  VMI_RDMA_Set_Publish_Callback(conn, on_publish);
  VMI_RDMA_Set_Put_Notification_Callback(conn, on_put);
  VMI_RDMA_Set_Get_Notification_Callback(conn, on_get);
  connected++;
}

/* The connect data is the caller's rank, 4 bytes in network order. */
static VMI_CONNECT_RESPONSE on_accept(PVMI_CONNECT conn, PVMI_SLAB slab, ULONG bytes) {
  msg_u8 rank[4];
  if (bytes != 4) return VMI_CONNECT_RESPONSE_ERROR;
  NEED(VMI_Slab_Copy_Bytes(slab, 4, rank));
  ready(conn, rank[3]);
  return VMI_CONNECT_RESPONSE_ACCEPT;
}

static void on_answer(PVOID context, PVOID response, USHORT bytes, PVOID handle, VMI_CONNECT_RESPONSE status) {
  (void)response, (void)handle;
  CHECK(status == VMI_CONNECT_RESPONSE_ACCEPT && bytes == 0);
  PVMI_CONNECT conn = context;
  for (int r = 0; r < me; r++) if (slots[r] == conn) ready(conn, r);
}

static void on_left(PVMI_CONNECT conn) { (void)conn; left++; }
static void on_closed(PVMI_CONNECT conn, PVOID context, VMI_STATUS status) {
  (void)conn, (void)context;
  CHECK(VMI_SUCCESS(status));
  closed++;
}
static void on_sent(PVOID context, VMI_STATUS status) { CHECK(VMI_SUCCESS(status)); sent += (int)(ULONG)context; }
static void on_done(PVMI_RDMA_OP op, PVOID context, VMI_STATUS status) {
  CHECK(VMI_SUCCESS(status) && op == context);
  done++;
}

/* Sizes tell the messages apart. */
static VMI_RECV_STATUS on_stream(PVMI_CONNECT conn, PVMI_STREAM_RECV stream, VMI_STREAM_COMMAND command, PVOID context, PVMI_SLAB slab) {
  struct vmi_slab_state state;
  int from = (int)(ULONG)context - 1, good = 1;
  ULONG bytes = VMI_SLAB_BYTES_REMAINING(slab), look = 8;
  PVOID seen;
  (void)conn, (void)stream, (void)command;
  CHECK(VMI_Poll() == VMI_BAD_STATE); /* a handler must not wait */
  NEED(VMI_Slab_Save_State(slab, &state));
  msg_u8 first[2] = {0};
  NEED(VMI_Slab_Copy_Bytes(slab, bytes < 2 ? bytes : 2, first));
  CHECK(VMI_Slab_Copy_Bytes(slab, bytes, first) == VMI_INVALID_ARGUMENT || bytes == 0);
  NEED(VMI_Slab_Restore_State(slab, &state));
  CHECK(VMI_SLAB_BYTES_REMAINING(slab) == bytes);
  msg_u8 *p = VMI_BUFFEROP_GET_ADDRESS(VMI_SLAB_GET_BUFFEROPS(slab));
  for (ULONG i = 0; i < bytes; i++) good &= p[i] == byte_of(from, i);
  CHECK(good);
  NEED(VMI_Slab_Try_Read(slab, &look, &seen));
  CHECK(seen == p && look == (bytes < 8 ? bytes : 8));
  NEED(VMI_Slab_Restore_State(slab, &state));
  streams++;
  if (bytes != 777 || kept) return VMI_SLAB_DONE;
  kept = slab;
  return VMI_SLAB_KEEP;
}

static void poll_until(int *what, int count) { while (*what < count) NEED(VMI_Poll()); }

static void mesh(void) {
  PVMI_BUFFER data;
  NEED(VMI_Buffer_Allocate(4, &data));
  ((msg_u8 *)VMI_BUFFER_ADDRESS(data))[0] = ((msg_u8 *)VMI_BUFFER_ADDRESS(data))[1] = ((msg_u8 *)VMI_BUFFER_ADDRESS(data))[2] = 0;
  ((msg_u8 *)VMI_BUFFER_ADDRESS(data))[3] = me;
  for (int r = 0; r < me; r++) {
    char key[] = "guest:0";
    PVMI_NETADDRESS address;
    key[6] += r;
    NEED(VMI_Connection_Create(&slots[r]));
    NEED(VMI_Connection_Allocate_IPV4_Address("host", 0, "user", key, &address));
    NEED(VMI_Connection_Bind(*localAddress, *address, slots[r]));
    NEED(VMI_Connection_Issue(slots[r], data, on_answer, slots[r]));
  }
  poll_until(&connected, size - 1);
  NEED(VMI_Buffer_Deallocate(data));
}

/* Central: all tell rank 0, which answers each. */
static void barrier(void) {
  int before = 5 * (size - 1);
  msg_u8 note[5];
  for (int i = 0; i < 5; i++) note[i] = byte_of(me, i);
  if (me == 0) poll_until(&streams, before + size - 1);
  for (int r = me ? 0 : 1; r < (me ? 1 : size); r++) NEED(VMI_Stream_Send_Inline(slots[r], (PVOID[]){note}, (ULONG[]){5}, 1, 5));
  if (me) poll_until(&streams, before + 1);
}

int main(int argc, char **argv) {
  (void)argc, (void)argv;
  NEED(VMI_Init(0, NULL));
  me = localAddress->rank;
  const char *procs = VMI_Environment("VMI_PROCS");
  for (; *procs; procs++) size = 10 * size + (*procs - '0');
  VMI_Connection_Accept_Fn(on_accept);
  VMI_Connection_Disconnect_Fn(on_left);
  VMI_STREAM_SET_RECV_FUNCTION(on_stream);
  mesh();
  PVMI_NETADDRESS none;
  CHECK(VMI_Connection_Allocate_IPV4_Address("host", 0, "user", "guest:99", &none) == VMI_INVALID_ARGUMENT);
  for (int r = 0; r < size; r++) if (r != me) CHECK(VMI_CONNECT_ONE_WAY_LATENCY(slots[r]) >= 1);

  /* Streams: inline from two pieces, which are overwritten at once; then registered memory, also from two pieces. */
  static msg_u8 text[LARGE];
  PVMI_CACHE_ENTRY entry, again;
  NEED(VMI_Cache_Register(text, sizeof text, &entry));
  NEED(VMI_Cache_Register(text, sizeof text, &again));
  CHECK(entry == again);
  static const ULONG sizes[] = {0, 1, 777, VMI_INLINED_DATA_SZ};
  for (int r = 0; r < size; r++) {
    if (r == me) continue;
    for (int k = 0; k < 4; k++) {
      for (ULONG i = 0; i < sizes[k]; i++) text[i] = byte_of(me, i);
      PVOID at[2] = {text, text + sizes[k] / 3};
      ULONG n[2] = {sizes[k] / 3, sizes[k] - sizes[k] / 3};
      NEED(VMI_Stream_Send_Inline(slots[r], at, n, 2, sizes[k]));
      for (ULONG i = 0; i < sizes[k]; i++) text[i] = 0xee;
    }
    CHECK(VMI_Stream_Send_Inline(slots[r], (PVOID[]){text}, (ULONG[]){VMI_INLINED_DATA_SZ + 1}, 1, VMI_INLINED_DATA_SZ + 1) == VMI_INVALID_ARGUMENT);
  }
  for (int i = 0; i < LARGE; i++) text[i] = byte_of(me, i);
  for (int r = 0; r < size; r++) {
    if (r == me) continue;
    PVMI_BUFFER buffers[2] = {entry->bufferHandle, entry->bufferHandle};
    PVOID at[2] = {text, text + 100};
    ULONG n[2] = {100, LARGE - 100};
    NEED(VMI_Stream_Send(slots[r], buffers, at, n, 2, on_sent, (PVOID)1, TRUE));
  }
  poll_until(&streams, 5 * (size - 1));
  poll_until(&sent, size - 1);
  kept_ok = kept && VMI_SLAB_BYTES_REMAINING(kept) == 777;
  CHECK(kept_ok);
  VMI_Slab_Release(kept);

  /* Rendezvous: each publishes its source; all fetch all, with a notification, and put 64 bytes at its end. */
  for (int i = 0; i < LARGE; i++) source[i] = byte_of(me, 2 * i);
  PVMI_CACHE_ENTRY mine, into, small;
  NEED(VMI_Cache_Register(source, sizeof source, &mine));
  NEED(VMI_Cache_Register(fetched, sizeof fetched, &into));
  NEED(VMI_Cache_Register(window, sizeof window, &small));
  UINT32 word = 0xc0de0000u + me;
  for (int r = 0; r < size; r++) {
    if (r == me) continue;
    VMI_virt_addr_t peer = 0x1122334400000000ull + r, at = (VMI_virt_addr_t)(VMI_ADDR_CAST)source;
    if (r & 1) NEED(VMI_RDMA_Publish_Buffer(slots[r], mine->bufferHandle, at, LARGE, peer, 0xffffffffu, &word, 4));
    else {
      sent--;
      NEED(VMI_RDMA_Publish_Buffer_With_Callback(slots[r], mine->bufferHandle, at, LARGE, peer, 0xffffffffu, &word, 4, (PVOID)1, on_sent));
    }
  }
  PVMI_RDMA_OP op;
  NEED(VMI_RDMA_Alloc_Op(&op));
  for (int r = 0; r < size; r++) {
    if (r == me) continue;
    while (!remote[r]) NEED(VMI_Poll());
    *op = (struct vmi_rdma_op){.numBufs = 2, .buffers = {into->bufferHandle, into->bufferHandle},
      .addr = {fetched, fetched + 5000}, .sz = {5000, LARGE - 5512}, .rbuffer = remote[r], .roffset = 0, .notify = TRUE};
    answers = done;
    NEED(VMI_RDMA_Get(slots[r], op, op, on_done));
    poll_until(&done, answers + 1);
    int good = 1;
    for (int i = 0; i < LARGE - 512; i++) good &= fetched[i] == byte_of(r, 2 * i);
    CHECK(good);
    for (int i = 0; i < 64; i++) window[r][i] = me ^ i;
    *op = (struct vmi_rdma_op){.numBufs = 1, .buffers = {small->bufferHandle}, .addr = {window[r]}, .sz = {64},
      .rbuffer = remote[r], .roffset = LARGE - 512 + 64 * me, .notify = TRUE};
    NEED(VMI_RDMA_Put(slots[r], op, op, on_done));
    poll_until(&done, answers + 2);
    op->roffset = LARGE - 63;
    static VMI_STATUS wrong;
    wrong = VMI_RDMA_Put(slots[r], op, op, NULL);
    CHECK(wrong == VMI_ACCESS);
  }
  poll_until(&put_seen, size - 1);
  poll_until(&got_seen, size - 1);
  poll_until(&sent, size - 1);
  NEED(VMI_RDMA_Dealloc_Op(op));
  for (int r = 0; r < size; r++) if (r != me) NEED(VMI_RDMA_Dealloc_Buffer(remote[r]));

  /* Pools. */
  PVMI_BUFFER_POOL pool;
  PVOID a, b;
  PVMI_BUFFER handle;
  NEED(VMI_Pool_Create_Buffer_Pool(1024, 64, 1, 4, VMI_POOL_CLEARONCE | VMI_POOL_HANDLE, &pool));
  NEED(VMI_Pool_Allocate_Buffer(pool, &a, &handle));
  NEED(VMI_Pool_Allocate_Buffer(pool, &b, NULL));
  CHECK(a != b && (ULONG)a % 64 == 0 && (ULONG)b % 64 == 0 && VMI_BUFFER_ADDRESS(handle) == a);
  NEED(VMI_Pool_Deallocate_Buffer(pool, b));
  NEED(VMI_Pool_Allocate_Buffer(pool, &a, NULL));
  CHECK(a == b);
  NEED(VMI_Pool_Destroy_Buffer_Pool(pool));
  NEED(VMI_Cache_Deregister(entry));
  NEED(VMI_Cache_Deregister(again));
  CHECK(VMI_Cache_Deregister(entry) == VMI_BAD_STATE);
  VMI_Cache_Stats();

  /* Teardown mirrors set-up: each disconnects from the lower ranks when all have come this far. */
  barrier();
  for (int r = 0; r < me; r++) NEED(VMI_Connection_Disconnect(slots[r], on_closed, NULL));
  poll_until(&closed, me);
  poll_until(&left, size - 1 - me);
  NEED(VMI_Terminate(0));
  return checks;
}
