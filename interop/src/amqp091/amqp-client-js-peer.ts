import {
  type AMQPChannel,
  AMQPClient,
  type AMQPMessage,
  type AMQPProperties,
  AMQPWebSocketClient,
} from "@cloudamqp/amqp-client";
import { WebSocket } from "ws";
import type { Peer, PeerChannel, PeerConnection, PeerMessage, PeerReturn } from "./peer.ts";

/** amqp-client.js. */
export const amqpClientJsPeer: Peer = {
  name: "amqp-client.js",
  connect: async (url) => {
    const client = new AMQPClient(url);
    client.onerror = () => undefined; // what it says is in the rejections
    await client.connect();
    return connection(client);
  },
};

/** The same over WebSocket, as in a browser: it names no subprotocol. */
export const amqpClientJsWebPeer: Peer = {
  name: "amqp-client.js over WebSocket",
  connect: async (url) => {
    // Newer versions of Node have one of their own.
    Object.assign(globalThis, { WebSocket });
    const { host, username, password, pathname } = new URL(url);
    const vhost = decodeURIComponent(pathname.slice(1));
    const client = new AMQPWebSocketClient({ url: `ws://${host}/amqp`, vhost, username, password });
    client.onerror = () => undefined;
    await client.connect();
    return connection(client);
  },
};

function connection(client: AMQPClient | AMQPWebSocketClient): PeerConnection {
  return {
    channel: async () => channelOf(await client.channel()),
    close: async () => {
      await client.close();
    },
  };
}

async function channelOf(channel: AMQPChannel): Promise<PeerChannel> {
  await channel.confirmSelect();
  const returned: PeerReturn[] = [];
  const cancelled: string[] = [];
  const failed = new Promise<string>((resolve) => {
    channel.onerror = (reason) => resolve(reason);
  });
  channel.onReturn = (message) => {
    const { replyCode = 0, replyText = "", exchange, routingKey } = message;
    returned.push({ replyCode, replyText, exchange, routingKey, body: message.bodyString() ?? "" });
  };
  return {
    returned,
    cancelled,
    failed,
    ...topologyOf(channel),
    publish: async (exchange, key, body, { properties = {}, mandatory = false } = {}) => {
      await channel.basicPublish(exchange, key, body, properties as AMQPProperties, mandatory);
    },
    prefetch: (count) => channel.prefetch(count),
    consume: async (queue, options, onMessage) => {
      const { noAck = false, exclusive = false, tag, arguments: args = {} } = options;
      const params = { noAck, exclusive, args, ...(tag === undefined ? {} : { tag }) };
      const consumer = await channel.basicConsume(queue, params, (message) => onMessage(messageOf(message)));
      consumer.wait().catch(() => cancelled.push(consumer.tag));
      return consumer.tag;
    },
    cancel: async (tag) => {
      await channel.basicCancel(tag);
    },
    get: async (queue, { noAck = false } = {}) => {
      const message = await channel.basicGet(queue, { noAck });
      return message === null ? null : messageOf(message);
    },
    ack: (message, multiple = false) => void channel.basicAck(message.deliveryTag, multiple),
    nack: (message, { requeue, multiple = false }) => void channel.basicNack(message.deliveryTag, requeue, multiple),
    recover: () => channel.basicRecover(true),
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

function topologyOf(channel: AMQPChannel): TopologyPart {
  const queueOf = ({ name, ...rest }: { name: string; messageCount: number; consumerCount: number }) => ({
    queue: name,
    ...rest,
  });
  return {
    declareQueue: async (queue, { arguments: table = {}, ...options } = {}) =>
      queueOf(await channel.queueDeclare(queue, { durable: false, ...options }, table)),
    checkQueue: async (queue) => queueOf(await channel.queueDeclare(queue, { passive: true })),
    deleteQueue: async (queue, conditions = {}) => (await channel.queueDelete(queue, conditions)).messageCount,
    purgeQueue: async (queue) => (await channel.queuePurge(queue)).messageCount,
    declareExchange: (exchange, type, { arguments: table = {}, ...options } = {}) =>
      channel.exchangeDeclare(exchange, type, { durable: false, ...options }, table),
    checkExchange: (exchange) => channel.exchangeDeclare(exchange, "direct", { passive: true }),
    deleteExchange: (exchange, conditions = {}) => channel.exchangeDelete(exchange, conditions),
    bindQueue: (queue, exchange, key, table = {}) => channel.queueBind(queue, exchange, key, table),
    unbindQueue: (queue, exchange, key, table = {}) => channel.queueUnbind(queue, exchange, key, table),
    bindExchange: (destination, source, key, table = {}) => channel.exchangeBind(destination, source, key, table),
    unbindExchange: (destination, source, key, table = {}) => channel.exchangeUnbind(destination, source, key, table),
  };
}

function messageOf(message: AMQPMessage): PeerMessage {
  const { exchange, routingKey, redelivered, deliveryTag, properties } = message;
  return {
    body: message.bodyString() ?? "",
    exchange,
    routingKey,
    redelivered,
    deliveryTag,
    properties: properties as PeerMessage["properties"],
  };
}
