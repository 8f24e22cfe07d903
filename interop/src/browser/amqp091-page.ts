import { AmqpClient, type AmqpClientOptions, type AmqpMessage, isMessagingError } from "polymq/amqp091";
import {
  type AmqpPageTests,
  type AmqpTarget,
  compared,
  numbered,
  offerPageTests,
  patterned,
  settled,
  tellProgress,
} from "./amqp-page-tests.ts";

/* Runs inside a browser: AMQP 0-9-1. */

const pageTests: AmqpPageTests = {
  async exchange({ count, prefetch, ...target }) {
    const client = await connected(target);
    const channel = await client.channel();
    const { queue } = await channel.declareQueue("", { exclusive: true });
    const published = await Promise.all(numbered(count).map((text) => channel.publish("", queue, text)));
    const texts: string[] = [];
    const inHand: AmqpMessage[] = [];
    let unsettledMax = 0;
    for await (const message of await channel.consume(queue, { prefetch })) {
      texts.push(message.text());
      inHand.push(message);
      unsettledMax = Math.max(unsettledMax, inHand.length);
      // The server gives no more before these are acknowledged: all at once, newest first.
      if (inHand.length === prefetch) for (const one of inHand.splice(0).reverse()) one.ack();
      if (texts.length === count) break;
    }
    const { messageCount } = await channel.checkQueue(queue);
    await client.close();
    return { texts, confirmed: published.length, unsettledMax, left: messageCount };
  },

  async largePayload({ bytes, ...target }) {
    const client = await connected(target);
    const channel = await client.channel();
    const { queue } = await channel.declareQueue("", { exclusive: true });
    const payload = patterned(bytes);
    await channel.publish("", queue, payload);
    const message = await channel.get(queue);
    message?.ack();
    const result = compared(message?.body ?? new Uint8Array(0), payload);
    await client.close();
    return result;
  },

  async leaveUnsettled({ count, taken, ...target }) {
    const client = await connected(target);
    const channel = await client.channel();
    const { queue } = await channel.declareQueue("", { exclusive: true });
    await Promise.all(numbered(count).map((text) => channel.publish("", queue, text)));
    const leaving = await client.channel();
    for (let index = 0; index < taken; index++) {
      const message = await leaving.get(queue);
      if (index % 2 === 0) message?.ack();
    }
    await leaving.close();
    const given: { text: string; again: boolean }[] = [];
    for await (const message of await channel.consume(queue)) {
      given.push({ text: message.text(), again: message.redelivered });
      message.ack();
      if (given.length === count - Math.ceil(taken / 2)) break;
    }
    await client.close();
    return given;
  },

  async group({ count, ...target }) {
    const clients = await Promise.all([1, 2, 3, 4].map(() => connected(target)));
    const [publisher, ...members] = clients;
    const queue = `browser-${crypto.randomUUID()}`;
    const got: string[][] = members.map(() => []);
    const all = settled();
    for (const [index, member] of members.entries()) {
      await member.subscribeToQueue(queue, index < 2 ? "both" : "alone", {
        ack: "manual",
        prefetch: 5,
        handler: (message) => {
          got[index]?.push(message.text());
          message.ack();
          if (got.flat().length === 2 * count) all.resolve();
        },
      });
    }
    await Promise.all(numbered(count).map((text) => publisher?.publishToQueue(queue, text)));
    await all.promise;
    await Promise.all(clients.map((client) => client.close()));
    return got;
  },

  async steady({ count, ...target }) {
    tellProgress(0);
    const client = await connected(target);
    const lost: string[] = [];
    let reconnects = 0;
    client.on("connectionLost", ({ error }) => lost.push(error.code));
    client.on("connect", () => reconnects++);
    const channel = await client.channel();
    const queue = `browser-${crypto.randomUUID()}`;
    await channel.declareQueue(queue, { durable: true });
    const texts: string[] = [];
    const all = settled();
    await channel.consume(queue, {
      handler: (message) => {
        texts.push(message.text());
        const different = new Set(texts).size;
        tellProgress(different);
        if (different === count) all.resolve();
      },
    });
    let confirmed = 0;
    // One after the other, so that there is time for the connection to end in between.
    for (const text of numbered(count)) {
      await channel.publish("", queue, text);
      confirmed++;
    }
    await all.promise;
    await client.close();
    return { texts, confirmed, reconnects, lost };
  },

  async refused({ url, headers, ...login }) {
    const webSocket = headers === true ? { webSocket: { headers: { authorization: "x" } } } : {};
    let client: AmqpClient | null = null;
    try {
      client = new AmqpClient({ servers: url, ...login, ...webSocket });
      await client.connect();
      return ["connected"];
    } catch (error) {
      return [isMessagingError(error) ? error.code : String(error)];
    } finally {
      await client?.close();
    }
  },

  async unroutable(target) {
    const client = await connected(target);
    const channel = await client.channel();
    const published = channel.publish("amq.direct", "nobody", "x", { mandatory: true });
    const code = await published.then(
      () => "published",
      (error: unknown) => (isMessagingError(error) ? error.code : String(error)),
    );
    await client.close();
    return code;
  },
};

offerPageTests(pageTests);

async function connected({ url }: AmqpTarget, options: Partial<AmqpClientOptions> = {}): Promise<AmqpClient> {
  const reconnect = { initialDelayMs: 20, maxDelayMs: 200, jitter: "none" } as const;
  const client = new AmqpClient({ servers: url, reconnect, ...options });
  await client.connect();
  return client;
}
