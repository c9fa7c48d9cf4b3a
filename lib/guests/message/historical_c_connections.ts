/**
 * The calls of `vmi.h`, in C: memory, registration, pools, beginning and end, connections. The few that must wait for the
 * card, as registering, put what else has come aside for the next poll. Cold.
 */

const MEMORY = `
/* --- memory: a heap of blocks with their size before them */
static msg_u8 vmi_heap[VMI_HEAP] __attribute__((aligned(16)));
static ULONG vmi_used;
struct vmi_free { ULONG size; struct vmi_free *next; };
static struct vmi_free *vmi_free_list;

static void *vmi_allocate(ULONG size) {
  size = (size + 31) & ~15ul; /* the head included */
  for (struct vmi_free **p = &vmi_free_list; *p; p = &(*p)->next)
    if ((*p)->size >= size && (*p)->size <= 2 * size) {
      struct vmi_free *f = *p;
      *p = f->next;
      return (msg_u8 *)f + 16;
    }
  if (size > VMI_HEAP - vmi_used) return NULL;
  struct vmi_free *f = (struct vmi_free *)(vmi_heap + vmi_used);
  f->size = size;
  vmi_used += size;
  return (msg_u8 *)f + 16;
}

static void vmi_release(void *p) {
  if (!p) return;
  struct vmi_free *f = (struct vmi_free *)((msg_u8 *)p - 16);
  f->next = vmi_free_list;
  vmi_free_list = f;
}

/* --- completions that came while another was waited for */
struct vmi_aside { struct msg_completion c; struct vmi_aside *next; };
static struct vmi_aside *vmi_first, **vmi_last = &vmi_first;
static PVMI_CONNECT vmi_connections[256];
static VMIConnectAccept vmi_accept;
static VMIDisconnect vmi_left;
static struct vmi_stream vmi_stream = {1};
static struct vmi_pending *vmi_issued[256];
static UINT32 vmi_in_handler, vmi_hits, vmi_misses;
static msg_u8 vmi_data[VMI_LONGEST] __attribute__((aligned(16)));

static VMI_STATUS vmi_status(UINT32 n) { return n ? 0x80000000u | n : 0; }

static PVMI_CONNECT vmi_connection(UINT32 rank) {
  if (rank >= 256) return NULL;
  if (!vmi_connections[rank]) {
    PVMI_CONNECT c = vmi_allocate(sizeof *c);
    if (!c) return NULL;
    *c = (struct vmi_connect){.rank = rank};
    vmi_connections[rank] = c;
  }
  return vmi_connections[rank];
}

/* A completion without data; 0: none. */
static int vmi_plain(struct msg_completion *c) {
  struct msg_entry e = {.op = MSG_OP_POLL, .address = msg_at(c), .length = sizeof *c};
  *(volatile msg_u8 *)&c->type = 0;
  msg_call(&e);
  return *(volatile msg_u8 *)&c->type;
}

static struct vmi_pending *vmi_wait_for(int kind, PVMI_CONNECT conn, PVMI_RDMA_OP op, PVOID call, PVOID context) {
  struct vmi_pending *p = vmi_allocate(sizeof *p);
  if (p) *p = (struct vmi_pending){.kind = kind, .conn = conn, .op = op, .call = (void (*)(void))call, .context = context};
  return p;
}

/* Registers; the card's answer is a completion. */
static VMI_STATUS vmi_register(void *address, ULONG size, UINT32 *handle) {
  static const msg_u64 mine = 0xffffffffu;
  struct msg_entry e = {.op = MSG_OP_REGISTER, .cookie = mine, .address = msg_at(address), .length = size};
  VMI_STATUS status = msg_call(&e);
  if (status) return status;
  for (;;) {
    struct msg_completion c;
    if (!vmi_plain(&c)) continue;
    if (c.type == MSG_GOT_DONE && c.cookie == mine) {
      *handle = c.context;
      return vmi_status(c.status);
    }
    struct vmi_aside *a = vmi_allocate(sizeof *a);
    if (!a) msg_fail(0xf012);
    a->c = c;
    a->next = NULL;
    *vmi_last = a;
    vmi_last = &a->next;
  }
}

static VMI_STATUS vmi_deregister(UINT32 handle) {
  struct msg_entry e = {.op = MSG_OP_DEREGISTER, .registration = handle};
  return msg_call(&e);
}

#define VMI_BUFFER_ADDRESS(buffer) ((buffer)->address)

static VMI_STATUS VMI_Buffer_Allocate(ULONG size, PVMI_BUFFER *out) {
  PVMI_BUFFER b = vmi_allocate(sizeof *b);
  void *memory = b ? vmi_allocate(size) : NULL;
  if (!memory) {
    vmi_release(b);
    return VMI_NO_RESOURCE;
  }
  *b = (struct vmi_buffer){.address = memory, .size = size};
  *out = b;
  return vmi_register(memory, size, &b->handle);
}

static VMI_STATUS VMI_Buffer_Deallocate(PVMI_BUFFER buffer) {
  VMI_STATUS status = vmi_deregister(buffer->handle);
  vmi_release(buffer->address);
  vmi_release(buffer);
  return status;
}

/* Entries stay registered when nobody uses them: registering again is cheap. */
static PVMI_CACHE_ENTRY vmi_cache;

static VMI_STATUS VMI_Cache_Register(PVOID address, ULONG size, PVMI_CACHE_ENTRY *out) {
  for (PVMI_CACHE_ENTRY e = vmi_cache; e; e = e->next) {
    if (e->buffer.address != address || e->buffer.size != size) continue;
    vmi_hits++;
    e->users++;
    *out = e;
    return 0;
  }
  vmi_misses++;
  PVMI_CACHE_ENTRY e = vmi_allocate(sizeof *e);
  if (!e) return VMI_NO_RESOURCE;
  *e = (struct vmi_cache_entry){.buffer = {.address = address, .size = size}, .users = 1, .next = vmi_cache};
  e->bufferHandle = &e->buffer;
  VMI_STATUS status = vmi_register(address, size, &e->buffer.handle);
  if (status) {
    vmi_release(e);
    return status;
  }
  vmi_cache = e;
  *out = e;
  return 0;
}

static VMI_STATUS VMI_Cache_Deregister(PVMI_CACHE_ENTRY entry) {
  if (!entry->users) return VMI_BAD_STATE;
  entry->users--;
  return 0;
}

/* --- pools */
static VMI_STATUS vmi_grow(PVMI_BUFFER_POOL pool, ULONG count) {
  ULONG size = (pool->size + pool->alignment - 1) / pool->alignment * pool->alignment;
  if (size < sizeof(struct vmi_pool_element)) size = sizeof(struct vmi_pool_element);
  msg_u8 *memory = vmi_allocate(count * size + pool->alignment);
  if (!memory) return VMI_NO_RESOURCE;
  memory = (msg_u8 *)(((ULONG)memory + pool->alignment - 1) / pool->alignment * pool->alignment);
  if (pool->flags & VMI_POOL_CLEARONCE) for (ULONG i = 0; i < count * size; i++) memory[i] = 0;
  while (count--) {
    struct vmi_pool_element *e = (struct vmi_pool_element *)(memory + count * size);
    e->next = pool->free;
    pool->free = e;
  }
  return 0;
}

static VMI_STATUS VMI_Pool_Create_Buffer_Pool(ULONG size, ULONG alignment, ULONG initial, ULONG growth, UINT32 flags,
    PVMI_BUFFER_POOL *out) {
  if (!size || !growth) return VMI_INVALID_ARGUMENT;
  PVMI_BUFFER_POOL pool = vmi_allocate(sizeof *pool);
  if (!pool) return VMI_NO_RESOURCE;
  *pool = (struct vmi_pool){.size = size, .alignment = alignment ? alignment : 1, .growth = growth, .flags = flags};
  *out = pool;
  return initial ? vmi_grow(pool, initial) : 0;
}

static VMI_STATUS VMI_Pool_Allocate_Buffer(PVMI_BUFFER_POOL pool, PVOID *address, PVMI_BUFFER *buffer) {
  if (!pool->free && vmi_grow(pool, pool->growth)) return VMI_NO_RESOURCE;
  *address = pool->free;
  pool->free = pool->free->next;
  if (!buffer) return 0;
  PVMI_CACHE_ENTRY e;
  VMI_STATUS status = VMI_Cache_Register(*address, pool->size, &e);
  *buffer = status ? NULL : e->bufferHandle;
  return status;
}

static VMI_STATUS VMI_Pool_Deallocate_Buffer(PVMI_BUFFER_POOL pool, PVOID address) {
  struct vmi_pool_element *e = address;
  e->next = pool->free;
  pool->free = e;
  return 0;
}

/* Its elements' memory stays in use, as nobody knows who still reads it. */
static VMI_STATUS VMI_Pool_Destroy_Buffer_Pool(PVMI_BUFFER_POOL pool) {
  vmi_release(pool);
  return 0;
}
`;

