/**
 * `vmi.h`: the historical C interface, name for name, for guests in C, over `vmikit_message.h`. Names, argument order and
 * meaning are those by which the Charm++ layer of 2003 to 2009 called the layer (NCSA-VMI-2): signatures of version 2.1,
 * and the publication with a callback of 2.2. Addresses are 64 bits, contexts of notifications 32. Numbers of constants
 * and layouts are this toolkit's own, since the originals are not known: sources are compatible, binaries are not.
 *
 * A program defines `int main(int, char **)`. The rank of a remote process is the number behind the last colon of its key.
 * The environment is the job: `VMI_PROCS` and `VMI_KEY` are answered by `VMI_Environment`.
 *
 * Not there: slabs of several pieces (a message is in one piece); the meaning of the last argument of `VMI_Stream_Send`,
 * which is not known and ignored. Cold.
 */
import { MessageStatus } from "../../spec/message_abi.ts";
import { HISTORICAL_C_CONNECTIONS } from "./historical_c_connections.ts";
import { HISTORICAL_C_TRAFFIC } from "./historical_c_traffic.ts";

const statuses = Object.entries(MessageStatus)
  .map(([name, n]) => `#define VMI_${name.replaceAll(/[A-Z]/g, "_$&").toUpperCase()} 0x${n.toString(16)}u`)
  .filter((line) => !line.includes("VMI_SUCCESS"))
  .join("\n");

const TYPES = `#ifndef VMI_H
#define VMI_H
#include "vmikit_message.h"
#include <stddef.h>

#ifndef VMI_DEVICENAME
#define VMI_DEVICENAME "guest"
#endif
/* Memory that VMI itself hands out: objects, buffers, pools. */
#ifndef VMI_HEAP
#define VMI_HEAP (1 << 20)
#endif
/* Longest message that can be received. */
#ifndef VMI_LONGEST
#define VMI_LONGEST (1 << 18)
#endif
#ifndef VMI_INLINED_DATA_SZ
#define VMI_INLINED_DATA_SZ 16384
#endif

#define IN
#define OUT
#define TRUE 1
#define FALSE 0
typedef void *PVOID;
typedef unsigned long ULONG;
typedef unsigned short USHORT;
typedef unsigned int UINT32;
typedef unsigned char *PUCHAR;
typedef int BOOLEAN;
typedef unsigned int VMI_STATUS;
typedef unsigned long long VMI_virt_addr_t;
#define VMI_ADDR_CAST unsigned long

#define VMI_SUCCESS(status) ((status) == 0)
#define SET_VMI_SUCCESS(status) ((status) = 0)
${statuses}

typedef enum { VMI_CONNECT_RESPONSE_ACCEPT, VMI_CONNECT_RESPONSE_REJECT, VMI_CONNECT_RESPONSE_ERROR } VMI_CONNECT_RESPONSE;
typedef enum { VMI_STREAM_MESSAGE } VMI_STREAM_COMMAND;
/* DONE: VMI takes the slab back. KEEP: it stays readable until VMI_Slab_Release. */
typedef enum { VMI_SLAB_DONE, VMI_SLAB_KEEP } VMI_RECV_STATUS;

typedef struct vmi_address { UINT32 rank; } *PVMI_NETADDRESS;
typedef struct vmi_buffer { void *address; ULONG size; UINT32 handle; } *PVMI_BUFFER;
typedef struct vmi_cache_entry { PVMI_BUFFER bufferHandle; struct vmi_buffer buffer; UINT32 users; struct vmi_cache_entry *next; } *PVMI_CACHE_ENTRY;
typedef struct vmi_slab { PUCHAR data; ULONG size, at; } *PVMI_SLAB, *PVMI_BUFFER_OP;
typedef struct vmi_slab_state { ULONG at; } *PVMI_SLAB_STATE, VMI_SLAB_STATE;
typedef struct vmi_connect *PVMI_CONNECT;
typedef struct vmi_stream { UINT32 runtime; } *PVMI_STREAM_RECV;
typedef struct vmi_remote_buffer { ULONG rsz; VMI_virt_addr_t lctxt; msg_u64 handle; PVMI_CONNECT conn; } *PVMI_REMOTE_BUFFER;

#define VMI_MOST_PIECES 16
typedef struct vmi_rdma_op {
  UINT32 numBufs;
  PVMI_BUFFER buffers[VMI_MOST_PIECES];
  PVOID addr[VMI_MOST_PIECES];
  ULONG sz[VMI_MOST_PIECES];
  PVMI_REMOTE_BUFFER rbuffer;
  VMI_virt_addr_t roffset;
  BOOLEAN notify;
} *PVMI_RDMA_OP;

typedef VMI_CONNECT_RESPONSE (*VMIConnectAccept)(PVMI_CONNECT, PVMI_SLAB, ULONG);
typedef void (*VMIConnectIssue)(PVOID context, PVOID response, USHORT size, PVOID handle, VMI_CONNECT_RESPONSE status);
typedef void (*VMIDisconnect)(PVMI_CONNECT);
typedef void (*VMIDisconnectDone)(PVMI_CONNECT, PVOID context, VMI_STATUS remoteStatus);
typedef VMI_RECV_STATUS (*VMIStreamRecv)(PVMI_CONNECT, PVMI_STREAM_RECV, VMI_STREAM_COMMAND, PVOID context, PVMI_SLAB);
typedef void (*VMISendComplete)(PVOID context, VMI_STATUS remoteStatus);
typedef void (*VMIRDMABuffer)(PVMI_CONNECT, PVMI_REMOTE_BUFFER, PVMI_SLAB, ULONG);
typedef void (*VMIRDMACompleteNotification)(PVMI_RDMA_OP, PVOID context, VMI_STATUS);
typedef void (*VMIRDMAPutNotification)(PVMI_CONNECT, UINT32 size, UINT32 context, VMI_STATUS);
typedef void (*VMIRDMAGetNotification)(PVMI_CONNECT, UINT32 context, VMI_STATUS);

struct vmi_connect {
  UINT32 rank;
  PVOID context;
  VMIRDMABuffer published;
  VMIRDMAPutNotification put;
  VMIRDMAGetNotification got;
};

/* What waits for its completion; its address is the cookie. */
struct vmi_pending {
  int kind; /* 1 issue, 2 disconnect, 3 send, 4 RDMA, 5 publication */
  PVMI_CONNECT conn;
  PVMI_RDMA_OP op;
  void (*call)(void);
  PVOID context;
};

typedef struct vmi_pool { ULONG size, alignment, growth; UINT32 flags; struct vmi_pool_element *free; } *PVMI_BUFFER_POOL;
struct vmi_pool_element { struct vmi_pool_element *next; };
#define VMI_POOL_CLEARONCE 1
#define VMI_POOL_HANDLE 2
#define VMI_POOL_REGISTER 4

static USHORT VMI_DEVICE_RUNTIME = 1;
static struct vmi_address vmi_here;
static PVMI_NETADDRESS localAddress = &vmi_here;
static VMIStreamRecv recvFn;
`;

/** Text of the header, `vmi.h`; it needs `vmikit_message.h` beside it. */
export const HISTORICAL_C_HEADER: string = TYPES + HISTORICAL_C_CONNECTIONS + HISTORICAL_C_TRAFFIC;
