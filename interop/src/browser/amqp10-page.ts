import { type AmqpConnection, type AmqpDelivery, connect, isMessagingError } from "polymq/amqp10";
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

/* Runs inside a browser: AMQP 1.0. */

const pageTests: AmqpPageTests = {
  async exchange({ count, prefetch, ...target }) {
    const connection = await connected(target);
    const session = await connection.createSession();
    const address = newAddress();
    const sender = await session.createSender(address);
    const outcomes = await Promise.all(numbered(count).map((text) => sender.send(text)));
    const receiver = await session.createReceiver(address, { credit: "manual" });
    receiver.issueCredit(prefetch);
    const texts: string[] = [];
    const inHand: AmqpDelivery[] = [];
    let unsettledMax = 0;
    while (texts.length < count) {
      const delivery = await receiver.receive();
      texts.push(textOf(delivery));
      inHand.push(delivery);
      unsettledMax = Math.max(unsettledMax, inHand.length);
      if (inHand.length < prefetch) continue;
      await Promise.all(inHand.splice(0).map((one) => one.accept()));
      receiver.issueCredit(prefetch);
    }
    await receiver.close();
    const left = await leftIn(connection, address);
    await connection.close();
    return { texts, confirmed: outcomes.length, unsettledMax, left };
  },

  async largePayload({ bytes, ...target }) {
    const connection = await connected(target);
    const session = await connection.createSession();
    const address = newAddress();
    const payload = patterned(bytes);
    await (await session.createSender(address)).send(payload);
    const delivery = await (await session.createReceiver(address)).receive();
    await delivery.accept();
    const { body } = delivery.message;
    const [data = new Uint8Array(0)] = body?.type === "data" ? body.data : [];
    const result = compared(data, payload);
    await connection.close();
    return result;
  },

  async leaveUnsettled({ count, taken, ...target }) {
    const connection = await connected(target);
    const session = await connection.createSession();
    const address = newAddress();
    const sender = await session.createSender(address);
    await Promise.all(numbered(count).map((text) => sender.send(text)));
    const leaving = await session.createReceiver(address, { credit: "manual" });
    leaving.issueCredit(taken);
    for (let index = 0; index < taken; index++) {
      const delivery = await leaving.receive();
      // What failed is counted; the rest goes back as it was when the link ends.
      if (index % 2 === 0) await delivery.accept();
      else await delivery.modify({ deliveryFailed: true });
    }
    await leaving.close();
    const given: { text: string; again: boolean }[] = [];
    for await (const delivery of await session.createReceiver(address)) {
      given.push({ text: textOf(delivery), again: (delivery.message.header?.deliveryCount ?? 0) > 0 });
      await delivery.accept();
      if (given.length === count - Math.ceil(taken / 2)) break;
    }
    await connection.close();
    return given;
  },

  async group({ count, ...target }) {
    const connections = await Promise.all([1, 2, 3, 4].map(() => connected(target)));
    const [publisher, ...members] = connections;
    const queue = `browser-${crypto.randomUUID()}`;
    const got: string[][] = members.map(() => []);
    const all = settled();
    for (const [index, member] of members.entries()) {
      await member.subscribeToQueue(queue, index < 2 ? "both" : "alone", {
        ack: "manual",
        prefetch: 5,
        handler: async (message) => {
          got[index]?.push(message.text());
          await message.ack();
          if (got.flat().length === 2 * count) all.resolve();
        },
      });
    }
    await Promise.all(numbered(count).map((text) => publisher?.publishToQueue(queue, text)));
    await all.promise;
    await Promise.all(connections.map((connection) => connection.close()));
    return got;
  },

  async steady({ count, ...target }) {
    tellProgress(0);
    const connection = await connected(target);
    const lost: string[] = [];
    let reconnects = 0;
    connection.on("connectionLost", ({ error }) => lost.push(error.code));
    connection.on("reconnected", () => reconnects++);
    const session = await connection.createSession();
    const address = newAddress();
    const sender = await session.createSender(address);
    const receiver = await session.createReceiver(address);
    const texts: string[] = [];
    const receiving = (async () => {
      for await (const delivery of receiver) {
        texts.push(textOf(delivery));
        const different = new Set(texts).size;
        tellProgress(different);
        // One from before a break cannot be settled any more: it comes again.
        await delivery.accept().catch(staleOnly);
        if (different === count) break;
      }
    })();
    let confirmed = 0;
    // One after the other, so that there is time for the connection to end in between.
    for (const text of numbered(count)) {
      await sender.send(text);
      confirmed++;
    }
    await receiving;
    await connection.close();
    return { texts, confirmed, reconnects, lost };
  },

  async refused({ url, headers, username, password }) {
    const sasl = username === undefined ? {} : { sasl: { username, password: password ?? "" } };
    const webSocket = headers === true ? { webSocket: { headers: { authorization: "x" } } } : {};
    try {
      const connection = await connect(url, { ...sasl, ...webSocket });
      await connection.close();
      return ["connected"];
    } catch (error) {
      return [isMessagingError(error) ? error.code : String(error)];
    }
  },

  async unroutable(target) {
    const connection = await connected(target);
    const session = await connection.createSession();
    const sender = await session.createSender("/exchanges/amq.direct/nobody");
    const code = await sender.send("x").then(
      () => "published",
      (error: unknown) => (isMessagingError(error) ? error.code : String(error)),
    );
    await connection.close();
    return code;
  },
};

offerPageTests(pageTests);

function connected({ url }: AmqpTarget): Promise<AmqpConnection> {
  return connect(url, { reconnect: { initialDelayMs: 20, maxDelayMs: 200, jitter: "none" } });
}

function newAddress(): string {
  return `$queue/browser-${crypto.randomUUID()}`;
}

function textOf(delivery: AmqpDelivery): string {
  const { body } = delivery.message;
  return body?.type === "value" ? String(body.value) : "";
}

/** Messages that a new consumer is given: the broker has nothing more when it has drained the credit. */
async function leftIn(connection: AmqpConnection, address: string): Promise<number> {
  const session = await connection.createSession();
  const receiver = await session.createReceiver(address, { credit: "manual" });
  receiver.issueCredit(10);
  await receiver.drainCredit();
  let left = 0;
  while (receiver.prefetched() !== null) left++;
  return left;
}

function staleOnly(error: unknown): void {
  if (!isMessagingError(error) || error.code !== "ERR_STALE_DELIVERY") throw error;
}
