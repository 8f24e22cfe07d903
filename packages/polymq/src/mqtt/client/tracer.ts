// Hot path: `publish`, `deliver` and `settle` are looked at per message; nothing is made of it while nobody listens.
import {
  type ConnectTrace,
  type Diagnostics,
  diagnostics,
  type PublishTrace,
  type SettleTrace,
} from "../../base/diagnostics.ts";

/** What a {@link Tracer} names in what it tells. */
export interface TracerOwner {
  readonly clientId: string;
}

/** Tells what one client does. Look at `hasSubscribers` of a channel before telling. */
export interface Tracer {
  readonly publish: Diagnostics["publish"];
  readonly deliver: Diagnostics["deliver"];
  readonly settle: Diagnostics["settle"];
  /** A message was handed to the connection. */
  published(topic: string, payloadBytes: number, packetId: number): void;
  /** A message came in for the application. */
  delivered(topic: string, payloadBytes: number, packetId: number): void;
  /** The server has decided about a message of ours (`out`), or we about one of its (`in`). */
  settled(direction: "in" | "out", packetId: number, outcome: SettleTrace["outcome"], error: Error | null): void;
  /** A step of a connection. */
  connection(
    phase: ConnectTrace["phase"],
    at: { readonly server: string; readonly attempt: number },
    error: Error | null,
  ): void;
  /** Something went wrong that no caller could be told of. */
  warn(message: string, error: unknown): void;
}

/** A {@link Tracer} over the runtime's diagnostics channels. */
export class ChannelTracer implements Tracer {
  readonly publish: Diagnostics["publish"];
  readonly deliver: Diagnostics["deliver"];
  readonly settle: Diagnostics["settle"];
  readonly #channels: Diagnostics;
  readonly #owner: TracerOwner;

  constructor(owner: TracerOwner) {
    this.#owner = owner;
    const channels = diagnostics();
    this.#channels = channels;
    this.publish = channels.publish;
    this.deliver = channels.deliver;
    this.settle = channels.settle;
  }

  published(topic: string, payloadBytes: number, packetId: number): void {
    this.publish.publish(this.#message(topic, payloadBytes, packetId));
  }

  delivered(topic: string, payloadBytes: number, packetId: number): void {
    this.deliver.publish(this.#message(topic, payloadBytes, packetId));
  }

  settled(direction: "in" | "out", packetId: number, outcome: SettleTrace["outcome"], error: Error | null): void {
    const { clientId } = this.#owner;
    this.settle.publish({ protocol: "mqtt", clientId, direction, deliveryId: packetId, outcome, error });
  }

  connection(
    phase: ConnectTrace["phase"],
    at: { readonly server: string; readonly attempt: number },
    error: Error | null,
  ): void {
    const channel = this.#channels.connect;
    if (!channel.hasSubscribers) return;
    const { clientId } = this.#owner;
    channel.publish({ protocol: "mqtt", clientId, server: at.server, phase, attempt: at.attempt, error });
  }

  warn(message: string, error: unknown): void {
    const channel = this.#channels.warning;
    if (channel.hasSubscribers) channel.publish({ component: "mqtt client", message, error });
  }

  #message(address: string, payloadBytes: number, deliveryId: number): PublishTrace {
    return { protocol: "mqtt", clientId: this.#owner.clientId, address, payloadBytes, deliveryId };
  }
}
