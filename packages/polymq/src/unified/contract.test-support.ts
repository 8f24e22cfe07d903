/** One program text for all protocols and servers: what every connection must do, or say with a typed error that it cannot. */
import { expect } from "vitest";
import { isMessagingError } from "../base/errors.ts";
import type { AnyPublishOptions } from "./adapter.ts";
import type { Client } from "./client.ts";
import { json, text } from "./codec.ts";
import type { Subscription } from "./consumer.ts";
import type { Message } from "./message.ts";
import type { StandardSchema } from "./standard-schema.ts";
import type { Stream } from "./stream.ts";

/** A server, reached over one protocol. */
export interface ContractSite {
  /** As it stands in the matrix. */
  readonly name: string;
  /** A new connection. Closed by the site at the end of the case. */
  connect(): Promise<Client>;
  /** A name that nobody has used on this server, without slashes. */
  unique(word: string): string;
  /** A new stream; made outside of the client where the protocol cannot. */
  stream(): Promise<string>;
}

/** One case: a program that uses what all protocols have in common, or what some lack. */
export interface ContractCase {
  readonly name: string;
  readonly run: (site: ContractSite) => Promise<void>;
}

/** What became of a case. */
export type Outcome = { readonly is: "pass" } | { readonly is: "cannot"; readonly code: string };

/** Codes by which a protocol or server says that it cannot. */
const CANNOT = ["ERR_UNSUPPORTED", "ERR_NOT_SUPPORTED_BY_SERVER"];

/** Runs a case; what fails otherwise than with the word for "cannot" rejects. */
export async function outcomeOf(each: ContractCase, site: ContractSite): Promise<Outcome> {
  try {
    await each.run(site);
    return { is: "pass" };
  } catch (error) {
    if (isMessagingError(error) && CANNOT.includes(error.code)) return { is: "cannot", code: error.code };
    throw error;
  }
}

/** Messages as they come. */
class Arrivals<M extends Message<unknown>> {
  readonly #here: M[] = [];
  readonly #waiting: ((message: M) => void)[] = [];
  readonly handler = (message: M): void => {
    const wanted = this.#waiting.shift();
    if (wanted === undefined) this.#here.push(message);
    else wanted(message);
  };

  next(): Promise<M> {
    const message = this.#here.shift();
    return message === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(message);
  }

  async texts(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push((await this.next()).text());
    return texts;
  }
}

async function first<M extends Message<unknown>>(subscription: Subscription<M>): Promise<M> {
  for await (const message of subscription) {
    await message.ack();
    return message;
  }
  throw new Error("the subscription ended");
}

