/**
 * vmikit: scriptable i386 machines. Compose one, load a program, run it within a budget, look at everything, assert.
 * Importing this file and running a guest needs no permission.
 *
 * @example The first script
 * ```ts
 * import { asm, expect, i386, machine, MiB, ram } from "./mod.ts";
 *
 * const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB })] });
 * m.load(0x7c00, asm`
 *   mov eax, 40
 *   add eax, 2
 *   hlt
 * `);
 * const stop = m.run({ instructions: 1_000 });
 * expect(stop.kind).toBe("halt");
 * expect(m.cpu.eax).toBe(42);
 * ```
 *
 * @module
 */

// Machines
export { DEFAULT_BUDGET, Machine, machine, type RunOptions } from "./lib/machine/machine.ts";
export { type CheckedConfig, type MachineConfig, MAX_CPUS } from "./lib/machine/config.ts";
export { CpuView } from "./lib/machine/cpu_view.ts";
export { MemoryView } from "./lib/machine/memory_view.ts";
export { SerialConsole } from "./lib/machine/serial_console.ts";
export type { ByteSink } from "./lib/machine/serial_console.ts";
export { any, type Condition, reached, type Until } from "./lib/machine/until.ts";
export type { RunAsyncOptions, RunProgress } from "./lib/machine/run_async.ts";
export type { StopDraft } from "./lib/machine/run_loop.ts";
export { Snapshot, SNAPSHOT_FORMAT } from "./lib/machine/snapshot.ts";
export type { CostName, CostTable } from "./lib/core/costs.ts";
export { COST_NAMES } from "./lib/core/costs.ts";
export type { CostMeter } from "./lib/machine/cost_meter.ts";
export { HypervisorChain } from "./lib/machine/hypervisor_chain.ts";
export type { ContextCpu, Hypervisor, HypervisorHost, Platform } from "./lib/machine/platform.ts";
export type { Bootable, LoadTarget, Program } from "./lib/machine/program.ts";

// Ready-made machines
export {
  pc,
  type PcMachine,
  type PcOptions,
  type PersonalityPcMachine,
  type PersonalityPcOptions,
  type PersonalityVmiPcOptions,
  tiny,
  type TinyOptions,
  vmiPc,
  type VmiPcMachine,
  type VmiPcOptions,
} from "./lib/machine/presets.ts";
export { Keyboard, type KeySink } from "./lib/machine/keyboard.ts";
export { type ScreenSource, TEXT_AT, TEXT_SIZE, TextScreen } from "./lib/machine/screen.ts";
export type { DiskSource } from "./lib/machine/pc_disks.ts";
export type { PciCard } from "./lib/machine/pc_board.ts";
export { type ApicMessage, PcPlatform } from "./lib/machine/pc_platform.ts";

// Images
export { biosRegions, bootSector, firmware, raw, type RawImage } from "./lib/machine/loader/raw.ts";
export { floppyCd } from "./lib/machine/loader/floppy.ts";
export { elf } from "./lib/machine/loader/elf.ts";
export { type ImageKind, imageKind } from "./lib/machine/loader/detect.ts";
export { multiboot, type MultibootModule, type MultibootOptions } from "./lib/machine/loader/multiboot.ts";
export { linux, type LinuxHeader, type LinuxOptions, parseLinux } from "./lib/machine/loader/linux.ts";
export {
  type CpioDevice,
  type CpioDirectory,
  type CpioEntry,
  type CpioFile,
  type CpioSymlink,
  writeCpio,
} from "./lib/base/cpio.ts";

