import { noop } from "./noop.ts";

/** The messaging protocol that a trace message is about. */
export type TraceProtocol = "mqtt" | "amqp091" | "amqp10";

/** Published on `polymq:connect`: what happens to a connection. */
export interface ConnectTrace {
  readonly protocol: TraceProtocol;
  readonly clientId: string;
  /** The server's address without credentials. */
  readonly server: string;
  readonly phase: "dialing" | "connected" | "failed" | "lost" | "closed";
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  readonly error: Error | null;
}

/** Published on `polymq:publish`: a message is handed to the connection. */
export interface PublishTrace {
  readonly protocol: TraceProtocol;
  readonly clientId: string;
  /** Topic, exchange with routing key, or target address. */
  readonly address: string;
  /** Over AMQP 1.0 all that a transfer carries: the encoded message with all its sections. */
  readonly payloadBytes: number;
  /** The protocol's id for the delivery, or 0 when it has none. */
  readonly deliveryId: number;
}

/** Published on `polymq:deliver`: a message is handed to the application. */
export interface DeliverTrace {
  readonly protocol: TraceProtocol;
  readonly clientId: string;
  /** Topic, queue or source address. */
  readonly address: string;
  /** Over AMQP 1.0 all that a transfer carries: the encoded message with all its sections. */
  readonly payloadBytes: number;
  /** The protocol's id for the delivery, or 0 when it has none. */
  readonly deliveryId: number;
}

/** Published on `polymq:settle`: one side has decided about a delivery. */
export interface SettleTrace {
  readonly protocol: TraceProtocol;
  readonly clientId: string;
  readonly direction: "in" | "out";
  readonly deliveryId: number;
  readonly outcome: "accepted" | "rejected" | "released" | "failed";
  readonly error: Error | null;
}

/** Published on `polymq:warning`: something went wrong that no caller could be told of. */
export interface WarningTrace {
  readonly component: string;
  readonly message: string;
  readonly error: unknown;
}

/** One channel. Look at `hasSubscribers` before building a message. */
export interface TraceChannel<T> {
  readonly hasSubscribers: boolean;
  publish(message: T): void;
}

/** The channels that polymq publishes on. */
export interface Diagnostics {
  readonly connect: TraceChannel<ConnectTrace>;
  readonly publish: TraceChannel<PublishTrace>;
  readonly deliver: TraceChannel<DeliverTrace>;
  readonly settle: TraceChannel<SettleTrace>;
  readonly warning: TraceChannel<WarningTrace>;
}

/**
 * The channels of the runtime's `node:diagnostics_channel`; where there is none they have no subscribers and drop everything.
 * The runtime keeps one channel per name, so every caller gets the same ones. A subscriber that throws is the runtime's to report.
 */
export function diagnostics(): Diagnostics {
  const channel = channelSource();
  return {
    connect: channel("polymq:connect"),
    publish: channel("polymq:publish"),
    deliver: channel("polymq:deliver"),
    settle: channel("polymq:settle"),
    warning: channel("polymq:warning"),
  };
}

type ChannelSource = <T>(name: string) => TraceChannel<T>;

/** The part of `process` that is used; asked for, not imported, so that a bundle for browsers needs no stand-in. */
interface ProcessLike {
  getBuiltinModule?(name: string): { channel: ChannelSource } | undefined;
}

function channelSource(): ChannelSource {
  const runtime = (globalThis as { process?: ProcessLike }).process;
  const module = runtime?.getBuiltinModule?.("node:diagnostics_channel");
  return module === undefined ? silentChannel : module.channel;
}

function silentChannel<T>(): TraceChannel<T> {
  return { hasSubscribers: false, publish: noop };
}
