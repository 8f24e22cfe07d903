import { describe, expect, test } from "vitest";
import { MessageView } from "../../codec/message-view.ts";
import { typed } from "../../codec/values.ts";
import { text } from "../../engine/engine.test-support.ts";
import { type LabServer, quiet, until } from "../client-lab.test-support.ts";
import { published, queueLab } from "./queue-lab.test-support.ts";

describe("publishToQueue", () => {
  test("sends to the queue's address and resolves when the server has accepted", async () => {
    const { connection, servers } = await queueLab("polymq");
    await connection.publishToQueue("orders", "a", {
      routingKey: "eu",
      properties: { colour: "red" },
      contentType: "text/plain",
      messageExpiryMs: 5_000,
      priority: 7,
      deliverAfterMs: 100,
    });
    await connection.publishToQueue("orders/us", new TextEncoder().encode("b"));
    const server = servers[0] as LabServer;
    expect(published(server)).toEqual([
      ["$queue/orders/eu", "a"],
      ["$queue/orders/us", "b"],
    ]);
    const view = new MessageView(text, server.deliveries[0]?.payload ?? []);
    expect(view.header).toMatchObject({ durable: true, priority: 7, ttl: 5_000 });
    expect(view.messageAnnotations?.get("x-opt-delivery-delay")).toEqual(typed("ulong", 100));
    expect(view.applicationProperties?.get("colour")).toBe("red");
    expect(view.properties?.contentType).toBe("text/plain");
    await connection.close();
  });

  test("rejects as the server's outcome says", async () => {
    const { connection } = await queueLab("polymq", (server) => {
      server.outcome = (delivery) =>
        void delivery.link.settle(delivery, {
          type: "rejected",
          error: { type: "error", condition: "amqp:resource-limit-exceeded" },
        });
    });
    await expect(connection.publishToQueue("q", "x")).rejects.toMatchObject({
      code: "ERR_PUBLISH_REJECTED",
      peer: { code: "amqp:resource-limit-exceeded" },
    });
    await connection.close();
  });

  test("to a relay of FluxMQ goes on beyond the credit that it gives once, also where nothing is to be confirmed", async () => {
    const { connection, servers } = await queueLab("fluxmq", (server) => {
      server.onOffer = (link) => {
        if (!link.isSender) link.lenient = true;
        server.acceptLink(link);
      };
    });
    const data = new TextEncoder().encode("x");
    await connection.relay.send("t", { body: { type: "data", data } }, { settled: true });
    const sent = Array.from({ length: 250 }, (_, i) =>
      connection.relay.send("t", { body: { type: "data", data } }, { settled: i % 2 === 0 }),
    );
    await Promise.all(sent);
    await until(() => servers[0]?.deliveries.length === 251);
    await connection.close();
  });

  test("without an outcome within ackTimeoutMs is ERR_TIMEOUT, and a signal gives up before", async () => {
    const { connection, servers } = await queueLab("fluxmq", (server) => {
      server.outcome = null;
    });
    await expect(connection.publishToQueue("q", "x", { ackTimeoutMs: 1 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
      retry: "unknown",
    });
    const abort = new AbortController();
    const waiting = connection.publishToQueue("q", "y", { signal: abort.signal });
    await until(() => servers[0]?.deliveries.length === 2);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await connection.close();
  });

  test("is repeated after a reconnect when there was no outcome", async () => {
    const { connection, servers } = await queueLab("fluxmq", (server, index) => {
      if (index === 0) server.outcome = null;
    });
    const publishing = connection.publishToQueue("q", "x");
    await until(() => servers[0]?.deliveries.length === 1);
    servers[0]?.transport.destroy();
    await publishing;
    expect(published(servers[1] as LabServer)).toEqual([["$queue/q", "x"]]);
    await connection.close();
  });

  test("waits for a connection that is being made again, also as the first message, and keeps the order", async () => {
    const { connection, servers } = await queueLab("polymq");
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    const { signal } = new AbortController();
    await Promise.all([
      connection.publishToQueue("q", "a", { signal }),
      connection.publishToQueue("q", "b"),
      connection.publishToQueue("q", "c", { signal }),
    ]);
    expect(published(servers[1] as LabServer).map(([, data]) => data)).toEqual(["a", "b", "c"]);
    expect(connection.sessions.length).toBe(1);
    await connection.close();
  });

  test("tries again when the connection breaks while its link is attached, and leaves no session behind", async () => {
    const { connection, servers } = await queueLab("polymq", (server, index) => {
      if (index === 0) server.onOffer = () => server.transport.destroy();
    });
    await connection.publishToQueue("q", "x");
    expect(published(servers[1] as LabServer)).toEqual([["$queue/q", "x"]]);
    expect(connection.sessions.length).toBe(1);
    await connection.close();
  });

  test("sends the bytes as they were at the call", async () => {
    const { connection, servers } = await queueLab("polymq");
    const payload = new TextEncoder().encode("mine");
    const publishing = connection.publishToQueue("q", payload);
    payload.fill(0);
    await publishing;
    expect(published(servers[0] as LabServer)).toEqual([["$queue/q", "mine"]]);
    await connection.close();
  });

  test("goes on over another link when the server ends the one that there was", async () => {
    const { connection, servers } = await queueLab("fluxmq");
    await connection.publishToQueue("q", "a");
    const server = servers[0] as LabServer;
    server.link().detach({ closed: true });
    server.push();
    await until(() => connection.sessions.length === 0);
    await connection.publishToQueue("q", "b");
    expect(published(server).map(([, data]) => data)).toEqual(["a", "b"]);
    await connection.close();
  });

  test("refuses what is more than 10,000 messages before the first link is there", async () => {
    const { connection, servers } = await queueLab("polymq");
    servers[0]?.transport.destroy();
    await until(() => connection.state === "reconnecting");
    const waiting = Array.from({ length: 10_000 }, () => connection.publishToQueue("q", "x"));
    await expect(connection.publishToQueue("q", "x")).rejects.toMatchObject({ code: "ERR_OUTBOUND_BACKPRESSURE" });
    connection.destroy();
    const settled = await Promise.allSettled(waiting);
    expect(settled.filter(({ status }) => status === "fulfilled")).toEqual([]);
  });

  test("ends with the connection's error when it does not come back", async () => {
    const { connection, servers } = await queueLab("polymq", () => {}, {
      reconnect: { shouldReconnect: () => false },
    });
    const publishing = connection.publishToQueue("q", "x");
    servers[0]?.transport.destroy();
    await expect(publishing).rejects.toMatchObject({ scope: "connection" });
    await expect(connection.publishToQueue("q", "x")).rejects.toMatchObject({ scope: "connection" });
  });

  test("goes on after the 100 credits that FluxMQ gives once", async () => {
    const { connection, servers } = await queueLab("fluxmq", (server) => {
      server.onOffer = (link) => {
        server.acceptLink(link);
        if (!link.isSender) link.lenient = true;
      };
    });
    const all = Array.from({ length: 350 }, (_, i) => connection.publishToQueue("q", `${i}`));
    await Promise.all(all);
    const server = servers[0] as LabServer;
    expect(server.links.size).toBe(1);
    expect(published(server).map(([, data]) => data)).toEqual(Array.from({ length: 350 }, (_, i) => `${i}`));
    await connection.close();
  });

  test("has no more under way than the credit of a server that keeps to the rules", async () => {
    const { connection, servers } = await queueLab("other", (server) => {
      server.outcome = null;
      server.credit = 3;
    });
    const all = Promise.allSettled(Array.from({ length: 5 }, (_, i) => connection.publishToQueue("q", `${i}`)));
    await until(() => servers[0]?.deliveries.length === 3);
    await quiet();
    expect(servers[0]?.deliveries.length).toBe(3);
    await connection.close();
    await all;
  });

  test.each([
    ["", {}, "ERR_INVALID_TOPIC"],
    ["a+", {}, "ERR_INVALID_TOPIC"],
    ["a/$ack", {}, "ERR_INVALID_TOPIC"],
    ["a", { routingKey: "x/#" }, "ERR_INVALID_TOPIC"],
    ["a", { properties: { n: 1 as never } }, "ERR_INVALID_ARGUMENT"],
    ["a", { priority: 256 }, "ERR_INVALID_ARGUMENT"],
  ])("refuses %s with %o", async (queue, options, code) => {
    const { connection } = await queueLab("polymq");
    await expect(connection.publishToQueue(queue, "x", options)).rejects.toMatchObject({ code });
    await connection.close();
  });
});
