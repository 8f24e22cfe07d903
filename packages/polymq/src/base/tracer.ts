// Hot path: `publish`, `deliver` and `settle` are looked at per message; nothing is made of it while nobody listens.
import type { ConnectTrace, Diagnostics, PublishTrace, SettleTrace, TraceProtocol } from "./diagnostics.ts";

/** What a {@link Tracer} names in what it tells. */
export interface TracerOwner {
  /** The client's id: MQTT's, AMQP 1.0's container, or what the message ids of an AMQP 0-9-1 client begin with. */
  readonly clientId: string;
}

/** Tells what one client does. Look at `hasSubscribers` of a channel before telling. */
export interface Tracer {
  readonly publish: Diagnostics["publish"];
  readonly deliver: Diagnostics["deliver"];
  readonly settle: Diagnostics["settle"];
  /** A message was handed to the connection. */
  published(address: string, payloadBytes: number, deliveryId: number): void;
  /** A message came in for the application. */
  delivered(address: string, payloadBytes: number, deliveryId: number): void;
  /** The server has decided about a message of ours (`out`), or we about one of its (`in`). */
  settled(direction: "in" | "out", deliveryId: number, outcome: SettleTrace["outcome"], error: Error | null): void;
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
  readonly #protocol: TraceProtocol;

  constructor(channels: Diagnostics, owner: TracerOwner, protocol: TraceProtocol) {
    this.#owner = owner;
    this.#protocol = protocol;
    this.#channels = channels;
    this.publish = channels.publish;
    this.deliver = channels.deliver;
    this.settle = channels.settle;
  }

  published(address: string, payloadBytes: number, deliveryId: number): void {
    this.publish.publish(this.#message(address, payloadBytes, deliveryId));
  }

  delivered(address: string, payloadBytes: number, deliveryId: number): void {
    this.deliver.publish(this.#message(address, payloadBytes, deliveryId));
  }

  settled(direction: "in" | "out", deliveryId: number, outcome: SettleTrace["outcome"], error: Error | null): void {
    const { clientId } = this.#owner;
    this.settle.publish({ protocol: this.#protocol, clientId, direction, deliveryId, outcome, error });
  }

  connection(
    phase: ConnectTrace["phase"],
    at: { readonly server: string; readonly attempt: number },
    error: Error | null,
  ): void {
    const channel = this.#channels.connect;
    if (!channel.hasSubscribers) return;
    const { clientId } = this.#owner;
    channel.publish({ protocol: this.#protocol, clientId, server: at.server, phase, attempt: at.attempt, error });
  }

  warn(message: string, error: unknown): void {
    const channel = this.#channels.warning;
    if (channel.hasSubscribers) channel.publish({ component: `${this.#protocol} client`, message, error });
  }

  #message(address: string, payloadBytes: number, deliveryId: number): PublishTrace {
    return { protocol: this.#protocol, clientId: this.#owner.clientId, address, payloadBytes, deliveryId };
  }
}
