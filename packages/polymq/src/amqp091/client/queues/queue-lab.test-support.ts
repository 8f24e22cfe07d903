/** A client and a broker in memory that has the ways of one product, for the tests beside this file. */

import { ByteReader } from "../../../bytes/reader.ts";
import { webText } from "../../../bytes/text.ts";
import type { MethodName, MethodOf } from "../../codec/method-types.ts";
import { type BasicProperties, decodeProperties, encodeProperties } from "../../codec/properties.ts";
import { connected, type FakeBroker, type FakePublish } from "../fake-broker.test-support.ts";
import type { AmqpClientOptions } from "../options.ts";

const PRODUCTS = { polymq: "polymq", fluxmq: "FluxMQ", rabbitmq: "RabbitMQ" } as const;

export type Lab = Awaited<ReturnType<typeof lab>>;

/** A connected client of such a broker. */
export async function lab(dialect: keyof typeof PRODUCTS, options: Partial<AmqpClientOptions> = {}) {
  const { broker, client, events } = await connected(options, PRODUCTS[dialect]);
  return {
    broker,
    client,
    events,
    now: <T>(promise: Promise<T>): Promise<T> => broker.now(promise),
    /** Methods of a name on the connection in use. */
    said: <Name extends MethodName>(name: Name): MethodOf<Name>[] =>
      broker.link.methods.filter((each) => each.method === name) as unknown as MethodOf<Name>[],
    /** Tag of the consumer that was started last. */
    tag: (): string => tagOf(broker),
    /** Delivers to the consumer that was started last. */
    deliver: async (
      body: string,
      properties: BasicProperties = {},
      route: readonly [string, string] = ["", "q"],
    ): Promise<void> => {
      broker.link.deliver(tagOf(broker), body, encodeProperties(webText(), properties), route);
      await broker.clock.settle();
    },
    /** The connection breaks, and there is another one. */
    reconnect: async (): Promise<void> => {
      const before = broker.links.length;
      broker.link.pair.cut();
      // A second break soon after the first one waits before it dials.
      await broker.clock.advance(5_000);
      if (broker.links.length !== before + 1 || client.state !== "connected") throw new Error("it did not come back");
    },
  };
}

/** The properties of a message that was published. */
export function propertiesOf(published: FakePublish | undefined): BasicProperties {
  const reader = new ByteReader(webText());
  const block = published?.block ?? new Uint8Array(2);
  reader.reset(block, 0, block.length);
  return decodeProperties(reader);
}

/** What FluxMQ and polymq's broker say of a delivery. */
export function stamps(offset: number, more: BasicProperties["headers"] = {}): BasicProperties {
  const headers = { "group-id": "workers", queue: "orders", offset: String(offset), "x-source-topic": "$queue/orders" };
  return { messageId: `orders:${offset}`, headers: { ...headers, ...more } };
}

/** The same of a stream's delivery. */
export function streamStamps(offset: number, more: BasicProperties["headers"] = {}): BasicProperties {
  return stamps(offset, { "x-stream-offset": offset, "x-stream-timestamp": 1_700_000_000_000, ...more });
}

function tagOf(broker: FakeBroker): string {
  const consume = broker.link.methods.findLast((each) => each.method === "basic.consume");
  if (consume?.method !== "basic.consume") throw new Error("nobody consumes");
  return consume.consumerTag;
}