// CPU
export { type EngineName, i386, type I386Options } from "./lib/cpu/i386/factory.ts";
export type { InterpreterOptions } from "./lib/cpu/i386/engines/interpreter/options.ts";
export type { JitOptions } from "./lib/cpu/i386/engines/jit/options.ts";
export type { Model, ModelName } from "./lib/cpu/i386/model.ts";
export type { CpuFeature } from "./lib/spec/i386_op_row.ts";
export { MODELS } from "./lib/cpu/i386/models.ts";
export { asm, asm16, type AsmSource } from "./lib/cpu/i386/asm/template.ts";
export { assemble, type AssembledLine, type AssembleOptions, type Assembly } from "./lib/cpu/i386/asm/assemble.ts";
export { disassemble, type DisassembledLine, type DisassembleOptions } from "./lib/cpu/i386/asm/unassemble.ts";
export { plainCpu } from "./lib/cpu/plain/plain_cpu.ts";
export type { InstructionContext, InstructionSet } from "./lib/core/instruction_set.ts";
export type { CpuBoard, CpuFactory } from "./lib/memory/board.ts";
export type { Cpu, CpuEvent, CpuExit, CpuStart, GuestContext, GuestFault, RegisterValue } from "./lib/core/cpu.ts";

// Memory, ports, devices
export { mmio, PAGE, type Place, ram, type Region, rom, shadowRam } from "./lib/memory/region.ts";
export { AddressSpace } from "./lib/memory/address_space.ts";
export { PORTS, PortSpace } from "./lib/memory/port_space.ts";
export type {
  CpuBus,
  GuestMemory,
  InterruptController,
  InterruptListener,
  IrqLine,
  MmioHandler,
  MmioMap,
  PortHandler,
  PortMap,
  Width,
} from "./lib/core/bus.ts";
export type { Device, DeviceHost, PlatformRequest } from "./lib/core/device.ts";
export { type BlockImage, memoryImage, type OverlayImage, overlayImage } from "./lib/device/block_image.ts";
export type { IdeDriveOptions } from "./lib/device/ide_drive.ts";
export { type PciBar, pciConfig, type PciFunction, type PciIdentity } from "./lib/device/pci_bus.ts";
export type { IoApic } from "./lib/device/io_apic.ts";
export type { LocalApics } from "./lib/device/local_apic.ts";
export type { Pic8259 } from "./lib/device/pic8259.ts";
export type { Component, FieldValue, Section } from "./lib/core/component.ts";
export { Clock, type Progress, type Timer } from "./lib/core/clock.ts";
export type {
  GuestInstruction,
  GuestSegment,
  InterceptAnswer,
  InterceptEvent,
  InterceptKind,
  Interceptor,
  MonitorContext,
  PhysicalWords,
  SystemTables,
  TaskEntry,
} from "./lib/core/monitor.ts";
export { Trace, type TraceEntry } from "./lib/core/trace.ts";
export type { StopReason } from "./lib/core/stop.ts";
export { ConfigError, InternalError } from "./lib/core/errors.ts";

// Hooks
export { HookTable } from "./lib/core/hooks.ts";
export type { AddressRange, HookPlace } from "./lib/core/hook_ranges.ts";
export type {
  CodeEvent,
  FaultEvent,
  HookEvent,
  HookKind,
  HypercallEvent,
  InstructionMatch,
  InterruptEvent,
  InterruptSource,
  MemoryAccess,
  MemoryEvent,
  MemoryWatch,
  PortEvent,
} from "./lib/core/hook_events.ts";

// Paravirtual interface
export {
  paravirt,
  PARAVIRT_ROM_AT,
  ParavirtHypervisor,
  type ParavirtOptions,
  type ParavirtStats,
} from "./lib/machine/paravirt.ts";
export { native, type NativeOptions } from "./lib/vmi/paravirt/backends/native.ts";
export { direct } from "./lib/vmi/paravirt/direct/direct.ts";
export { hardware, type HardwareBackend, type HardwareOptions } from "./lib/vmi/paravirt/hardware/hardware.ts";
export { HARDWARE_EXITS, type HardwareExit } from "./lib/vmi/paravirt/hardware/exits.ts";
export { trap } from "./lib/vmi/paravirt/trap/trap.ts";
export { shadow } from "./lib/vmi/paravirt/shadow/shadow.ts";
export type { PhysicalRange } from "./lib/vmi/paravirt/monitor/guest_physical.ts";
export type { MonitorBackend, MonitorOptions } from "./lib/vmi/paravirt/monitor/backend.ts";
export { scripted, type ScriptedAnswers, type ScriptedOptions } from "./lib/vmi/paravirt/backends/scripted.ts";
export type {
  CallAnswer,
  Kill,
  KillCode,
  ParavirtBackend,
  ParavirtCall,
  ParavirtHost,
  SlotPlan,
} from "./lib/vmi/paravirt/backend.ts";
export type {
  AnyArgs,
  ArgName,
  ArgValue,
  ParavirtArgs,
  ParavirtResultOf,
  RowOf,
} from "./lib/vmi/paravirt/arguments.ts";
export type { AfterFn, BeforeFn, CallCounts, OverrideFn } from "./lib/vmi/paravirt/observers.ts";
export {
  type RecordedCall,
  type RecordEntry,
  type RecordFilter,
  Recording,
  type RecordJson,
  type RecordOptions,
} from "./lib/vmi/paravirt/record.ts";
export type { ParavirtRom, ParavirtRomOptions, RomLine, RomSlot } from "./lib/vmi/paravirt/rom.ts";
export { PARAVIRT_CALLS, PARAVIRT_ENTRIES, type ParavirtName, type ParavirtRow } from "./lib/spec/paravirt_calls.ts";

