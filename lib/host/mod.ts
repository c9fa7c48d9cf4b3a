/**
 * What needs the host: sockets and the like, for scripts that may use them. `mod.ts` alone stays free of permissions.
 *
 * @module
 */
export { type GdbOptions, type GdbServer, serveGdb } from "./gdb/server.ts";
