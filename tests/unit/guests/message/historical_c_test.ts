/** The historical C interface, name for name: a client of it is compiled and runs on emulated machines. */
import { HISTORICAL_C_HEADER } from "../../../../lib/guests/message/historical_c.ts";
import { cluster, elf, type LayerSpec } from "../../../../mod.ts";
import { assert, assertEquals, fromFileUrl } from "../../../../scripts/deps/std.ts";
import { compileGuest, gcc } from "./compile.ts";

/** Calls and types by which a client of 2003 to 2009 used the layer. */
const NAMES = `
  VMI_Init VMI_Poll VMI_Terminate VMI_Cache_Stats VMI_perror VMI_SUCCESS SET_VMI_SUCCESS
  VMI_Connection_Accept_Fn VMI_Connection_Disconnect_Fn VMI_Connection_Create VMI_Connection_Allocate_IPV4_Address
  VMI_Connection_Bind VMI_Connection_Issue VMI_Connection_Disconnect VMI_CONNECT_SET_RECEIVE_CONTEXT
  VMI_CONNECT_GET_RECEIVE_CONTEXT VMI_CONNECT_ONE_WAY_LATENCY
  VMI_Buffer_Allocate VMI_Buffer_Deallocate VMI_BUFFER_ADDRESS VMI_Cache_Register VMI_Cache_Deregister
  VMI_Pool_Create_Buffer_Pool VMI_Pool_Allocate_Buffer VMI_Pool_Deallocate_Buffer VMI_Pool_Destroy_Buffer_Pool
  VMI_POOL_CLEARONCE VMI_POOL_HANDLE VMI_POOL_REGISTER
  VMI_STREAM_SET_RECV_FUNCTION VMI_Stream_Send VMI_Stream_Send_Inline VMI_Slab_Save_State VMI_Slab_Restore_State
  VMI_Slab_Copy_Bytes VMI_Slab_Try_Read VMI_SLAB_BYTES_REMAINING VMI_SLAB_GET_BUFFEROPS VMI_BUFFEROP_GET_ADDRESS
  VMI_RDMA_Publish_Buffer VMI_RDMA_Publish_Buffer_With_Callback VMI_RDMA_Set_Publish_Callback VMI_RDMA_Dealloc_Buffer
  VMI_RDMA_Alloc_Op VMI_RDMA_Dealloc_Op VMI_RDMA_Put VMI_RDMA_Get VMI_RDMA_Set_Notification_Callback
  VMI_RDMA_Set_Put_Notification_Callback VMI_RDMA_Set_Get_Notification_Callback
  VMI_STATUS PVMI_NETADDRESS PVMI_CONNECT PVMI_BUFFER PVMI_CACHE_ENTRY PVMI_BUFFER_POOL PVMI_SLAB PVMI_SLAB_STATE
  PVMI_BUFFER_OP PVMI_STREAM_RECV VMI_STREAM_COMMAND VMI_RECV_STATUS VMI_SLAB_DONE PVMI_REMOTE_BUFFER PVMI_RDMA_OP
  VMI_virt_addr_t VMI_ADDR_CAST VMI_CONNECT_RESPONSE VMI_CONNECT_RESPONSE_ACCEPT VMI_CONNECT_RESPONSE_REJECT
  VMI_CONNECT_RESPONSE_ERROR VMIConnectIssue VMIRDMABuffer VMIStreamRecv VMIRDMACompleteNotification
  VMI_DEVICENAME VMI_DEVICE_RUNTIME VMI_INLINED_DATA_SZ localAddress recvFn bufferHandle rsz lctxt numBufs buffers addr
  sz rbuffer roffset notify
`;

Deno.test("vmi.h has the names of the historical interface", () => {
  const missing = NAMES.trim().split(/\s+/).filter((name) => !new RegExp(`\\b${name}\\b`).test(HISTORICAL_C_HEADER));
  assertEquals(missing, []);
});

const CHAINS: readonly (readonly LayerSpec[])[] = [["credit", "loopback"], [
  ...["credit", "reliable", "checksum", "encrypt", "compress", "loopback"],
]];

for (const nodes of [2, 3, 8]) {
  Deno.test({
    name: `a client of vmi.h connects, streams, lends memory and leaves on ${nodes} machines${
      gcc.available ? "" : " (no 32-bit compiler here)"
    }`,
    ignore: !gcc.available,
    async fn() {
      const source = await Deno.readTextFile(fromFileUrl(new URL("./client.c", import.meta.url)));
      // Each check that does not hold ends the program as failed.
      const program = elf(await compileGuest(source));
      for (const layers of CHAINS) {
        const spec = { chains: [{ name: "c", layers }] };
        const { ranks } = await cluster({ nodes, program, memory: 8 << 20, spec }).run({ untilNs: 1e10 });
        assertEquals(ranks.map((r) => [r.state, r.error]), new Array(nodes).fill(["done", undefined]));
        assert(ranks.every((r) => Number(r.value) >= 5 + 30 * (nodes - 1)), JSON.stringify(ranks));
      }
    },
  });
}
