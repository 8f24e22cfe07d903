import type { AmqpConnection } from "../../../amqp10/client/connection.ts";
import { AmqpRelay } from "../../../amqp10/client/relay.ts";
import type { AmqpSender } from "../../../amqp10/client/sender.ts";
import type { MessageInput } from "../../../amqp10/codec/message.ts";
import { type Node, targetFor, type Ways } from "./amqp10-ways.ts";

/** How one message is sent. */
export interface SendCall {
  readonly settled: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Sends to any address: over one link where the server has an anonymous terminus, else over a link for each node, which says what kind it is. */
export class Amqp10Publisher {
  readonly #native: AmqpConnection;
  readonly #ways: Ways;
  #relay: Promise<AmqpRelay | null> | null = null;
  readonly #senders = new Map<string, Promise<AmqpSender>>();

  constructor(native: AmqpConnection, ways: Ways) {
    this.#native = native;
    this.#ways = ways;
  }

  async send(node: Node, message: MessageInput, { settled, signal }: SendCall): Promise<void> {
    const options = { settled, ...(signal === undefined ? {} : { signal }) };
    this.#relay ??= this.#open();
    const relay = await this.#relay;
    if (relay === null) await (await this.#sender(node)).send(message, options);
    else await relay.send(node.address, message, options);
  }

  async #open(): Promise<AmqpRelay | null> {
    const fluxmq = this.#ways.dialect === "fluxmq";
    // An anonymous terminus knows no kinds of nodes: only where addresses tell by themselves is it of use.
    if (!fluxmq && this.#ways.dialect !== "polymq") return null;
    try {
      const session = await this.#native.createSession();
      void session.closed.then(() => {
        this.#relay = null;
      });
      // FluxMQ has an anonymous terminus without saying so, gives 100 credits once, and takes more than those.
      return await new AmqpRelay(session, fluxmq ? { mode: "anonymous" } : {}).open({ ownCredit: fluxmq });
    } catch (error) {
      this.#relay = null;
      throw error;
    }
  }

  #sender(node: Node): Promise<AmqpSender> {
    let sender = this.#senders.get(node.address);
    if (sender === undefined) {
      sender = this.#attach(node);
      this.#senders.set(node.address, sender);
    }
    return sender;
  }

  async #attach(node: Node): Promise<AmqpSender> {
    const forget = (): unknown => this.#senders.delete(node.address);
    try {
      const session = await this.#native.createSession();
      const sender = await session.createSender(node.address, { target: targetFor(node) });
      void sender.closed.then(() => {
        forget();
        return session.close();
      });
      return sender;
    } catch (error) {
      forget();
      throw error;
    }
  }
}
