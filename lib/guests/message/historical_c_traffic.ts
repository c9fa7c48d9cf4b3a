/**
 * The calls of `vmi.h`, in C: streams, remote memory, progress. Calls that start something return at once and hand its end
 * to a callback, which runs inside `VMI_Poll`. Cold.
 */

const TRAFFIC = `
/* --- streams */
struct vmi_piece { msg_u64 address; UINT32 length, registration; };

static VMI_STATUS vmi_pieces(struct vmi_piece *list, PVMI_BUFFER *buffers, PVOID *addresses, ULONG *sizes, UINT32 count) {
  if (count > VMI_MOST_PIECES) return VMI_INVALID_ARGUMENT;
  for (UINT32 i = 0; i < count; i++)
    list[i] = (struct vmi_piece){msg_at(addresses[i]), sizes[i], buffers[i]->handle};
  return 0;
}

static VMI_STATUS VMI_Stream_Send(PVMI_CONNECT conn, PVMI_BUFFER *buffers, PVOID *addresses, ULONG *sizes, UINT32 count,
    VMISendComplete callback, PVOID context, BOOLEAN unknown) {
  struct vmi_piece list[VMI_MOST_PIECES];
  (void)unknown;
  VMI_STATUS status = vmi_pieces(list, buffers, addresses, sizes, count);
  struct vmi_pending *p = status ? NULL : vmi_wait_for(3, conn, NULL, callback, context);
  if (!p) return status ? status : VMI_NO_RESOURCE;
  struct msg_entry e = {.op = MSG_OP_SEND, .flags = 2 | 8, .count = count, .connection = conn->rank,
    .cookie = msg_at(p), .address = msg_at(list)};
  status = msg_call(&e);
  if (status) vmi_release(p);
  return status;
}

static VMI_STATUS VMI_Stream_Send_Inline(PVMI_CONNECT conn, PVOID *addresses, ULONG *sizes, UINT32 count, ULONG total) {
  static msg_u8 one[VMI_INLINED_DATA_SZ];
  ULONG at = 0;
  if (total > VMI_INLINED_DATA_SZ) return VMI_INVALID_ARGUMENT;
  for (UINT32 i = 0; i < count; at += sizes[i++]) {
    if (sizes[i] > total - at) return VMI_INVALID_ARGUMENT;
    msg_copy(one + at, addresses[i], sizes[i]);
  }
  return at == total ? msg_send(conn->rank, one, total) : VMI_INVALID_ARGUMENT;
}

static VMI_STATUS VMI_Slab_Save_State(PVMI_SLAB slab, PVMI_SLAB_STATE state) { return state->at = slab->at, 0; }
static VMI_STATUS VMI_Slab_Restore_State(PVMI_SLAB slab, PVMI_SLAB_STATE state) { return slab->at = state->at, 0; }
#define VMI_SLAB_BYTES_REMAINING(slab) ((slab)->size - (slab)->at)
#define VMI_SLAB_GET_BUFFEROPS(slab) (slab)
#define VMI_BUFFEROP_GET_ADDRESS(op) ((PVOID)((op)->data + (op)->at))

static VMI_STATUS VMI_Slab_Copy_Bytes(PVMI_SLAB slab, ULONG n, PVOID to) {
  if (n > VMI_SLAB_BYTES_REMAINING(slab)) return VMI_INVALID_ARGUMENT;
  msg_copy(to, slab->data + slab->at, n);
  slab->at += n;
  return 0;
}

static VMI_STATUS VMI_Slab_Try_Read(PVMI_SLAB slab, ULONG *size, PVOID *out) {
  if (*size > VMI_SLAB_BYTES_REMAINING(slab)) *size = VMI_SLAB_BYTES_REMAINING(slab);
  *out = slab->data + slab->at;
  slab->at += *size;
  return 0;
}

/* A slab that its handler kept. */
static void VMI_Slab_Release(PVMI_SLAB slab) {
  vmi_release(slab->data);
  vmi_release(slab);
}

/* --- remote memory */
static VMI_STATUS vmi_publish(PVMI_CONNECT conn, PVMI_BUFFER buffer, VMI_virt_addr_t address, ULONG size,
    VMI_virt_addr_t peer, UINT32 own, PVOID payload, ULONG bytes, struct vmi_pending *p) {
  struct msg_entry e = {.op = MSG_OP_PUBLISH, .flags = p ? 2 : 0, .connection = conn->rank, .cookie = msg_at(p),
    .address = address, .length = size, .registration = buffer->handle, .remote = peer, .context = own,
    .payload_address = msg_at(payload), .payload_length = bytes};
  return msg_call(&e);
}

static VMI_STATUS VMI_RDMA_Publish_Buffer(PVMI_CONNECT conn, PVMI_BUFFER buffer, VMI_virt_addr_t address, ULONG size,
    VMI_virt_addr_t peer, UINT32 own, PVOID payload, ULONG bytes) {
  return vmi_publish(conn, buffer, address, size, peer, own, payload, bytes, NULL);
}

static VMI_STATUS VMI_RDMA_Publish_Buffer_With_Callback(PVMI_CONNECT conn, PVMI_BUFFER buffer, VMI_virt_addr_t address,
    ULONG size, VMI_virt_addr_t peer, UINT32 own, PVOID payload, ULONG bytes, PVOID context, VMISendComplete callback) {
  struct vmi_pending *p = vmi_wait_for(5, conn, NULL, callback, context);
  if (!p) return VMI_NO_RESOURCE;
  VMI_STATUS status = vmi_publish(conn, buffer, address, size, peer, own, payload, bytes, p);
  if (status) vmi_release(p);
  return status;
}

static VMI_STATUS VMI_RDMA_Set_Publish_Callback(PVMI_CONNECT conn, VMIRDMABuffer handler) { return conn->published = handler, 0; }
static VMI_STATUS VMI_RDMA_Set_Put_Notification_Callback(PVMI_CONNECT conn, VMIRDMAPutNotification handler) { return conn->put = handler, 0; }
static VMI_STATUS VMI_RDMA_Set_Get_Notification_Callback(PVMI_CONNECT conn, VMIRDMAGetNotification handler) { return conn->got = handler, 0; }
#define VMI_RDMA_Set_Notification_Callback VMI_RDMA_Set_Put_Notification_Callback

static VMI_STATUS VMI_RDMA_Dealloc_Buffer(PVMI_REMOTE_BUFFER remote) {
  struct msg_entry e = {.op = MSG_OP_RELEASE, .connection = remote->conn->rank, .remote = remote->handle};
  VMI_STATUS status = msg_call(&e);
  vmi_release(remote);
  return status;
}

static VMI_STATUS VMI_RDMA_Alloc_Op(PVMI_RDMA_OP *out) {
  *out = vmi_allocate(sizeof **out);
  if (!*out) return VMI_NO_RESOURCE;
  **out = (struct vmi_rdma_op){0};
  return 0;
}

static VMI_STATUS VMI_RDMA_Dealloc_Op(PVMI_RDMA_OP op) { return vmi_release(op), 0; }

static VMI_STATUS vmi_rdma(msg_u8 code, PVMI_CONNECT conn, PVMI_RDMA_OP op, PVOID context, VMIRDMACompleteNotification done) {
  struct vmi_piece list[VMI_MOST_PIECES];
  VMI_STATUS status = vmi_pieces(list, op->buffers, op->addr, op->sz, op->numBufs);
  struct vmi_pending *p = status ? NULL : vmi_wait_for(4, conn, op, done, context);
  if (!p) return status ? status : VMI_NO_RESOURCE;
  struct msg_entry e = {.op = code, .flags = (op->notify ? 1 : 0) | 2 | 8, .count = op->numBufs, .connection = conn->rank,
    .cookie = msg_at(p), .address = msg_at(list), .remote = op->rbuffer->handle, .offset = op->roffset};
  status = msg_call(&e);
  if (status) vmi_release(p);
  return status;
}

static VMI_STATUS VMI_RDMA_Put(PVMI_CONNECT conn, PVMI_RDMA_OP op, PVOID context, VMIRDMACompleteNotification done) {
  return vmi_rdma(MSG_OP_PUT, conn, op, context, done);
}

static VMI_STATUS VMI_RDMA_Get(PVMI_CONNECT conn, PVMI_RDMA_OP op, PVOID context, VMIRDMACompleteNotification done) {
  return vmi_rdma(MSG_OP_GET, conn, op, context, done);
}
`;

