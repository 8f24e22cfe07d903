import type { BrokerName } from "./rows.ts";

/** A broker under measurement in a process of its own. */
export interface BrokerHost {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** What a Node broker's process is told. */
export interface NodeHostPlan {
  readonly broker: Exclude<BrokerName, "mosquitto">;
}

/** What serves a port inside a Node broker's process. */
export interface RunningBroker {
  readonly port: number;
  close(): Promise<void>;
}