const CONNECTIONS = `
/* --- initialise, end */
static const char *VMI_Environment(const char *name) {
  static char number[12];
  if (name[0] == 'V' && name[4] == 'K') return "guest"; /* VMI_KEY */
  if (name[0] != 'V' || name[4] != 'P') return NULL; /* VMI_PROCS */
  UINT32 n = msg_self.size, at = 11;
  number[at] = 0;
  do number[--at] = '0' + n % 10; while (n /= 10);
  return number + at;
}

static VMI_STATUS VMI_Init(int argc, char **argv) {
  struct msg_entry info = {.op = MSG_OP_INFO, .address = msg_at(&msg_self), .length = sizeof msg_self};
  (void)argc, (void)argv;
  VMI_STATUS status = msg_call(&info);
  vmi_here.rank = msg_self.rank;
  vmi_stream.runtime = VMI_DEVICE_RUNTIME;
  return status;
}

static VMI_STATUS VMI_Terminate(VMI_STATUS status) {
  struct msg_entry e = {.op = MSG_OP_FINALIZE};
  (void)status;
  for (PVMI_CACHE_ENTRY c = vmi_cache; c; c = c->next) vmi_deregister(c->buffer.handle);
  vmi_cache = NULL;
  return msg_call(&e);
}

static void vmi_write(char *to, ULONG *at, const char *text, UINT32 n, int base) {
  char digits[12];
  UINT32 k = 11;
  digits[k] = 0;
  if (!text) {
    do digits[--k] = "0123456789abcdef"[n % base]; while (n /= base);
    text = digits + k;
  }
  while (*text && *at < 199) to[(*at)++] = *text++;
  to[*at] = 0;
}

static void VMI_perror(const char *text, VMI_STATUS status) {
  char line[200];
  ULONG at = 0;
  vmi_write(line, &at, text, 0, 0);
  vmi_write(line, &at, ": VMI status 0x", 0, 0);
  vmi_write(line, &at, NULL, status, 16);
  msg_log(line);
}

static void VMI_Cache_Stats(void) {
  char line[200];
  ULONG at = 0;
  vmi_write(line, &at, "registrations made: ", 0, 0);
  vmi_write(line, &at, NULL, vmi_misses, 10);
  vmi_write(line, &at, ", found: ", 0, 0);
  vmi_write(line, &at, NULL, vmi_hits, 10);
  msg_log(line);
}

/* --- connections */
static VMI_STATUS VMI_Connection_Accept_Fn(VMIConnectAccept handler) { return vmi_accept = handler, 0; }
static VMI_STATUS VMI_Connection_Disconnect_Fn(VMIDisconnect handler) { return vmi_left = handler, 0; }
static VMI_STATUS VMI_STREAM_SET_RECV_FUNCTION(VMIStreamRecv handler) { return recvFn = handler, 0; }

#define VMI_CONNECT_SET_RECEIVE_CONTEXT(conn, pointer) ((conn)->context = (pointer))
#define VMI_CONNECT_GET_RECEIVE_CONTEXT(conn) ((conn)->context)

static VMI_STATUS VMI_Connection_Create(PVMI_CONNECT *out) {
  PVMI_CONNECT c = vmi_allocate(sizeof *c);
  if (!c) return VMI_NO_RESOURCE;
  *c = (struct vmi_connect){.rank = ~0u};
  *out = c;
  return 0;
}

static VMI_STATUS VMI_Connection_Allocate_IPV4_Address(const char *host, USHORT port, const char *user, const char *key,
    PVMI_NETADDRESS *out) {
  (void)host, (void)port, (void)user;
  UINT32 rank = 0, digits = 0;
  const char *number = NULL;
  for (; *key; key++) if (*key == ':') number = key + 1;
  for (; number && *number >= '0' && *number <= '9'; number++, digits++) rank = 10 * rank + (*number - '0');
  if (!digits || *number || rank >= msg_self.size) return VMI_INVALID_ARGUMENT;
  PVMI_NETADDRESS a = vmi_allocate(sizeof *a);
  if (!a) return VMI_NO_RESOURCE;
  a->rank = rank;
  *out = a;
  return 0;
}

static VMI_STATUS VMI_Connection_Bind(struct vmi_address local, struct vmi_address remote, PVMI_CONNECT conn) {
  if (local.rank != msg_self.rank || remote.rank >= 256) return VMI_INVALID_ARGUMENT;
  conn->rank = remote.rank;
  if (!vmi_connections[remote.rank]) vmi_connections[remote.rank] = conn;
  return vmi_connections[remote.rank] == conn ? 0 : VMI_BAD_STATE;
}

static VMI_STATUS VMI_Connection_Issue(PVMI_CONNECT conn, PVMI_BUFFER data, VMIConnectIssue callback, PVOID context) {
  if (conn->rank >= 256 || vmi_issued[conn->rank]) return VMI_BAD_STATE;
  struct vmi_pending *p = vmi_wait_for(1, conn, NULL, callback, context);
  if (!p) return VMI_NO_RESOURCE;
  struct msg_entry e = {.op = MSG_OP_CONNECT, .connection = conn->rank, .cookie = msg_at(p),
    .payload_address = data ? msg_at(data->address) : 0, .payload_length = data ? data->size : 0};
  vmi_issued[conn->rank] = p;
  VMI_STATUS status = msg_call(&e);
  if (!status) return 0;
  vmi_issued[conn->rank] = NULL;
  vmi_release(p);
  return status;
}

static VMI_STATUS VMI_Connection_Disconnect(PVMI_CONNECT conn, VMIDisconnectDone callback, PVOID context) {
  struct vmi_pending *p = vmi_wait_for(2, conn, NULL, callback, context);
  if (!p) return VMI_NO_RESOURCE;
  struct msg_entry e = {.op = MSG_OP_DISCONNECT, .flags = 2, .connection = conn->rank, .cookie = msg_at(p)};
  VMI_STATUS status = msg_call(&e);
  if (status) vmi_release(p);
  return status;
}

/* Microseconds, once the connection is complete. */
static ULONG VMI_CONNECT_ONE_WAY_LATENCY(PVMI_CONNECT conn) {
  UINT32 block[8] = {0};
  struct msg_entry e = {.op = MSG_OP_QUERY, .connection = conn->rank, .address = msg_at(block), .length = sizeof block};
  msg_call(&e);
  return ((volatile UINT32 *)block)[1];
}
`;

/** This part. */
export const HISTORICAL_C_CONNECTIONS: string = MEMORY + CONNECTIONS;
