/** `@polymq/broker/testing`: a broker without sockets, for tests. */
export type { Hub } from "../core/hub.ts";
export type { Attach } from "../listeners/memory-listeners.ts";
export type { BrokerFaults, FaultStats } from "./broker-faults.ts";
export type { FailedCommit } from "./faulty-store.ts";
export { type MemoryBroker, type MemoryBrokerParts, memoryBroker } from "./memory-broker.ts";
export type { LinkFaults } from "./memory-links.ts";
