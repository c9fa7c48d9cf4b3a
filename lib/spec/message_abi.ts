/**
 * Numbers of the message interface: status codes, commands, completions, frame types, and the layout of the adapter's
 * registers and ring entries. They are this toolkit's own: the numbers of the historical interface are not known.
 * Facts only. Cold.
 */

/** Status codes; 0 is success, the others have the top bit set. u32. */
export const MessageStatus = {
  success: 0,
  invalidArgument: 0x80000001,
  invalidHandle: 0x80000002,
  notConnected: 0x80000003,
  rejected: 0x80000004,
  timeout: 0x80000005,
  peerGone: 0x80000006,
  truncated: 0x80000007,
  noResource: 0x80000008,
  access: 0x80000009,
  unsupported: 0x8000000a,
  corrupt: 0x8000000b,
  linkDown: 0x8000000c,
  cancelled: 0x8000000d,
  badState: 0x8000000e,
  internal: 0x8000000f,
} as const;

/** A status code, u32. */
export type Status = number;

/** Frame types on the wire, u8. */
export const FrameType = {
  hello: 1,
  connect: 2,
  connectResponse: 3,
  disconnect: 4,
  disconnectResponse: 5,
  stream: 16,
  publish: 17,
  unpublish: 18,
  put: 19,
  putDone: 20,
  getRequest: 21,
  getData: 22,
  getDone: 23,
  ack: 32,
  credit: 33,
  ping: 34,
  pong: 35,
  control: 48,
  time: 49,
  multicast: 50,
} as const;

/** Frame header: bytes, magic `VMI2` (little-endian u32) and version. */
export const FRAME_HEADER = 48;
/** First four bytes of a frame, u32. */
export const FRAME_MAGIC = 0x32494d56;
/** Version of the frame layout, u8. */
export const FRAME_VERSION = 1;

/** Commands of a submission entry, u8. */
export const MessageOp = {
  info: 0x01,
  init: 0x02,
  finalize: 0x03,
  connect: 0x10,
  respond: 0x11,
  disconnect: 0x12,
  query: 0x13,
  register: 0x20,
  deregister: 0x21,
  send: 0x30,
  sendInline: 0x31,
  multicast: 0x32,
  publish: 0x40,
  unpublish: 0x41,
  put: 0x42,
  get: 0x43,
  release: 0x44,
  barrier: 0x50,
  broadcast: 0x51,
  reduce: 0x52,
  allreduce: 0x53,
  gather: 0x54,
  scatter: 0x55,
  allgather: 0x56,
  alltoall: 0x57,
  poll: 0x60,
  wait: 0x61,
  time: 0x62,
  log: 0x63,
  exit: 0x64,
  abort: 0x65,
} as const;

/** Flags of a submission entry. */
export const SubmitFlag = { notify: 1, signal: 2, fence: 4, list: 8 } as const;

/** Types of a completion entry, u8. */
export const CompletionType = {
  done: 0x81,
  recv: 0x82,
  connectRequest: 0x83,
  connected: 0x84,
  disconnected: 0x85,
  published: 0x86,
  putNotify: 0x87,
  getNotify: 0x88,
  collectiveDone: 0x89,
  linkEvent: 0x8a,
} as const;

/** Byte sizes of ring entries. */
export const EntrySize = { submission: 64, completion: 32, receive: 16 } as const;

/** PCI identity of the adapter. */
export const ADAPTER_PCI = { vendor: 0x1234, device: 0x564d, classCode: 0x028000, revision: 1 } as const;

/** Registers in BAR0, byte offsets; all are u32. */
export const AdapterRegister = {
  id: 0x00,
  version: 0x04,
  features: 0x08,
  featuresHigh: 0x0c,
  rank: 0x10,
  processes: 0x14,
  cluster: 0x18,
  clusters: 0x1c,
  control: 0x20,
  status: 0x24,
  isr: 0x28,
  imr: 0x2c,
  timeLow: 0x30,
  timeHigh: 0x34,
  sqBase: 0x40,
  sqBaseHigh: 0x44,
  sqLog2: 0x48,
  sqHead: 0x4c,
  cqBase: 0x50,
  cqBaseHigh: 0x54,
  cqLog2: 0x58,
  cqHead: 0x5c,
  rqBase: 0x60,
  rqBaseHigh: 0x64,
  rqLog2: 0x68,
  rqHead: 0x6c,
  inlineMax: 0x70,
  maxMessage: 0x74,
  maxRegistrations: 0x78,
  moderation: 0x7c,
} as const;

/** Doorbells in BAR1, byte offsets. */
export const AdapterDoorbell = { sqTail: 0x00, cqHead: 0x10, rqTail: 0x20 } as const;

/** Bits of the FEATURES register. */
export const AdapterFeature = {
  put: 1,
  get: 2,
  multicast: 4,
  collectives: 8,
  publishPayload: 16,
  virtualTime: 32,
  failoverEvents: 64,
  wait: 128,
} as const;

/** Ports of the hypercall form: the address of an entry is written to the first, status is read from the second. */
export const MESSAGE_PORTS = { call: 0x564c, status: 0x5650 } as const;

/** High half of EAX in a message hypercall by VMCALL or VMMCALL. */
export const MESSAGE_HYPERCALL = 0x564d;

/** Operations of reductions; the number in a command is the place here. */
export const REDUCE_OPS = ["sum", "product", "min", "max", "and", "or", "xor"] as const;
/** An operation. */
export type ReduceOp = (typeof REDUCE_OPS)[number];
/** Element types of reductions; the number in a command is the place here. */
export const REDUCE_TYPES = ["i32", "u32", "i64", "u64", "f32", "f64"] as const;
/** An element type. */
export type ReduceType = (typeof REDUCE_TYPES)[number];