const PROGRESS = `
/* --- progress */
static void vmi_ended(struct vmi_pending *p, const struct msg_completion *c, PVOID data, ULONG size) {
  VMI_STATUS status = vmi_status(c->status);
  if (p->kind == 1) {
    VMI_CONNECT_RESPONSE answer = !status ? VMI_CONNECT_RESPONSE_ACCEPT
      : status == VMI_REJECTED ? VMI_CONNECT_RESPONSE_REJECT : VMI_CONNECT_RESPONSE_ERROR;
    if (p->call) ((VMIConnectIssue)p->call)(p->context, data, size, p->conn, answer);
  } else if (p->kind == 2 && p->call) ((VMIDisconnectDone)p->call)(p->conn, p->context, status);
  else if (p->kind == 4 && p->call) ((VMIRDMACompleteNotification)p->call)(p->op, p->context, status);
  else if (p->call) ((VMISendComplete)p->call)(p->context, status);
  vmi_release(p);
}

static void vmi_message(PVMI_CONNECT conn, ULONG size) {
  PVMI_SLAB slab = vmi_allocate(sizeof *slab);
  if (!slab) msg_fail(0xf012);
  *slab = (struct vmi_slab){vmi_data, size, 0};
  if (!recvFn || recvFn(conn, &vmi_stream, VMI_STREAM_MESSAGE, conn->context, slab) == VMI_SLAB_DONE) {
    vmi_release(slab);
    return;
  }
  slab->data = vmi_allocate(size);
  if (!slab->data) msg_fail(0xf012);
  msg_copy(slab->data, vmi_data, size);
}

/* One completion, with what came with it in vmi_data. */
static void vmi_event(struct msg_completion *c) {
  PVMI_CONNECT conn = vmi_connection(c->connection);
  ULONG size = c->flags & 2 ? c->length : 0;
  if (!conn) msg_fail(0xf012);
  switch (c->type) {
    case MSG_GOT_RECV:
      if (c->status) VMI_perror("a message is longer than VMI_LONGEST", vmi_status(c->status));
      else vmi_message(conn, c->length);
      break;
    case MSG_GOT_CONNECTREQUEST: {
      struct vmi_slab slab = {vmi_data, size, 0};
      struct msg_entry e = {.op = MSG_OP_RESPOND, .connection = c->connection,
        .context = vmi_accept ? vmi_accept(conn, &slab, size) : VMI_CONNECT_RESPONSE_ERROR};
      msg_call(&e);
      break;
    }
    case MSG_GOT_CONNECTED:
      /* With data its cookie is the buffer's; a pair has one request at a time. */
      vmi_ended(vmi_issued[c->connection], c, vmi_data, size);
      vmi_issued[c->connection] = NULL;
      break;
    case MSG_GOT_DISCONNECTED:
      if (vmi_left) vmi_left(conn);
      break;
    case MSG_GOT_PUBLISHED: {
      PVMI_REMOTE_BUFFER remote = vmi_allocate(sizeof *remote);
      if (!remote) msg_fail(0xf012);
      msg_u64 *head = (msg_u64 *)vmi_data;
      ULONG bytes = c->flags & 2 ? (ULONG)head[1] : 0;
      *remote = (struct vmi_remote_buffer){c->length, c->flags & 2 ? head[0] : c->cookie, c->aux, conn};
      struct vmi_slab slab = {vmi_data + 16, bytes, 0};
      if (conn->published) conn->published(conn, remote, &slab, bytes);
      break;
    }
    case MSG_GOT_PUTNOTIFY:
      if (conn->put) conn->put(conn, c->length, c->context, vmi_status(c->status));
      break;
    case MSG_GOT_GETNOTIFY:
      if (conn->got) conn->got(conn, c->context, vmi_status(c->status));
      break;
    case MSG_GOT_DONE:
      if (c->cookie) vmi_ended((struct vmi_pending *)(ULONG)c->cookie, c, NULL, 0);
      break;
  }
}

/* Runs callbacks for what has come; never waits. Inside a callback it is refused. */
static VMI_STATUS VMI_Poll(void) {
  if (vmi_in_handler) return VMI_BAD_STATE;
  vmi_in_handler = 1;
  for (;;) {
    struct msg_completion c;
    if (vmi_first) {
      struct vmi_aside *a = vmi_first;
      c = a->c;
      if (!(vmi_first = a->next)) vmi_last = &vmi_first;
      vmi_release(a);
    } else {
      struct msg_entry e = {.op = MSG_OP_POLL, .address = msg_at(&c), .length = sizeof c,
        .payload_address = msg_at(vmi_data), .payload_length = sizeof vmi_data};
      msg_call(&e);
      if (!*(volatile msg_u8 *)&c.type) break;
    }
    vmi_event(&c);
  }
  vmi_in_handler = 0;
  return 0;
}

int main(int argc, char **argv);
int msg_main(void) { return main(0, NULL); }
#endif
`;

/** This part. */
export const HISTORICAL_C_TRAFFIC: string = TRAFFIC + PROGRESS;
