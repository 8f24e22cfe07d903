import type { AmqpClientBase } from "../../../amqp091/client/amqp-client.ts";
import type { AmqpChannel } from "../../../amqp091/client/channel.ts";
import { UnderWay } from "../under-way.ts";

/** A channel with confirms for publishes to exchanges; another one when the server has closed the last, or goes on refusing on it. */
export class PublishChannel {
  /** Publishes that something has to be made or opened for first. */
  readonly underWay: UnderWay = new UnderWay();
  readonly #native: AmqpClientBase;
  #channel: AmqpChannel | null = null;
  #opening: Promise<AmqpChannel> | null = null;

  constructor(native: AmqpClientBase) {
    this.#native = native;
  }

  /** The channel, if it is there. */
  get current(): AmqpChannel | null {
    const channel = this.#channel;
    return channel === null || channel.over || channel.worn ? null : channel;
  }

  async get(): Promise<AmqpChannel> {
    if (this.current !== null) return this.current;
    this.#opening ??= this.#open();
    return await this.#opening;
  }

  async #open(): Promise<AmqpChannel> {
    const last = this.#channel;
    try {
      this.#channel = await this.#native.channel();
      // What it has under way is confirmed or refused first.
      void last?.close();
      return this.#channel;
    } finally {
      this.#opening = null;
    }
  }
}

/** Runs something on a channel of its own, which a refusal closes. */
export async function onChannel<T>(native: AmqpClientBase, run: (channel: AmqpChannel) => Promise<T>): Promise<T> {
  const channel = await native.channel({ confirms: false });
  try {
    return await run(channel);
  } finally {
    await channel.close();
  }
}

/** True when the server has a queue of this name. */
export async function hasQueue(native: AmqpClientBase, name: string): Promise<boolean> {
  try {
    await onChannel(native, (channel) => channel.checkQueue(name));
    return true;
  } catch (error) {
    if ((error as { peer?: { code?: unknown } | null }).peer?.code === NOT_FOUND) return false;
    throw error;
  }
}

/** Reply code of what does not exist. */
const NOT_FOUND = 404;
