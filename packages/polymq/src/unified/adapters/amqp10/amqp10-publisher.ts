import type { AmqpConnection } from "../../../amqp10/client/connection.ts";
import type { EventualRelay } from "../../../amqp10/client/eventual-relay.ts";
import type { SendOptions } from "../../../amqp10/client/send-options.ts";
import type { AmqpSender } from "../../../amqp10/client/sender.ts";
import type { MessageInput } from "../../../amqp10/codec/message.ts";
import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import type { Dialect } from "../../protocol.ts";
import { type Node, targetFor, type Ways } from "./amqp10-ways.ts";

/** How one message is sent. */
export interface SendCall {
  readonly settled: boolean;
  readonly signal: AbortSignal | undefined;
}

const SETTLED: SendOptions = Object.freeze({ settled: true });
const UNSETTLED: SendOptions = Object.freeze({ settled: false });

/** Sends to any address: over one link where the server has an anonymous terminus, else over a link for each node, which says what kind it is. */
export class Amqp10Publisher {
  readonly #native: AmqpConnection;
  /** An anonymous terminus knows no kinds of nodes: only where addresses tell by themselves is it of use. */
  readonly #relay: EventualRelay | null;
  readonly #dialect: Dialect;
  readonly #senders = new Map<string, Promise<AmqpSender>>();

  constructor(native: AmqpConnection, ways: Ways) {
    this.#native = native;
    this.#dialect = ways.dialect;
    this.#relay = ways.dialect === "polymq" || ways.dialect === "fluxmq" ? native.relay : null;
  }

  send(node: Node, message: MessageInput, { settled, signal }: SendCall): Promise<unknown> {
    const how = settled ? SETTLED : UNSETTLED;
    const options = signal === undefined ? how : { ...how, signal };
    if (this.#relay !== null) return this.#relay.send(node.address, message, options);
    return this.#sendTo(node, message, options);
  }

  /** As `send` a message that says nothing but where it goes, at less cost; null, and nothing is done, where it is to be sent as all others are. */
  sendData(address: string, data: Uint8Array, outcome: "awaited" | "none"): Promise<unknown> | null {
    if (this.#relay === null) return null;
    return this.#relay.sendData(address, data, outcome === "none" ? SETTLED : UNSETTLED);
  }

  /** Resolves once every message of `sendData` has its outcome. */
  idle(): Promise<void> {
    return this.#relay === null ? Promise.resolve() : this.#relay.idle();
  }

  async #sendTo(node: Node, message: MessageInput, options: SendOptions): Promise<unknown> {
    throwIfAborted(options.signal);
    const sender = await raceAbort(this.#sender(node), options.signal);
    return await sender.send(this.#addressed(node, message), options);
  }

  /** Receivers of many nodes know by `to` where a message was sent (§3.2.4); RabbitMQ tells it otherwise. */
  #addressed(node: Node, message: MessageInput): MessageInput {
    if (this.#dialect === "rabbitmq") return message;
    return { ...message, properties: { ...message.properties, to: node.address } };
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
