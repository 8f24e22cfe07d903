import { describe, expect, test } from "vitest";
import { deferred } from "../../../base/deferred.ts";
import type { DeliveryState } from "../../codec/tables.ts";
import { symbol } from "../../codec/values.ts";
import type { Names } from "../../engine/engine.test-support.ts";
import type { AnyLink } from "../../engine/handler.ts";
import { type LabServer, quiet, until } from "../client-lab.test-support.ts";
import { consumer, deliverQueued, queueLab, saidProperties } from "./queue-lab.test-support.ts";
import type { AmqpQueueMessage } from "./queue-message.ts";

type State = { readonly type: string } | null;

/** Prepares a server that notes what the client says of each delivery. */
function noting(outcomes: [string, string | null][]): (server: LabServer) => void {
  return (server) => {
    server.onOutcome = (delivery, state) => void outcomes.push([delivery.item, (state as State)?.type ?? null]);
  };
}

describe("subscribeToQueue", () => {
  test("tells FluxMQ group and cursor under keys that are strings, and asks for every routing key", async () => {
    const { connection, servers } = await queueLab("fluxmq");
    await connection.subscribeToQueue("orders", "workers", { cursor: "earliest" });
    const link = consumer(servers[0]);
    expect(saidProperties(link)).toEqual([
      ["consumer-group", "workers"],
      ["cursor", "earliest"],
    ]);
    expect(link.remote?.source).toMatchObject({ address: "$queue/orders/#" });
    await until(() => link.credit === 65_535);
    await connection.close();
  });

  test("tells other servers under symbols, and keeps to prefetch", async () => {
    const { connection, servers } = await queueLab("other");
    await connection.subscribeToQueue("orders", "workers", { cursor: 7, filter: "eu/+", prefetch: 5 });
    const link = consumer(servers[0]);
    expect(saidProperties(link)).toEqual([
      [symbol("consumer-group"), "workers"],
      [symbol("cursor"), "7"],
    ]);
    expect(link.remote?.source).toMatchObject({ address: "$queue/orders/eu/+" });
    await until(() => link.credit === 5);
    await connection.close();
  });

  test("leaves the group when it joins it after the call was given up", async () => {
    const offers: AnyLink<Names>[] = [];
    const { connection, servers } = await queueLab("polymq", (server) => {
      server.onOffer = (link) => void offers.push(link);
    });
    const abort = new AbortController();
    const subscribing = connection.subscribeToQueue("orders", "workers", { signal: abort.signal });
    await until(() => offers.length === 1);
    abort.abort();
    await expect(subscribing).rejects.toMatchObject({ code: "ERR_ABORTED" });
    servers[0]?.acceptLink(offers[0] as AnyLink<Names>);
    servers[0]?.push();
    await until(() => connection.sessions.length === 0);
    await connection.close();
  });

  test("acknowledges when the handler is done, and tells what the message says of itself", async () => {
    const outcomes: [string, string | null][] = [];
    const { connection, servers } = await queueLab("fluxmq", noting(outcomes));
    const done = deferred<void>();
    const seen: AmqpQueueMessage[] = [];
    await connection.subscribeToQueue("orders", "workers", async (message) => {
      seen.push(message);
      await done.promise;
    });
    deliverQueued(servers[0] as LabServer, "orders", 4, '{"n":1}');
    await until(() => seen.length === 1);
    await quiet();
    expect(outcomes).toEqual([]);
    done.resolve();
    await until(() => outcomes.length === 1);
    expect(outcomes).toEqual([["orders:4", "accepted"]]);
    const [message] = seen;
    expect(message).toMatchObject({
      queue: "orders",
      offset: 4,
      messageId: "orders:4",
      groupId: "g@#",
      routingKey: "eu",
      address: "$queue/orders/eu",
      deliveryCount: 0,
      streamOffset: null,
      sourceTopic: null,
      deadLetter: null,
      settled: true,
    });
    expect(message?.json()).toEqual({ n: 1 });
    await expect(message?.ack()).rejects.toMatchObject({ code: "ERR_ALREADY_SETTLED" });
    await connection.close();
  });

  test("nack is a failed delivery on polymq's broker, with its delay, and reject is rejected with its reason", async () => {
    const outcomes: [string, unknown][] = [];
    const { connection, servers } = await queueLab("polymq", (server) => {
      server.onOutcome = (delivery, state) => void outcomes.push([delivery.item, state]);
    });
    const subscription = await connection.subscribeToQueue("q", "g", {
      ack: "manual",
      handler: async (message) => {
        if (message.offset === 0) await message.nack();
        if (message.offset === 1) await message.reject("broken");
        if (message.offset === 2) await message.nack({ delayMs: 500 });
      },
    });
    for (let offset = 0; offset < 3; offset++) deliverQueued(servers[0] as LabServer, "q", offset, "x");
    await until(() => outcomes.length === 3);
    expect(outcomes).toMatchObject([
      ["q:0", { type: "modified", deliveryFailed: true }],
      ["q:1", { type: "rejected", error: { description: "broken" } }],
      ["q:2", { type: "modified", deliveryFailed: true }],
    ]);
    const modified = outcomes[2]?.[1] as (DeliveryState & { type: "modified" }) | undefined;
    expect(modified?.messageAnnotations?.get("x-opt-delivery-delay")).toMatchObject({ value: 500 });
    expect(subscription.unsettledMessages).toBe(0);
    await connection.close();
  });

  test("a delayed nack is ERR_UNSUPPORTED elsewhere, and the message can still be settled", async () => {
    const outcomes: [string, string | null][] = [];
    const { connection, servers } = await queueLab("fluxmq", noting(outcomes));
    const errors: unknown[] = [];
    await connection.subscribeToQueue("q", "g", async (message) => {
      await message.nack({ delayMs: 5 }).catch((error: { code: string }) => errors.push(error.code));
    });
    deliverQueued(servers[0] as LabServer, "q", 0, "x");
    await until(() => outcomes.length === 1);
    expect([errors, outcomes]).toEqual([["ERR_UNSUPPORTED"], [["q:0", "accepted"]]]);
    await connection.close();
  });

  test.each(["nack", "reject", "ack"] as const)("%s is what becomes of a message whose handler fails", async (word) => {
    const outcomes: [string, string | null][] = [];
    const { connection, servers } = await queueLab("polymq", noting(outcomes));
    const told: unknown[] = [];
    connection.on("handlerError", (event) => told.push([event.queue, event.group, event.error]));
    const broken = new Error("broken");
    await connection.subscribeToQueue("q", "g", {
      whenHandlerFails: word,
      handler: () => {
        throw broken;
      },
    });
    deliverQueued(servers[0] as LabServer, "q", 0, "x");
    await until(() => outcomes.length === 1);
    expect(outcomes[0]?.[1]).toBe({ nack: "modified", reject: "rejected", ack: "accepted" }[word]);
    expect(told).toEqual([["q", "g", broken]]);
    await connection.close();
  });

  test("onReceive acknowledges before the handler", async () => {
    const outcomes: [string, string | null][] = [];
    const { connection, servers } = await queueLab("polymq", noting(outcomes));
    const never = deferred<void>();
    await connection.subscribeToQueue("q", "g", { ack: "onReceive", handler: () => never.promise });
    deliverQueued(servers[0] as LabServer, "q", 0, "x");
    await until(() => outcomes.length === 1);
    expect(outcomes).toEqual([["q:0", "accepted"]]);
    never.resolve();
    await connection.close();
  });

  test("runs up to concurrency handlers at a time", async () => {
    const { connection, servers } = await queueLab("polymq");
    const gate = deferred<void>();
    let running = 0;
    await connection.subscribeToQueue("q", "g", {
      concurrency: 3,
      handler: async () => {
        running++;
        await gate.promise;
      },
    });
    for (let offset = 0; offset < 5; offset++) deliverQueued(servers[0] as LabServer, "q", offset, "x");
    await until(() => running === 3);
    await quiet();
    expect(running).toBe(3);
    gate.resolve();
    await until(() => running === 5);
    await connection.close();
  });

  test("for await gives messages in order and acknowledges each when the next one is asked for", async () => {
    const outcomes: [string, string | null][] = [];
    const { connection, servers } = await queueLab("polymq", noting(outcomes));
    const subscription = await connection.subscribeToQueue("q", "g");
    for (let offset = 0; offset < 3; offset++) deliverQueued(servers[0] as LabServer, "q", offset, `${offset}`);
    const texts: string[] = [];
    for await (const message of subscription) {
      texts.push(message.text());
      if (texts.length === 3) break;
    }
    await until(() => outcomes.length === 2);
    expect(texts).toEqual(["0", "1", "2"]);
    expect([outcomes.map(([id]) => id), subscription.unsettledMessages]).toEqual([["q:0", "q:1"], 1]);
    await connection.close();
    expect(await subscription.closed).toBeNull();
  });

  test("comes back after a reconnect without its cursor; what was in hand is stale", async () => {
    const { connection, servers } = await queueLab("fluxmq");
    const subscription = await connection.subscribeToQueue("q", "g", { cursor: "earliest", ack: "manual" });
    const messages = subscription[Symbol.asyncIterator]();
    deliverQueued(servers[0] as LabServer, "q", 0, "x");
    const { value: held } = await messages.next();
    servers[0]?.transport.destroy();
    await until(() => connection.state === "open" && servers.length === 2);
    expect(saidProperties(consumer(servers[1]))).toEqual([["consumer-group", "g"]]);
    await expect((held as AmqpQueueMessage).ack()).rejects.toMatchObject({ code: "ERR_STALE_DELIVERY" });
    await until(() => consumer(servers[1]).credit > 0);
    deliverQueued(servers[1] as LabServer, "q", 0, "x");
    const { value: again } = await messages.next();
    await (again as AmqpQueueMessage).ack();
    await connection.close();
  });

  test("unsubscribe gives back what nobody has begun with, and waits for handlers under way", async () => {
    const outcomes: [string, string | null][] = [];
    const { connection, servers } = await queueLab("polymq", noting(outcomes));
    const gate = deferred<void>();
    let begun = 0;
    const subscription = await connection.subscribeToQueue("q", "g", async () => {
      begun++;
      await gate.promise;
    });
    for (let offset = 0; offset < 3; offset++) deliverQueued(servers[0] as LabServer, "q", offset, "x");
    await until(() => begun === 1);
    const leaving = connection.unsubscribeFromQueue("q", { group: "g" });
    await until(() => outcomes.length === 2);
    expect(outcomes).toEqual([
      ["q:1", "released"],
      ["q:2", "released"],
    ]);
    gate.resolve();
    await leaving;
    expect(outcomes[2]).toEqual(["q:0", "accepted"]);
    expect([subscription.ended, await subscription.closed, begun]).toEqual([true, null, 1]);
    await connection.close();
  });

  test("a refusal of the server rejects, and an end by the server ends the subscription with its reason", async () => {
    const { connection, servers } = await queueLab("polymq", (server) => {
      server.onOffer = (link) => {
        const address = (link.state.is === "offered" ? link.state.attach.source : null) as { address: string } | null;
        if (address?.address === "$queue/denied") link.refuse({ type: "error", condition: "amqp:unauthorized-access" });
        else server.acceptLink(link);
      };
    });
    await expect(connection.subscribeToQueue("denied", "g")).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
    const subscription = await connection.subscribeToQueue("q", "g");
    const waiting = subscription[Symbol.asyncIterator]().next();
    consumer(servers[0]).detach({ closed: true, error: { type: "error", condition: "amqp:resource-deleted" } });
    servers[0]?.push();
    await expect(waiting).rejects.toMatchObject({ peer: { code: "amqp:resource-deleted" } });
    expect((await subscription.closed)?.code).toBe("ERR_LINK_DETACHED");
    await connection.subscribeToQueue("q", "g");
    await connection.close();
  });

  test("one group and filter is subscribed to once, and one queue of FluxMQ once for each connection", async () => {
    const polymq = await queueLab("polymq");
    await polymq.connection.subscribeToQueue("q", "g");
    await polymq.connection.subscribeToQueue("q", "h");
    await expect(polymq.connection.subscribeToQueue("q", "g")).rejects.toMatchObject({
      code: "ERR_INVALID_SUBSCRIBE_OPTION",
    });
    await polymq.connection.close();
    const { connection } = await queueLab("fluxmq");
    await connection.subscribeToQueue("q", "g");
    await connection.subscribeToQueue("r", "g");
    await expect(connection.subscribeToQueue("q", "h")).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await connection.close();
  });

  test("takes what FluxMQ sends beyond its credit", async () => {
    const { connection, servers } = await queueLab("fluxmq");
    let handled = 0;
    await connection.subscribeToQueue("q", "g", () => void handled++);
    const link = consumer(servers[0]);
    await until(() => link.credit > 0);
    link.grant(10);
    for (let offset = 0; offset < 100; offset++) deliverQueued(servers[0] as LabServer, "q", offset, "x");
    await until(() => handled === 100);
    await connection.close();
  });

  test("begins its session with FluxMQ anew before 65,535 deliveries, when nothing is unsettled", {
    timeout: 60_000,
  }, async () => {
    const { connection, servers } = await queueLab("fluxmq");
    const server = servers[0] as LabServer;
    let handled = 0;
    await connection.subscribeToQueue("q", "g", { cursor: "earliest", handler: () => void handled++ });
    const first = consumer(server);
    for (let sent = 0; sent < 60_000; sent += 1_000) {
      await until(() => first.credit > 1_000);
      for (let i = 0; i < 1_000; i++) first.send(new Uint8Array([0, 0x53, 0x75, 0xa0, 1, 65]), "m");
      server.push();
      await until(() => handled === sent + 1_000);
    }
    await until(() => consumer(server) !== first && consumer(server).credit > 0);
    expect([first.state.is, connection.sessions.length]).toEqual(["detached", 1]);
    expect(saidProperties(consumer(server))).toEqual([["consumer-group", "g"]]);
    deliverQueued(server, "q", 60_000, "x");
    await until(() => handled === 60_001);
    await connection.close();
  });

  test.each([
    ["q", "a@b", {}, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["q", "g", { cursor: "first" as never }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["q", "g", { prefetch: 0 }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["q", "g", { handler: 5 as never }, "ERR_INVALID_SUBSCRIBE_OPTION"],
    ["q", "g", { filter: "a/#/b" }, "ERR_INVALID_TOPIC"],
    ["#", "g", {}, "ERR_INVALID_TOPIC"],
  ])("refuses %s, %s, %o", async (queue, group, options, code) => {
    const { connection } = await queueLab("polymq");
    await expect(connection.subscribeToQueue(queue, group, options)).rejects.toMatchObject({ code });
    await connection.close();
  });
});