// Hypervisors of today
export {
  type HypercallStats,
  hypervisor,
  PersonalityHypervisor,
  type PersonalityOptions,
} from "./lib/machine/personality.ts";
export { kvm } from "./lib/vmi/personality/kvm.ts";
export { vmware, type VmwareOptions } from "./lib/vmi/personality/vmware.ts";
export type { HypercallAnswer } from "./lib/vmi/personality/dispatch.ts";
export type {
  CallRegisters,
  CallRow,
  CallWay,
  CpuidLeaf,
  Decoded,
  Hypercall,
  Personality,
  PersonalityHost,
} from "./lib/vmi/personality/personality.ts";
export { KVM_CALLS, type KvmCallName } from "./lib/spec/kvm_abi.ts";
export { VMWARE_CALLS, type VmwareCallName } from "./lib/spec/vmware_abi.ts";

export { formatParavirtRom, listParavirtRom, type RomListingRow } from "./lib/vmi/paravirt/listing.ts";

// Message interface: parallel programs on distributed memory
export { Cluster, cluster, type ClusterOptions, type NodeProgram } from "./lib/machine/message/cluster.ts";
export { GuestNode } from "./lib/machine/message/guest_node.ts";
export { MESSAGE_LIBRARY, messageGuest } from "./lib/guests/message/library.ts";
export { MESSAGE_C_HEADER } from "./lib/guests/message/c_source.ts";
export { HISTORICAL_C_HEADER } from "./lib/guests/message/historical_c.ts";
export { barrierGuest, heatGuest, pingPongGuest, ringGuest } from "./lib/guests/message/programs.ts";
export { matrixGuest } from "./lib/guests/message/matrix_program.ts";
export { sortGuest } from "./lib/guests/message/sort_program.ts";
export { MESSAGE_C_PROGRAMS } from "./lib/guests/message/c_programs.ts";
export {
  defaultSpec,
  Job,
  job,
  type JobOptions,
  type JobProgress,
  type JobResult,
  type JobRunOptions,
  type NodeContext,
  type NodeMaker,
} from "./lib/vmi/message/job.ts";
export { HostNode, type JobNode, type RankProgram, type RankResult } from "./lib/vmi/message/node.ts";
export { MessageRank } from "./lib/vmi/message/rank.ts";
export type { ConnectOptions, ConnectResult, RankHost, Received } from "./lib/vmi/message/rank_types.ts";
export { Connection } from "./lib/vmi/message/connection.ts";
export type {
  ConnectionCounters,
  ConnectionHost,
  ConnectionState,
  ConnectResponse,
  Limits,
} from "./lib/vmi/message/connection_host.ts";
export type { MessageEvent, RemoteBuffer, Token } from "./lib/vmi/message/events.ts";
export type { Publication, PublishOptions, RdmaOp } from "./lib/vmi/message/rdma.ts";
export {
  type Backing,
  type CacheStats,
  type MemoryRegion,
  type Piece,
  RegistrationCache,
} from "./lib/vmi/message/memory.ts";
export { Slab } from "./lib/vmi/message/slab.ts";
export { isSuccess, statusName } from "./lib/vmi/message/status.ts";
export { MessageStatus, type Status } from "./lib/spec/message_abi.ts";
export type { ChainChange, Reconfiguration } from "./lib/vmi/message/reconfigure.ts";
export { Chain, type ChainHost, type LayerPlan } from "./lib/vmi/message/chain.ts";
export {
  type ChainSpec,
  type ChainUse,
  type CheckedChain,
  type CheckedDevice,
  type CheckedSpec,
  type DeviceSpec,
  type LayerSpec,
  type MessageSpec,
} from "./lib/vmi/message/spec.ts";
export { specFromXml } from "./lib/vmi/message/spec_xml.ts";
export type {
  ChildPort,
  ControlAnswer,
  ControlRequest,
  Link,
  LinkEvent,
  LinkHost,
  MessageDevice,
  MessageModule,
  ModuleHost,
  NetAddress,
  ParameterRule,
  Parameters,
  ParameterValue,
  Reach,
  TraceRecord,
} from "./lib/vmi/message/module.ts";
export type { Extension, Frame } from "./lib/vmi/message/frame.ts";
export { EventQueue, type LayerTimer } from "./lib/vmi/message/event_queue.ts";
export { DEFAULT_LIMITS, Runtime, type RuntimeHost } from "./lib/vmi/message/runtime.ts";
export { CollectiveFailure, Mailbox, type Steps, type Want } from "./lib/vmi/message/mailbox.ts";
export { Collectives, CollectiveSteps, type Vector } from "./lib/vmi/message/collectives/calls.ts";
export { REDUCE_OPS, REDUCE_TYPES, type ReduceOp, type ReduceType } from "./lib/spec/message_abi.ts";
export type { HostClock } from "./lib/vmi/message/real_time.ts";
export type { Transport } from "./lib/vmi/message/transport.ts";
export { LOGGP_PRESETS } from "./lib/vmi/message/filters/timing.ts";
export {
  placeByProfile,
  type PlacementCost,
  placementCost,
  type Profile,
  type ProfileEntry,
  profileLine,
  profileOf,
  readProfile,
} from "./lib/vmi/message/profile.ts";
export type { LinkReport } from "./lib/vmi/message/links.ts";
export { timeline, type TimelineMessage, timelineSvg, traceLines } from "./lib/vmi/message/timeline.ts";
export { ep, type EpResult } from "./lib/vmi/message/programs/ep.ts";
export { is, type IsResult } from "./lib/vmi/message/programs/is.ts";
export {
  heat,
  type HeatResult,
  matrixMultiply,
  pingPong,
  ring,
  sampleSort,
  type SortResult,
} from "./lib/vmi/message/programs/classic.ts";
export type { CardFunction, CardHost, MessageCard } from "./lib/vmi/message/guest/card.ts";
export type { Executor, ExecutorHost } from "./lib/vmi/message/guest/executor.ts";
export type { Adapter, AdapterHost } from "./lib/vmi/message/guest/adapter.ts";
export type { GuestRam } from "./lib/vmi/message/guest/registrations.ts";
export type { Completion, Submission } from "./lib/vmi/message/guest/entry.ts";

// Guests that ship
export { guests } from "./lib/guests/guests.ts";
export { nastyEdges } from "./lib/guests/nasty/nasty.ts";
export type { MinikernelOptions, MinikernelWorkload } from "./lib/guests/minikernel/minikernel.ts";

// Script kit
export { type ErrorClass, expect, type Expectation, ExpectationError } from "./lib/script/expect.ts";
export { type HypercallInjectable, inject, type Injectable, type Injection } from "./lib/script/inject.ts";
export { scenario, type ScenarioResult, type ScenarioStep } from "./lib/script/scenario.ts";
export { describe, show } from "./lib/script/format.ts";

// Small helpers
export { alignDown, alignUp, GiB, isEvenParity, KiB, MiB, signExtend, truncate } from "./lib/base/bits.ts";
export { hex, hex16, hex32, hex8, hexBytes, hexdump } from "./lib/base/hex.ts";
export { ByteReader, ByteWriter, latin1 } from "./lib/base/bytes.ts";
export { Prng } from "./lib/base/prng.ts";
