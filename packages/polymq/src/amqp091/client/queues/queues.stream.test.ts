import { describe, expect, test } from "vitest";
import { TypedField } from "../../codec/field-value.ts";
import { lab, propertiesOf, streamStamps } from "./queue-lab.test-support.ts";
import type { AmqpQueueMessage } from "./queue-message.ts";
import type { AmqpStreamOffset } from "./queue-options.ts";

describe("declareStreamQueue", () => {
  test("declares a durable stream with its limits, and again after a reconnect", async () => {
    const { client, now, said, reconnect } = await lab("fluxmq");
    const limits = { maxAge: "7D", maxLengthBytes: 10 * 1024 ** 3, maxLength: 1_000 };
    expect(await now(client.declareStreamQueue({ name: "events", ...limits }))).toBe("events");
    const declared = {
      queue: "events",
      durable: true,
      autoDelete: false,
      exclusive: false,
      arguments: {
        "x-queue-type": "stream",
        "x-max-age": "7D",
        "x-max-length-bytes": 10_737_418_240,
        "x-max-length": 1_000,
      },
    };
    expect(said("queue.declare")).toMatchObject([declared]);
    await reconnect();
    expect(said("queue.declare")).toMatchObject([declared]);
  });

  test("RabbitMQ: weeks become days, and a limit in messages is ERR_UNSUPPORTED", async () => {
    const { client, now, said } = await lab("rabbitmq");
    await now(
      client.declareStreamQueue({ name: "s", maxAge: "2W", arguments: { "x-queue-leader-locator": "balanced" } }),
    );
    const args = { "x-queue-type": "stream", "x-max-age": "14D", "x-queue-leader-locator": "balanced" };
    expect(said("queue.declare")[0]?.arguments).toEqual(args);
    const refused = client.declareStreamQueue({ name: "s", maxLength: 1 });
    await expect(refused).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  test.each([
    [{ name: "a/b" }, "ERR_INVALID_TOPIC"],
    [{ name: "s", maxAge: "forever" }, "ERR_INVALID_ARGUMENT"],
    [{ name: "s", maxLengthBytes: 0.5 }, "ERR_INVALID_ARGUMENT"],
  ])("refuses %o", async (options, code) => {
    const { client } = await lab("fluxmq");
    await expect(client.declareStreamQueue(options)).rejects.toMatchObject({ code });
  });

  test("a refusal of the server is its own error and disturbs no other call", async () => {
    const { client, now } = await lab("polymq");
    const refused = client.declareStreamQueue({ name: "refused" });
    const fine = client.declareStreamQueue({ name: "fine" });
    refused.catch(() => undefined);
    await now(fine);
    await expect(refused).rejects.toMatchObject({ code: "ERR_CHANNEL_CLOSED", peer: { code: 406 } });
  });
});

describe("publishToStream", () => {
  test("addresses $queue/<stream>; on RabbitMQ the bare name, mandatory", async () => {
    const fluxmq = await lab("fluxmq");
    await fluxmq.now(fluxmq.client.publishToStream("events", "x"));
    expect(fluxmq.broker.link.published).toMatchObject([{ exchange: "", routingKey: "$queue/events" }]);
    const rabbitmq = await lab("rabbitmq");
    await rabbitmq.now(rabbitmq.client.publishToStream("events", "x"));
    expect(rabbitmq.broker.link.published).toMatchObject([{ exchange: "", routingKey: "events" }]);
    const lost = rabbitmq.client.publishToStream("nowhere", "x");
    await expect(rabbitmq.now(lost)).rejects.toMatchObject({ code: "ERR_UNROUTABLE" });
  });
});

describe("subscribeToStream", () => {
  test.each<[AmqpStreamOffset, unknown, unknown]>([
    ["first", "first", "first"],
    ["last", "last", "last"],
    ["next", "next", "next"],
    [{ offset: 7 }, "offset=7", 7],
    [{ timestamp: 1_700_000_000_500 }, "timestamp=1700000000500", new TypedField("T", 1_700_000_000)],
    [{ timestamp: 5_000 }, "timestamp=5", new TypedField("T", 5)],
  ])("begins at %o in the words of each server", async (offset, words, values) => {
    const fluxmq = await lab("fluxmq");
    await fluxmq.now(fluxmq.client.subscribeToStream({ queue: "events", offset, filter: "a/#" }));
    expect(fluxmq.said("basic.consume")).toMatchObject([
      { queue: "$queue/events/a/#", noAck: false, arguments: { "x-stream-offset": words } },
    ]);
    const rabbitmq = await lab("rabbitmq");
    await rabbitmq.now(rabbitmq.client.subscribeToStream({ queue: "events", offset }));
    const [consume] = rabbitmq.said("basic.consume");
    const field = consume?.arguments["x-stream-offset"];
    expect([
      consume?.queue,
      field instanceof TypedField ? new TypedField(field.tag, Number(field.value)) : field,
    ]).toEqual(["events", values]);
  });

  test("names the group, and says x-auto-commit only when it is off", async () => {
    const { client, now, said } = await lab("fluxmq");
    await now(client.subscribeToStream({ queue: "a", consumerGroup: "g" }, () => undefined));
    await now(client.subscribeToStream({ queue: "b", consumerGroup: "g", autoCommit: false, consumerTag: "t" }));
    expect(said("basic.consume").map((each) => each.arguments)).toEqual([
      { "x-consumer-group": "g" },
      { "x-consumer-group": "g", "x-auto-commit": false },
    ]);
  });

  test("messages say offset, time, and what the work group has done", async () => {
    const { client, now, deliver } = await lab("polymq");
    const seen: AmqpQueueMessage[] = [];
    await now(client.subscribeToStream({ queue: "orders" }, (message) => void seen.push(message)));
    const work = { "x-work-acked": true, "x-work-committed-offset": 9, "x-work-group": "primary" };
    await deliver("a", streamStamps(3, work));
    await deliver("b", { headers: { "x-stream-offset": 4 } });
    expect(seen[0]).toMatchObject({
      streamOffset: 3,
      offset: 3,
      streamTimestamp: 1_700_000_000_000,
      workAcked: true,
      workCommittedOffset: 9,
      workGroup: "primary",
    });
    expect(seen[1]).toMatchObject({ streamOffset: 4, offset: 4, streamTimestamp: null, workAcked: null });
  });

  test("without a group reading goes on after a reconnect at the first message that is not settled", async () => {
    const { client, now, said, deliver, reconnect } = await lab("rabbitmq");
    const held: AmqpQueueMessage[] = [];
    const handler = (message: AmqpQueueMessage): void => {
      if (message.text() === "hold") held.push(message);
      else message.ack();
    };
    const options = { queue: "events", offset: "first", ack: "manual", concurrency: 5 } as const;
    await now(client.subscribeToStream(options, handler));
    const bodies = ["a", "b", "hold", "c"];
    for (const [i, body] of bodies.entries()) await deliver(body, { headers: { "x-stream-offset": 10 + i } });
    await reconnect();
    expect(said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": 12 } }]);
    await reconnect();
    expect(said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": 12 } }]);
    await deliver("hold", { headers: { "x-stream-offset": 12 } });
    await deliver("c", { headers: { "x-stream-offset": 13 } });
    await deliver("d", { headers: { "x-stream-offset": 14 } });
    expect(held.map((message) => message.streamOffset)).toEqual([12, 12]);
    held.at(-1)?.ack();
    await reconnect();
    expect(said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": 15 } }]);
  });

  test.each(["handler", "iteration"])(
    "FluxMQ gives what is published meanwhile before what was asked for: %s, a second cut passes over nothing, and nothing settled comes twice",
    async (reading) => {
      const { broker, client, now, said, deliver, reconnect } = await lab("fluxmq");
      const seen: (number | null)[] = [];
      const handler = (message: AmqpQueueMessage): void => void seen.push(message.streamOffset);
      const options = { queue: "events", offset: "first" } as const;
      const subscription = await now(
        client.subscribeToStream(reading === "handler" ? { ...options, handler } : options),
      );
      const read = async (): Promise<void> => {
        for await (const message of subscription) handler(message);
      };
      const over = reading === "handler" ? Promise.resolve() : read();
      const give = async (...offsets: number[]): Promise<void> => {
        for (const offset of offsets) await deliver(String(offset), streamStamps(offset));
      };
      await give(0, 1, 2);
      await reconnect();
      await give(9, 3);
      await reconnect();
      expect(said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": "offset=4" } }]);
      await give(10, 4, 5, 6, 7, 8, 9, 10, 11);
      expect(seen).toEqual([0, 1, 2, 9, 3, 10, 4, 5, 6, 7, 8, 11]);
      await now(client.close());
      await over;
      expect(broker.link.settled.filter((each) => each === "ack 9" || each === "ack 10")).toEqual([
        "ack 10",
        "ack 9",
        "ack 10",
      ]);
    },
  );

  test("FluxMQ with manual commit: a group without a commit goes on where it was to begin, whatever overtook that", async () => {
    const { client, now, said, deliver, reconnect } = await lab("fluxmq");
    const options = { queue: "orders", consumerGroup: "workers", autoCommit: false } as const;
    await now(client.subscribeToStream({ ...options, offset: { offset: 3 } }, () => undefined));
    await deliver("a", streamStamps(9));
    await reconnect();
    expect(said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": "offset=3" } }]);
    const other = await lab("fluxmq");
    await other.now(other.client.subscribeToStream(options, () => undefined));
    for (const offset of [9, 4, 5]) await other.deliver("a", streamStamps(offset));
    await other.reconnect();
    expect(other.said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": "offset=4" } }]);
  });

  test("before the first message it begins again where it was to begin", async () => {
    const { client, now, said, reconnect } = await lab("fluxmq");
    await now(client.subscribeToStream({ queue: "events", offset: { offset: 5 }, arguments: { x: 1 } }));
    await reconnect();
    expect(said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": "offset=5", x: 1 } }]);
  });

  test("a group goes on where the server has it, without an offset", async () => {
    for (const dialect of ["polymq", "fluxmq"] as const) {
      const { client, now, said, deliver, reconnect } = await lab(dialect);
      const autoCommit = dialect === "fluxmq";
      await now(client.subscribeToStream({ queue: "orders", consumerGroup: "g", offset: "first", autoCommit }));
      await deliver("a", streamStamps(0));
      await reconnect();
      expect(said("basic.consume")[0]?.arguments).not.toHaveProperty("x-stream-offset");
    }
  });

  test("FluxMQ with manual commit: a group goes on at the last commit, or at the first message it got", async () => {
    const { client, now, said, deliver, reconnect } = await lab("fluxmq");
    const options = { queue: "orders", consumerGroup: "workers", offset: "first", autoCommit: false } as const;
    await now(client.subscribeToStream(options, () => undefined));
    for (const offset of [3, 4, 5]) await deliver("a", streamStamps(offset));
    await reconnect();
    expect(said("basic.consume")).toMatchObject([{ arguments: { "x-stream-offset": "offset=3" } }]);
    await now(client.commitOffset("orders", "workers", 5));
    await reconnect();
    expect(said("basic.consume")).toMatchObject([
      { arguments: { "x-stream-offset": "offset=5", "x-consumer-group": "workers", "x-auto-commit": false } },
    ]);
  });

  test("RabbitMQ has no groups, filters and commits: ERR_UNSUPPORTED", async () => {
    const { client } = await lab("rabbitmq");
    const unsupported = { code: "ERR_UNSUPPORTED" };
    await expect(client.subscribeToStream({ queue: "s", consumerGroup: "g" })).rejects.toMatchObject(unsupported);
    await expect(client.subscribeToStream({ queue: "s", filter: "a" })).rejects.toMatchObject(unsupported);
    await expect(client.commitOffset("s", "g", 1)).rejects.toMatchObject(unsupported);
  });

  test.each([[{ offset: "middle" }], [{ offset: { offset: -1 } }], [{ consumerGroup: "a@b" }], [{ autoCommit: 1 }]])(
    "refuses %o",
    async (options) => {
      const { client } = await lab("fluxmq");
      const call = client.subscribeToStream({ queue: "s", ...(options as object) });
      await expect(call).rejects.toMatchObject({ code: "ERR_INVALID_SUBSCRIBE_OPTION" });
    },
  );

  test("unsubscribeFromStream ends it, and leaves a queue's subscriptions alone", async () => {
    const { client, now, said } = await lab("polymq");
    await now(client.subscribeToQueue("orders", "g"));
    const stream = await now(client.subscribeToStream({ queue: "orders", consumerGroup: "h" }));
    await now(client.unsubscribeFromStream("orders"));
    expect(said("basic.cancel").map((each) => each.consumerTag)).toEqual([stream.consumerTag]);
  });
});

describe("commitOffset", () => {
  test("publishes to $queue/<queue>/$commit with the group and the next offset as int64", async () => {
    const { broker, client, now } = await lab("fluxmq");
    await now(client.commitOffset("events", "my-group", 42));
    const [commit] = broker.link.published;
    expect(commit).toMatchObject({ exchange: "", routingKey: "$queue/events/$commit", body: "" });
    expect(propertiesOf(commit).headers).toEqual({ "x-group-id": "my-group", "x-offset": 42 });
    for (const [group, offset] of [
      ["", 1],
      ["g", -1],
      ["g", 1.5],
    ] as const) {
      await expect(client.commitOffset("events", group, offset)).rejects.toMatchObject({
        code: expect.stringMatching(/ERR_INVALID_ARGUMENT|ERR_QUEUE_ACK_MISSING_GROUP/),
      });
    }
  });

  test("names the group as the server does, with the filter of its subscription", async () => {
    const { broker, client, now, deliver } = await lab("fluxmq");
    const options = { queue: "orders/eu/#", consumerGroup: "workers", autoCommit: false } as const;
    const seen: AmqpQueueMessage[] = [];
    await now(client.subscribeToStream(options, (message) => void seen.push(message)));
    const groups = (): unknown[] => broker.link.published.map((each) => propertiesOf(each).headers?.["x-group-id"]);
    await now(client.commitOffset("orders", "workers", 1));
    expect(groups()).toEqual(["workers@eu/#"]);
    await deliver("a", streamStamps(7, { "group-id": "workers@eu/#-as-named" }));
    await now(client.commitOffset("orders", "workers", 2));
    await now(seen[0]?.commit() ?? Promise.reject(new Error("nothing came")));
    expect(groups().slice(1)).toEqual(["workers@eu/#-as-named", "workers@eu/#-as-named"]);
    expect(propertiesOf(broker.link.published[2]).headers?.["x-offset"]).toBe(8);
  });
});
