/**
 * What needs the host: sockets and the like, for scripts that may use them. `mod.ts` alone stays free of permissions.
 *
 * @module
 */
export { type GdbOptions, type GdbServer, serveGdb } from "./gdb/server.ts";

// The lab page
export { type LabOptions, type LabServer, serveLab } from "./lab/server.ts";
export { LabCluster } from "./lab/cluster_session.ts";
export type { LabSubject } from "./lab/session.ts";
export type { LabCall, LabConsole, LabLine, LabMessages, LabRequest, LabState } from "./lab/protocol.ts";
export type { PageMap } from "./lab/page_map.ts";

// Message: media between processes, and jobs over them
export { hostClock } from "./message/clock.ts";
export { joinMpi, MPI_LIBRARIES, MpiTransport } from "./message/mpi_transport.ts";
export {
  type DescribeArgs,
  runOnWorkers,
  runOverMpi,
  runOverTcp,
  runPart,
  type WorkerRunOptions,
} from "./message/run.ts";
export { loadModules, type LoadOptions } from "./message/modules.ts";
export { Sessions } from "./message/session.ts";
export { joinTcp, type TcpOptions, TcpTransport } from "./message/tcp_transport.ts";
export { RING_BYTES, ringMemory, WorkerTransport } from "./message/worker_transport.ts";