const topics: readonly ContractCase[] = [
  {
    name: "topics: levels have slashes, wildcards match, payloads arrive as they were",
    run: async (site) => {
      const client = await site.connect();
      const root = site.unique("topic");
      const arrivals = new Arrivals();
      await client.subscribe(`${root}/+/temp`, arrivals.handler);
      await client.publish(`${root}/a/humidity`, "no");
      await client.publish(`${root}/a/temp`, new Uint8Array([0, 255, 10]));
      const message = await arrivals.next();
      expect([message.topic, [...message.payload], message.queue]).toEqual([`${root}/a/temp`, [0, 255, 10], null]);
    },
  },
  {
    name: "topics: properties and content type go along",
    run: async (site) => {
      const client = await site.connect();
      const root = site.unique("topic");
      const arrivals = new Arrivals();
      await client.subscribe(`${root}/#`, { qos: 1, handler: arrivals.handler });
      const options = { qos: 1, properties: { unit: "C" }, contentType: "text/plain" } as const;
      await client.publish(`${root}/x`, "21", options);
      const message = await arrivals.next();
      expect([message.property("unit"), message.contentType, message.property("none")]).toEqual([
        "C",
        "text/plain",
        null,
      ]);
    },
  },
  {
    name: "topics: a subscription is an async iterable, and leaving the loop ends it",
    run: async (site) => {
      const client = await site.connect();
      const topic = site.unique("topic");
      const subscription = await client.subscribe(topic, { qos: 1, codec: text });
      await client.publish(topic, "one", { qos: 1 });
      const message = await first(subscription);
      expect(message.value).toBe("one");
      await client.subscribe(topic);
    },
  },
  {
    name: "topics: unsubscribe ends what comes",
    run: async (site) => {
      const client = await site.connect();
      const root = site.unique("topic");
      const [gone, stays] = [new Arrivals(), new Arrivals()];
      await client.subscribe(`${root}/a`, gone.handler);
      await client.subscribe(`${root}/#`, stays.handler);
      await client.unsubscribe(`${root}/a`);
      let came = false;
      void gone.next().then(() => {
        came = true;
      });
      await client.publish(`${root}/a`, "x", { qos: 1 });
      expect(await stays.texts(1)).toEqual(["x"]);
      expect(came).toBe(false);
    },
  },
  {
    name: "topics: QoS 2",
    run: async (site) => {
      const client = await site.connect();
      const topic = site.unique("topic");
      const arrivals = new Arrivals();
      await client.subscribe(topic, { qos: 2, handler: arrivals.handler } as never);
      await client.publish(topic, "once", { qos: 2 } as AnyPublishOptions as never);
      expect(await arrivals.texts(1)).toEqual(["once"]);
    },
  },
  {
    name: "topics: a kept message reaches later subscribers",
    run: async (site) => {
      const client = await site.connect();
      const topic = site.unique("topic");
      await client.publish(topic, "kept", { qos: 1, retain: true } as AnyPublishOptions as never);
      const arrivals = new Arrivals();
      await client.subscribe(topic, { qos: 1, handler: arrivals.handler });
      expect(await arrivals.texts(1)).toEqual(["kept"]);
      await client.publish(topic, "", { qos: 1, retain: true } as AnyPublishOptions as never);
    },
  },
];

