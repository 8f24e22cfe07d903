import { describe, expect, test } from "vitest";
import { MessagingError } from "../../base/errors.ts";
import { traced } from "../../base/traced.test-support.ts";
import type { ReceivedDelivery } from "../engine/deliveries.ts";
import { message, type Names } from "../engine/engine.test-support.ts";
import type { ReceiverLink } from "../engine/receiver-link.ts";
import { encoded, lab, labPlatform, quiet } from "./client-lab.test-support.ts";
import { connectOver } from "./connect.ts";

const ABOUT = { protocol: "amqp10", clientId: "me" };
const ME = { containerId: "me" };

describe("diagnostics", () => {
  test("polymq:connect tells each step of a connection, without credentials", async () => {
    let isDown = true;
    const servers: { transport: { destroy(): void } }[] = [];
    const platform = labPlatform({}, (server) => servers.push(server));
    const down = {
      ...platform,
      dial: (...args: Parameters<typeof platform.dial>) =>
        isDown ? Promise.reject(new MessagingError("ERR_CONNECT_FAILED", "refused")) : platform.dial(...args),
    };
    const options = { ...ME, sasl: "none", reconnect: { initialDelayMs: 0, jitter: "none" } } as const;
    const traces = await traced("polymq:connect", async () => {
      await connectOver(down, "amqp://user:secret@a", { ...options, reconnect: false }).catch(() => undefined);
      isDown = false;
      const connection = await connectOver(down, "amqp://user:secret@a", options);
      const back = new Promise((resolve) => connection.on("reconnected", resolve));
      servers[0]?.transport.destroy();
      await back;
      await connection.close();
    });
    const phases = ["dialing", "failed", "dialing", "connected", "lost", "dialing", "connected", "closed"];
    expect(traces.map((trace) => (trace as { phase: string }).phase)).toEqual(phases);
    expect(traces[3]).toEqual({ ...ABOUT, server: "amqp://a:5672", phase: "connected", attempt: 1, error: null });
    expect(traces[1]).toMatchObject({ attempt: 1, error: { code: "ERR_CONNECT_FAILED" } });
    expect(traces[4]).toMatchObject({ error: { code: "ERR_CONNECTION_LOST" } });
    expect(traces[6]).toMatchObject({ attempt: 1 });
    expect(JSON.stringify(traces)).not.toContain("secret");
  });

  test("polymq:connect tells of a loss after which nothing is tried", async () => {
    const { connection, server } = await lab(ME);
    const traces = await traced("polymq:connect", async () => {
      server.transport.destroy();
      await connection.closed;
    });
    expect(traces).toMatchObject([
      { phase: "lost", error: { code: "ERR_CONNECTION_LOST" } },
      { phase: "closed", error: { code: "ERR_CONNECTION_LOST" } },
    ]);
  });

  test("polymq:publish tells each message handed to the connection, by its target or by what it says itself", async () => {
    const { connection } = await lab(ME, { open: { containerId: "s", offeredCapabilities: ["ANONYMOUS-RELAY"] } });
    const session = await connection.createSession();
    const sender = await session.createSender("q");
    const relay = await session.createRelay();
    const foreign = await session.createSender(null);
    const traces = await traced("polymq:publish", async () => {
      await sender.send(message("12"));
      await sender.send(new Uint8Array(3), { settled: true });
      await relay.send("other", "text");
      await foreign.send(Uint8Array.of(1, 2), { encoded: true });
    });
    await sender.send("unheard");
    expect(traces).toEqual([
      { ...ABOUT, address: "q", payloadBytes: encoded("12").length, deliveryId: 0 },
      { ...ABOUT, address: "q", payloadBytes: 8, deliveryId: 1 },
      { ...ABOUT, address: "other", payloadBytes: expect.any(Number), deliveryId: 2 },
      { ...ABOUT, address: "", payloadBytes: 2, deliveryId: 3 },
    ]);
    await connection.close();
  });

  test("polymq:publish tells of a message that waits for credit once, when it leaves", async () => {
    const { connection, server } = await lab(ME, {}, (made) => {
      made.credit = 0;
    });
    const sender = await (await connection.createSession()).createSender("q");
    let waiting = 0;
    const traces = await traced("polymq:publish", async () => {
      const sent = sender.send(new Uint8Array(3));
      await quiet();
      waiting = sender.waitingMessages;
      (server.link() as ReceiverLink<Names>).setCredit(1);
      server.push();
      await sent;
    });
    expect(waiting).toBe(1);
    expect(traces).toEqual([{ ...ABOUT, address: "q", payloadBytes: 8, deliveryId: 0 }]);
    await connection.close();
  });

  test("polymq:deliver tells each message that came in, by its source", async () => {
    const { connection, server } = await lab(ME);
    const receiver = await (await connection.createSession()).createReceiver("q");
    const traces = await traced("polymq:deliver", async () => {
      server.deliver(["12"]);
      await receiver.receive();
    });
    expect(traces).toEqual([{ ...ABOUT, address: "q", payloadBytes: encoded("12").length, deliveryId: 0 }]);
    await connection.close();
  });

  test("polymq:settle tells what became of our messages", async () => {
    const { connection, server } = await lab(ME);
    const sender = await (await connection.createSession()).createSender("q");
    const states = [
      { type: "accepted" },
      { type: "rejected", error: { type: "error", condition: "amqp:not-allowed" } },
      { type: "released" },
      { type: "modified", deliveryFailed: true },
    ] as const;
    let next = 0;
    server.outcome = (delivery: ReceivedDelivery<Names>) =>
      void delivery.link.settle(delivery, states[next++] ?? { type: "accepted" });
    const traces = await traced("polymq:settle", async () => {
      for (const _ of states) await sender.send("x").catch(() => undefined);
      await sender.send("settled already", { settled: true });
    });
    expect(traces).toMatchObject([
      { ...ABOUT, direction: "out", deliveryId: 0, outcome: "accepted", error: null },
      { deliveryId: 1, outcome: "rejected", error: { code: "ERR_PUBLISH_REJECTED" } },
      { deliveryId: 2, outcome: "released", error: { code: "ERR_MESSAGE_RELEASED" } },
      { deliveryId: 3, outcome: "released", error: { code: "ERR_MESSAGE_MODIFIED" } },
    ]);
    await connection.close();
  });

  test("polymq:settle tells what we decide, but not of what came settled", async () => {
    const { connection, server } = await lab(ME);
    const receiver = await (await connection.createSession()).createReceiver("q");
    const traces = await traced("polymq:settle", async () => {
      server.deliver(["a", "b", "c", "d"]);
      server.deliver(["e"], true);
      const [a, b, c, d, e] = await receiver.receive({ max: 5 });
      await a?.accept();
      await b?.reject();
      await c?.release();
      await d?.modify({ deliveryFailed: true });
      await e?.accept();
    });
    expect(traces).toEqual([
      { ...ABOUT, direction: "in", deliveryId: 0, outcome: "accepted", error: null },
      { ...ABOUT, direction: "in", deliveryId: 1, outcome: "rejected", error: null },
      { ...ABOUT, direction: "in", deliveryId: 2, outcome: "released", error: null },
      { ...ABOUT, direction: "in", deliveryId: 3, outcome: "released", error: null },
    ]);
    await connection.close();
  });

  test("polymq:settle tells, where the server settles last, whether it took our outcome", async () => {
    const { connection, server } = await lab(ME);
    const receiver = await (await connection.createSession()).createReceiver("q", { settlementMode: "second" });
    server.onOutcome = (delivery) => {
      const rejected = { type: "rejected", error: { type: "error", condition: "too:late" } } as const;
      delivery.link.settle(delivery, delivery.id === 0 ? { type: "accepted" } : rejected);
    };
    const traces = await traced("polymq:settle", async () => {
      server.deliver(["a", "b"]);
      const [a, b] = await receiver.receive({ max: 2 });
      await a?.accept();
      await b?.accept().catch(() => undefined);
    });
    expect(traces).toMatchObject([
      { direction: "in", deliveryId: 0, outcome: "accepted", error: null },
      { direction: "in", deliveryId: 1, outcome: "accepted", error: { code: "ERR_STALE_DELIVERY" } },
    ]);
    await connection.close();
  });

  test("polymq:warning tells of a listener that throws", async () => {
    const { connection, server } = await lab(ME);
    connection.on("close", () => {
      throw new Error("thrown");
    });
    const traces = await traced("polymq:warning", async () => {
      server.transport.destroy();
      await connection.closed;
    });
    expect(traces).toMatchObject([{ component: "amqp10 client", error: { message: "thrown" } }]);
  });
});
