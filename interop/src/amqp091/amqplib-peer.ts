import { type Channel, type ChannelModel, type ConfirmChannel, connect, type Message } from "amqplib";
import type { Peer, PeerChannel, PeerConnection, PeerMessage, PeerProperties, PeerReturn } from "./peer.ts";

/** amqplib. */
export const amqplibPeer: Peer = {
  name: "amqplib",
  connect: async (url) => connection(await connect(url)),
};

function connection(model: ChannelModel): PeerConnection {
  // What the server says when it ends the connection is not in the rejections of what waits for an answer.
  const lost = new Promise<never>((_, reject) => model.on("error", reject));
  lost.catch(() => undefined);
  return { channel: () => channelOf(model, lost), close: () => model.close() };
}

async function channelOf(model: ChannelModel, lost: Promise<never>): Promise<PeerChannel> {
  const channel = await model.createConfirmChannel();
  const returned: PeerReturn[] = [];
  const cancelled: string[] = [];
  const failed = new Promise<string>((resolve) => {
    channel.on("error", (error: Error) => resolve(error.message));
  });
  channel.on("return", (message: Message) => {
    const { replyCode, replyText, exchange, routingKey } = message.fields as unknown as PeerReturn;
    returned.push({ replyCode, replyText, exchange, routingKey, body: message.content.toString() });
  });
  return {
    returned,
    cancelled,
    failed,
    ...topologyOf(channel),
    publish: (exchange, key, body, { properties = {}, mandatory = false } = {}) =>
      published(channel, { exchange, key, body, properties, mandatory }),
    prefetch: async (count) => {
      await channel.prefetch(count);
    },
    consume: async (queue, options, onMessage) => {
      const { noAck = false, exclusive = false, tag = "", arguments: table = {} } = options;
      const handle = (message: Message | null): void => {
        if (message === null) cancelled.push(tag);
        else onMessage(messageOf(message));
      };
      const consuming = channel.consume(queue, handle, { noAck, exclusive, consumerTag: tag, arguments: table });
      const { consumerTag } = await Promise.race([consuming, lost]);
      return consumerTag;
    },
    cancel: async (tag) => {
      await channel.cancel(tag);
    },
    get: async (queue, { noAck = false } = {}) => {
      const message = await channel.get(queue, { noAck });
      return message === false ? null : messageOf(message);
    },
    ack: (message, multiple = false) => channel.ack(rawOf(message), multiple),
    nack: (message, { requeue, multiple = false }) => channel.nack(rawOf(message), multiple, requeue),
    recover: async () => {
      await channel.recover();
    },
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
    declareQueue: (queue, options = {}) => channel.assertQueue(queue, { durable: false, ...options }),
    checkQueue: (queue) => channel.checkQueue(queue),
    deleteQueue: async (queue, conditions = {}) => (await channel.deleteQueue(queue, conditions)).messageCount,
    purgeQueue: async (queue) => (await channel.purgeQueue(queue)).messageCount,
    declareExchange: async (exchange, type, options = {}) => {
      await channel.assertExchange(exchange, type, { durable: false, ...options });
    },
    checkExchange: async (exchange) => {
      await channel.checkExchange(exchange);
    },
    deleteExchange: async (exchange, conditions = {}) => {
      await channel.deleteExchange(exchange, conditions);
    },
    bindQueue: async (queue, exchange, key, table = {}) => {
      await channel.bindQueue(queue, exchange, key, table);
    },
    unbindQueue: async (queue, exchange, key, table = {}) => {
      await channel.unbindQueue(queue, exchange, key, table);
    },
    bindExchange: async (destination, source, key, table = {}) => {
      await channel.bindExchange(destination, source, key, table);
    },
    unbindExchange: async (destination, source, key, table = {}) => {
      await channel.unbindExchange(destination, source, key, table);
    },
  };
}

interface Published {
  readonly exchange: string;
  readonly key: string;
  readonly body: string;
  readonly properties: PeerProperties;
  readonly mandatory: boolean;
}

function published(channel: ConfirmChannel, message: Published): Promise<void> {
  const { exchange, key, body, properties, mandatory } = message;
  return new Promise((resolve, reject) => {
    channel.publish(exchange, key, Buffer.from(body), { ...properties, mandatory }, (error: unknown) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

/** Only the tag is looked at when it settles. */
function rawOf(message: PeerMessage): Message {
  return { fields: { deliveryTag: message.deliveryTag } } as unknown as Message;
}

function messageOf(message: Message): PeerMessage {
  const { exchange, routingKey, redelivered, deliveryTag } = message.fields;
  const properties = Object.fromEntries(
    Object.entries(message.properties as unknown as Record<string, unknown>).filter(([, value]) => value !== undefined),
  );
  return { body: message.content.toString(), exchange, routingKey, redelivered, deliveryTag, properties };
}