const queues: readonly ContractCase[] = [
  {
    name: "queues: what is put in is consumed and acknowledged",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"), { codec: json<{ n: number }>() });
      const consumed = await queue.consume({ group: "workers", prefetch: 8 });
      await queue.publish({ n: 1 });
      const message = await first(consumed);
      expect([message.value, message.queue, message.topic]).toEqual([{ n: 1 }, queue.name, `$queue/${queue.name}`]);
    },
  },
  {
    name: "queues: what is published to a queue's address is its groups'",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"));
      const consumed = await queue.consume({ group: "workers", prefetch: 8 });
      await client.publish(`$queue/${queue.name}`, "x", { qos: 1 });
      const message = await first(consumed);
      expect([message.text(), message.queue, message.topic]).toEqual(["x", queue.name, `$queue/${queue.name}`]);
    },
  },
  {
    name: "queues: without a group, consumers share the queue",
    run: async (site) => {
      const [one, two] = [await site.connect(), await site.connect()];
      const name = site.unique("queue");
      const shared = new Arrivals();
      await one.queue(name).consume({ handler: shared.handler });
      await two.queue(name).consume({ handler: shared.handler });
      const sent = ["1", "2", "3", "4"];
      for (const each of sent) await one.queue(name).publish(each);
      expect((await shared.texts(4)).toSorted()).toEqual(sent);
    },
  },
  {
    name: "queues: what comes before its group's first member is kept",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"), { groups: ["workers"] });
      await queue.publish("early");
      const arrivals = new Arrivals();
      await queue.consume({ group: "workers", handler: arrivals.handler });
      expect(await arrivals.texts(1)).toEqual(["early"]);
    },
  },
  {
    name: "queues: members of a group share its messages, each group gets all",
    run: async (site) => {
      const [one, two] = [await site.connect(), await site.connect()];
      const name = site.unique("queue");
      const [shared, other] = [new Arrivals(), new Arrivals()];
      await one.queue(name).consume({ group: "a", handler: shared.handler });
      await two.queue(name).consume({ group: "a", handler: shared.handler });
      const third = await site.connect();
      await third.queue(name).consume({ group: "b", handler: other.handler });
      const sent = ["1", "2", "3", "4"];
      for (const each of sent) await third.queue(name).publish(each);
      expect((await shared.texts(4)).toSorted()).toEqual(sent);
      expect((await other.texts(4)).toSorted()).toEqual(sent);
    },
  },
  {
    name: "queues: a message that was given back comes again, and says so",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"));
      const arrivals = new Arrivals();
      await queue.consume({ group: "workers", ack: "manual", handler: arrivals.handler });
      await queue.publish("again");
      const message = await arrivals.next();
      expect(message.deliveryCount).toBe(0);
      await message.nack();
      const repeated = await arrivals.next();
      expect([repeated.text(), repeated.deliveryCount]).toEqual(["again", 1]);
      await repeated.ack();
    },
  },
  {
    name: "queues: a rejected message does not come again",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"));
      const arrivals = new Arrivals();
      await queue.consume({ group: "workers", ack: "manual", prefetch: 1, handler: arrivals.handler });
      await queue.publish("bad");
      await (await arrivals.next()).reject();
      await queue.publish("good");
      const message = await arrivals.next();
      expect(message.text()).toBe("good");
      await message.ack();
    },
  },
  {
    name: "queues: a message whose handler fails comes again",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"));
      const arrivals = new Arrivals();
      let calls = 0;
      await queue.consume({
        group: "workers",
        handler: async (message) => {
          arrivals.handler(message);
          if (++calls === 1) throw new Error("not yet");
        },
      });
      await queue.publish("work");
      expect(await arrivals.texts(2)).toEqual(["work", "work"]);
    },
  },
  {
    name: "queues: a message that the codec refuses is rejected, and the next one comes",
    run: async (site) => {
      const client = await site.connect();
      const name = site.unique("queue");
      const invalid: string[] = [];
      client.on("invalidMessage", ({ error }) => invalid.push(error.code));
      const arrivals = new Arrivals<Message<unknown>>();
      await client.queue(name, { codec: json(NUMBERS) }).consume({ group: "workers", handler: arrivals.handler });
      await client.queue(name).publish('{"n":"one"}');
      await client.queue(name).publish('{"n":1}');
      expect((await arrivals.next()).value).toEqual({ n: 1 });
      expect(invalid).toEqual(["ERR_INVALID_MESSAGE"]);
    },
  },
  {
    name: "queues: a group with a filter gets what matches its routing key",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"));
      const arrivals = new Arrivals();
      await queue.consume({ group: "eu", filter: "eu/#", handler: arrivals.handler });
      await queue.publish("no", { routingKey: "us/new" });
      await queue.publish("yes", { routingKey: "eu/new" });
      const message = await arrivals.next();
      expect([message.text(), message.routingKey, message.topic]).toEqual([
        "yes",
        "eu/new",
        `$queue/${queue.name}/eu/new`,
      ]);
    },
  },
  {
    name: "queues: a message is given back for a while",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"));
      const arrivals = new Arrivals();
      await queue.consume({ group: "workers", ack: "manual", handler: arrivals.handler });
      await queue.publish("later");
      await (await arrivals.next()).nack({ delayMs: 1 } as never);
      expect(await arrivals.texts(1)).toEqual(["later"]);
    },
  },
  {
    name: "queues: a message is delivered later",
    run: async (site) => {
      const client = await site.connect();
      const queue = client.queue(site.unique("queue"));
      const arrivals = new Arrivals();
      await queue.consume({ group: "workers", handler: arrivals.handler });
      await queue.publish("later", { deliverAfterMs: 1 });
      expect(await arrivals.texts(1)).toEqual(["later"]);
    },
  },
];

