import { type Channel, Connection } from "rabbitmq-client";
import type { Peer, PeerChannel, PeerConnection, PeerMessage, PeerProperties, PeerReturn } from "./peer.ts";

/** rabbitmq-client. */
export const rabbitmqClientPeer: Peer = {
  name: "rabbitmq-client",
  connect: async (url) => {
    const connection = new Connection({ url, retryLow: 60_000 });
    // It goes on trying by itself; here the first failure counts.
    const refused = new Promise<never>((_, reject) => {
      connection.on("error", (error: Error) => reject(error));
    });
    refused.catch(() => undefined);
    try {
      await Promise.race([connection.onConnect(), refused]);
    } catch (error) {
      connection.unsafeDestroy();
      throw error;
    }
    return connectionOf(connection);
  },
};

function connectionOf(connection: Connection): PeerConnection {
  const open: Channel[] = [];
  return {
    channel: async () => {
      const channel = await connection.acquire({ emitErrorsFromChannel: true });
      open.push(channel);
      return channelOf(channel);
    },
    close: async () => {
      // It waits for channels that are open, for ever.
      await Promise.all(open.map((channel) => channel.close()));
      await connection.close();
    },
  };
}

async function channelOf(channel: Channel): Promise<PeerChannel> {
  await channel.confirmSelect();
  const returned: PeerReturn[] = [];
  const cancelled: string[] = [];
  const failed = new Promise<string>((resolve) => {
    channel.on("error", (error: Error) => resolve(error.message));
  });
  channel.on("basic.return", (message) => {
    const { replyCode, replyText, exchange, routingKey, body } = message;
    returned.push({ replyCode, replyText, exchange, routingKey, body: textOf(body) });
  });
  channel.on("basic.cancel", (tag) => cancelled.push(tag));
  return {
    returned,
    cancelled,
    failed,
    ...topologyOf(channel),
    publish: (exchange, routingKey, body, { properties = {}, mandatory = false } = {}) => {
      const { deliveryMode, ...rest } = properties;
      const durable = deliveryMode === undefined ? {} : { durable: deliveryMode === 2 };
      return channel.basicPublish({ exchange, routingKey, mandatory, ...rest, ...durable }, Buffer.from(body));
    },
    prefetch: (prefetchCount) => channel.basicQos({ prefetchCount }),
    consume: async (queue, options, onMessage) => {
      const { noAck = false, exclusive = false, tag = "", arguments: table = {} } = options;
      const params = { queue, noAck, exclusive, consumerTag: tag, arguments: table };
      const { consumerTag } = await channel.basicConsume(params, (message) => onMessage(messageOf(message)));
      return consumerTag;
    },
    cancel: async (consumerTag) => {
      await channel.basicCancel({ consumerTag });
    },
    get: async (queue, { noAck = false } = {}) => {
      const message = await channel.basicGet({ queue, noAck });
      return message === undefined ? null : messageOf(message);
    },
    ack: ({ deliveryTag }, multiple = false) => channel.basicAck({ deliveryTag, multiple }),
    nack: ({ deliveryTag }, { requeue, multiple = false }) => channel.basicNack({ deliveryTag, requeue, multiple }),
    recover: () => channel.basicRecover({ requeue: true }),
    close: () => channel.close(),
  };
}

type TopologyPart = Pick<
  PeerChannel,
  | "declareQueue"
  | "checkQueue"
  | "deleteQueue"
  | "purgeQueue"
  | "declareExchange"
  | "checkExchange"
  | "deleteExchange"
  | "bindQueue"
  | "unbindQueue"
  | "bindExchange"
  | "unbindExchange"
>;

function topologyOf(channel: Channel): TopologyPart {
  return {
    declareQueue: (queue, options = {}) => channel.queueDeclare({ queue, durable: false, ...options }),
    checkQueue: (queue) => channel.queueDeclare({ queue, passive: true }),
    deleteQueue: async (queue, conditions = {}) => (await channel.queueDelete({ queue, ...conditions })).messageCount,
    purgeQueue: async (queue) => (await channel.queuePurge({ queue })).messageCount,
    declareExchange: (exchange, type, options = {}) =>
      channel.exchangeDeclare({ exchange, type, durable: false, ...options }),
    checkExchange: (exchange) => channel.exchangeDeclare({ exchange, passive: true }),
    deleteExchange: (exchange, conditions = {}) => channel.exchangeDelete({ exchange, ...conditions }),
    bindQueue: (queue, exchange, routingKey, table = {}) =>
      channel.queueBind({ queue, exchange, routingKey, arguments: table }),
    unbindQueue: (queue, exchange, routingKey, table = {}) =>
      channel.queueUnbind({ queue, exchange, routingKey, arguments: table }),
    bindExchange: (destination, source, routingKey, table = {}) =>
      channel.exchangeBind({ destination, source, routingKey, arguments: table }),
    unbindExchange: (destination, source, routingKey, table = {}) =>
      channel.exchangeUnbind({ destination, source, routingKey, arguments: table }),
  };
}

type Received =
  | Parameters<Parameters<Channel["basicConsume"]>[1]>[0]
  | NonNullable<Awaited<ReturnType<Channel["basicGet"]>>>;

function messageOf(message: Received): PeerMessage {
  const { exchange, routingKey, redelivered = false, deliveryTag, body, ...rest } = message;
  const names = ["contentType", "contentEncoding", "headers", "priority", "correlationId", "replyTo"];
  const more = ["expiration", "messageId", "type", "appId"];
  const properties: Record<string, unknown> = {};
  for (const name of [...names, ...more]) {
    const value = (rest as unknown as Record<string, unknown>)[name];
    if (value !== undefined) properties[name] = value;
  }
  return {
    body: textOf(body),
    exchange,
    routingKey,
    redelivered,
    deliveryTag,
    properties: properties as PeerProperties,
  };
}

/** It parses bodies by their content type. */
function textOf(body: unknown): string {
  if (typeof body === "string") return body;
  return Buffer.isBuffer(body) ? body.toString() : JSON.stringify(body);
}
