export { type MemoryPair, type MemoryPairOptions, type MemoryTransport, memoryPair } from "../transport/memory.ts";
export {
  type ContractCase,
  type ContractEnd,
  type ContractLink,
  Recorder,
  transportContract,
} from "../transport/transport-contract.ts";
export { type TestCertificates, testCertificates } from "./certificates.ts";
export type { Direction, Faults } from "./node/fault-pipe.ts";
export {
  type CutMode,
  type CutRule,
  FaultProxy,
  type FaultProxyOptions,
  type FaultProxyStats,
  faultProxy,
} from "./node/fault-proxy.ts";
export { type LeakCheck, leakCheck } from "./node/leak-check.ts";
export { type ScriptedServer, scriptedServer } from "./node/scripted-server.ts";
export { ScriptedPeer, type ScriptStep } from "./scripted-peer.ts";
export { randomInteger, seededRandom } from "./seeded-random.ts";
export { VirtualClock } from "./virtual-clock.ts";