const streams: readonly ContractCase[] = [
  {
    name: "streams: each reader reads from where it wants to",
    run: async (site) => {
      const name = await site.stream();
      const client = await site.connect();
      const stream = client.stream(name);
      for (const each of ["0", "1", "2"]) await stream.publish(each);
      const all = new Arrivals();
      await stream.read({ from: "first", handler: all.handler });
      const [zero, one] = [await all.next(), await all.next()];
      expect([zero.text(), zero.offset, one.text(), one.offset]).toEqual(["0", 0, "1", 1]);
      const other = await site.connect();
      const late = new Arrivals();
      await other.stream(name).read({ from: { offset: 2 }, handler: late.handler });
      expect(await late.texts(1)).toEqual(["2"]);
    },
  },
  {
    name: "streams: a group goes on where it stands",
    run: async (site) => {
      const name = await site.stream();
      const client = await site.connect();
      const stream = client.stream(name);
      for (const each of ["0", "1"]) await stream.publish(each);
      const subscription = await stream.read({ from: "first", group: "readers" });
      const read: string[] = [];
      for await (const message of subscription) {
        read.push(message.text());
        await message.ack();
        if (read.length === 2) break;
      }
      await stream.publish("2");
      // What was read and not committed yet may come again, but nothing is left out.
      for await (const message of await stream.read({ group: "readers" })) {
        read.push(message.text());
        if (message.text() === "2") break;
      }
      expect([read.slice(0, 2), read.slice(2)]).toEqual([["0", "1"], ["0", "1", "2"].slice(5 - read.length)]);
    },
  },
  {
    name: "streams: offsets are committed by hand",
    run: async (site) => {
      const name = await site.stream();
      const client = await site.connect();
      // What not every protocol can do is absent from the type; this text asks for it all the same.
      const stream = client.stream(name) as unknown as Stream<string, Uint8Array, "amqp091">;
      for (const each of ["0", "1", "2"]) await stream.publish(each);
      const read = await stream.read({ from: "first", group: "readers", commit: "manual" });
      const reader = read[Symbol.asyncIterator]();
      await reader.next();
      await stream.commit(1);
      await reader.return?.();
      const arrivals = new Arrivals();
      await stream.read({ group: "readers", commit: "manual", handler: arrivals.handler });
      expect(await arrivals.texts(2)).toEqual(["1", "2"]);
    },
  },
];

const rest: readonly ContractCase[] = [
  {
    name: "requests: one of the responders answers",
    run: async (site) => {
      const [server, client] = [await site.connect(), await site.connect()];
      const address = site.unique("double");
      await server.respond(address, (request) => String(Number(request.text()) * 2));
      const answer = await client.request(address, "21");
      expect(answer.text()).toBe("42");
    },
  },
  {
    name: "requests: properties and content type go along in both directions",
    run: async (site) => {
      const [server, client] = [await site.connect(), await site.connect()];
      const address = site.unique("weather");
      await server.respond(address, (request) => ({
        payload: `${request.property("place")} ${request.contentType}`,
        properties: { unit: "C" },
        contentType: "text/plain",
      }));
      const asked = { properties: { place: "Porto" }, contentType: "text/csv" };
      const answer = await client.request(address, "now", asked);
      expect([answer.text(), answer.property("unit"), answer.contentType]).toEqual([
        "Porto text/csv",
        "C",
        "text/plain",
      ]);
    },
  },
  {
    name: "life: a closed client says so, and refuses with a typed error",
    run: async (site) => {
      const client = await site.connect();
      expect(client.state).toBe("connected");
      await client.close();
      expect([client.state, await client.closed]).toEqual(["closed", null]);
      await expect(client.publish("a", "x")).rejects.toMatchObject({ name: "MessagingError" });
    },
  },
];

/** All cases, in the order of the matrix. */
export const unifiedContract: readonly ContractCase[] = [...topics, ...queues, ...streams, ...rest];

/** A schema written by hand, so that the contract needs no validator. */
const NUMBERS: StandardSchema<{ n: number }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const n = (value as { n?: unknown } | null)?.n;
      if (typeof n === "number") return { value: { n } };
      return { issues: [{ message: "a number is wanted", path: ["n"] }] };
    },
  },
};
