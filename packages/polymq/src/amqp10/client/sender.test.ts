import { describe, expect, test } from "vitest";
import { MessageView } from "../codec/message-view.ts";
import type { DeliveryStateInput } from "../codec/tables.ts";
import { AmqpMap, symbol } from "../codec/values.ts";
import type { Names } from "../engine/engine.test-support.ts";
import { text } from "../engine/engine.test-support.ts";
import type { ReceiverLink } from "../engine/receiver-link.ts";
import { encoded, type Lab, lab, quiet, textOfBytes, until } from "./client-lab.test-support.ts";
import { isLinkError } from "./error-scope.ts";
import type { SenderOptions } from "./options.ts";
import type { AmqpSender } from "./sender.ts";

async function senderLab(options: SenderOptions = {}, credit = 100): Promise<Lab & { sender: AmqpSender }> {
  const made = await lab({}, {}, (server) => {
    server.credit = credit;
  });
  const session = await made.connection.createSession();
  const sender = await session.createSender("q", options);
  await until(() => sender.availableCredit === credit);
  return { ...made, sender };
}

describe("send", () => {
  test("resolves with the outcome when the server has settled", async () => {
    const { sender, server, connection } = await senderLab();
    expect(await sender.send({ body: { type: "value", value: "sections" } })).toEqual({ type: "accepted" });
    expect(await sender.send("text")).toEqual({ type: "accepted" });
    expect(await sender.send(new TextEncoder().encode("bytes"))).toEqual({ type: "accepted" });
    const bodies = server.deliveries.map((delivery) => new MessageView(text, delivery.payload).body);
    expect(bodies).toEqual([
      { type: "value", value: "sections" },
      { type: "value", value: "text" },
      { type: "data", data: [new TextEncoder().encode("bytes")] },
    ]);
    await connection.close();
  });

  test("many sends at once each get their own outcome", async () => {
    const { sender, server, connection } = await senderLab({}, 1_000);
    server.outcome = (delivery) => {
      const even = delivery.id % 2 === 0;
      delivery.link.settle(delivery, even ? { type: "accepted" } : { type: "released" });
    };
    const sends = Array.from({ length: 500 }, (_, i) => sender.send(`${i}`, { unaccepted: "return" }));
    const outcomes = await Promise.all(sends);
    expect(outcomes.map((outcome) => (outcome as { type: string }).type)).toEqual(
      Array.from({ length: 500 }, (_, i) => (i % 2 === 0 ? "accepted" : "released")),
    );
    expect(sender.pendingMessages).toBe(0);
    await connection.close();
  });

  test("outcomes in another order than the messages reach their own, also of later messages", async () => {
    const { sender, server, connection } = await senderLab({}, 1_000);
    server.outcome = null;
    for (let round = 0; round < 3; round++) {
      server.deliveries.length = 0;
      const sends = Array.from({ length: 20 }, (_, i) => sender.send(Uint8Array.of(i), { unaccepted: "return" }));
      await until(() => server.deliveries.length === 20);
      for (const each of server.deliveries.toReversed()) {
        each.link.settle(each, { type: "modified", deliveryFailed: each.id % 2 === round % 2 });
      }
      server.push();
      const outcomes = (await Promise.all(sends)) as { deliveryFailed: boolean }[];
      expect(outcomes.map((each) => each.deliveryFailed)).toEqual(sends.map((_, i) => i % 2 === round % 2));
    }
    await connection.close();
  });

  test("what is asked for one message holds for no later one", async () => {
    const { sender, server, connection } = await senderLab();
    server.outcome = (delivery) => void delivery.link.settle(delivery, { type: "released" });
    const deliveryTag = Uint8Array.of(7);
    const asked = { unaccepted: "return", outcomeTimeoutMs: 1, deliveryTag, messageFormat: 9 } as const;
    expect(await sender.send("as asked", asked)).toEqual({ type: "released" });
    const released = expect(sender.send("plain")).rejects.toMatchObject({ code: "ERR_MESSAGE_RELEASED" });
    await until(() => server.deliveries.length === 2);
    await released;
    const [first, second] = server.deliveries;
    expect([first?.tag, first?.messageFormat]).toEqual([deliveryTag, 9]);
    expect([second?.tag.length, second?.messageFormat]).toEqual([4, 0]);
    await connection.close();
  });

  test("outcomes that do not come in time are ERR_TIMEOUT, each by its own time, which begins when its message has left", async () => {
    const { sender, server, connection } = await senderLab({}, 2);
    server.outcome = null;
    const short = sender.send("short", { outcomeTimeoutMs: 1 });
    const patient = sender.send("patient", { outcomeTimeoutMs: 60_000 });
    // Without credit it waits, and no time runs.
    const waiting = sender.send("waiting", { outcomeTimeoutMs: 1 });
    await expect(short).rejects.toMatchObject({ code: "ERR_TIMEOUT", retry: "unknown" });
    await until(() => server.deliveries.length === 2);
    expect(sender.waitingMessages).toBe(1);
    const [first, second] = server.deliveries;
    for (const each of [first, second]) if (each !== undefined) each.link.settle(each, { type: "accepted" });
    server.push();
    expect(await patient).toEqual({ type: "accepted" });
    (server.links.values().next().value as ReceiverLink<Names>).setCredit(1);
    server.push();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await connection.close();
  });

  const refusals: [string, DeliveryStateInput, string][] = [
    [
      "rejected",
      { type: "rejected", error: { type: "error", condition: "amqp:not-allowed", description: "no" } },
      "ERR_PUBLISH_REJECTED",
    ],
    ["released", { type: "released" }, "ERR_MESSAGE_RELEASED"],
    ["modified", { type: "modified", undeliverableHere: true }, "ERR_MESSAGE_MODIFIED"],
  ];

  test.each(refusals)("%s is a typed error", async (_name, state, code) => {
    const { sender, server, connection } = await senderLab();
    server.outcome = (delivery) => void delivery.link.settle(delivery, state);
    await expect(sender.send("x")).rejects.toMatchObject({ code, scope: "message" });
    await connection.close();
  });

  test.each(refusals)("%s is an outcome like accepted when asked for", async (_name, state) => {
    const { sender, server, connection } = await senderLab();
    server.outcome = (delivery) => void delivery.link.settle(delivery, state);
    expect(await sender.send("x", { unaccepted: "return" })).toMatchObject({ type: state.type });
    await connection.close();
  });

  test("a rejection carries the server's condition, text and info", async () => {
    const { sender, server, connection } = await senderLab();
    const info = new AmqpMap([[symbol("field"), "name"]]);
    server.outcome = (delivery) =>
      void delivery.link.settle(delivery, {
        type: "rejected",
        error: { type: "error", condition: "amqp:invalid-field", description: "bad name", info },
      });
    const error = await sender.send("x").catch((caught: unknown) => caught);
    expect(error).toMatchObject({ peer: { protocol: "amqp10", code: "amqp:invalid-field", text: "bad name" } });
    expect((error as { peer: { info: AmqpMap } }).peer.info.get("field")).toBe("name");
    await connection.close();
  });

  test("a message that is settled without an outcome counts as released, or as the source's default outcome (§3.5.3)", async () => {
    const { sender, server, connection } = await senderLab();
    server.outcome = (delivery) => void delivery.link.settle(delivery, null);
    await expect(sender.send("x")).rejects.toMatchObject({ code: "ERR_MESSAGE_RELEASED" });
    await connection.close();
  });

  test("a settled message resolves with null when it has left", async () => {
    const { sender, server, connection } = await senderLab();
    expect(await sender.send("x", { settled: true })).toBeNull();
    await until(() => server.deliveries.length === 1);
    expect(server.deliveries[0]?.settled).toBe(true);
    await connection.close();
  });

  test("a settled message without credit resolves when there is some", async () => {
    const { sender, server, connection } = await senderLab({ settlementMode: "settled" }, 0);
    let done = false;
    const sending = sender.send("x").then(() => {
      done = true;
    });
    await quiet();
    expect(done).toBe(false);
    (server.link() as ReceiverLink<Names>).setCredit(1);
    server.push();
    await sending;
    await until(() => server.deliveries.length === 1);
    await connection.close();
  });

  test("tag, message format and a message encoded before go out as they are", async () => {
    const { sender, server, connection } = await senderLab();
    await sender.send(encoded("raw"), { encoded: true, messageFormat: 0x80013700, deliveryTag: Uint8Array.of(1, 2) });
    const delivery = server.deliveries[0];
    expect(delivery?.messageFormat).toBe(0x80013700);
    expect([...(delivery?.tag ?? [])]).toEqual([1, 2]);
    expect(textOfBytes(new MessageView(text, delivery?.payload ?? []).data)).toBe("raw");
    await connection.close();
  });

  test("a message above the server's largest is refused, and the link goes on", async () => {
    const { connection, server } = await lab();
    server.onOffer = (link) => {
      link.accept({ maxMessageSize: 100 });
      if (!link.isSender) link.setCredit(10);
    };
    const sender = await (await connection.createSession()).createSender("q");
    expect(sender.maxMessageSize).toBe(100);
    await expect(sender.send(new Uint8Array(200))).rejects.toMatchObject({ code: "ERR_PACKET_TOO_LARGE" });
    expect(await sender.send("small")).toEqual({ type: "accepted" });
    await connection.close();
  });

  test("a message of many frames arrives whole", async () => {
    const { sender, server, connection } = await senderLab();
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251);
    await sender.send(bytes);
    const { data } = new MessageView(text, server.deliveries[0]?.payload ?? []);
    expect(data).toHaveLength(bytes.length);
    // Byte by byte: comparing a million elements as values takes seconds.
    expect(data?.every((byte, i) => byte === bytes[i])).toBe(true);
    await connection.close();
  });
});

describe("waiting for credit", () => {
  test("a message without credit waits, and leaves when there is some", async () => {
    const { sender, server, connection } = await senderLab({}, 0);
    const sending = sender.send("x");
    expect(sender.waitingMessages).toBe(1);
    (server.link() as ReceiverLink<Names>).setCredit(1);
    server.push();
    expect(await sending).toEqual({ type: "accepted" });
    await connection.close();
  });

  test("beyond its bounds a send is refused with ERR_OUTBOUND_BACKPRESSURE", async () => {
    const { sender, connection } = await senderLab({ waitingMessagesMax: 2 }, 0);
    const waiting = [sender.send("1"), sender.send("2")].map((each) => each.catch((error: unknown) => error));
    await expect(sender.send("3")).rejects.toMatchObject({ code: "ERR_OUTBOUND_BACKPRESSURE", retry: "later" });
    await connection.close();
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ scope: "connection" });
  });

  test("trySend gives null without credit, and sends with", async () => {
    const { sender, server, connection } = await senderLab({}, 0);
    expect(sender.trySend("x")).toBeNull();
    expect(sender.waitingMessages).toBe(0);
    (server.link() as ReceiverLink<Names>).setCredit(1);
    server.push();
    await until(() => sender.sendable);
    expect(await sender.trySend("x")).toEqual({ type: "accepted" });
    await connection.close();
  });

  test("a signal takes a waiting message back: the server never sees it", async () => {
    const { sender, server, connection } = await senderLab({}, 0);
    const abort = new AbortController();
    const sending = sender.send("x", { signal: abort.signal });
    abort.abort();
    await expect(sending).rejects.toMatchObject({ code: "ERR_ABORTED" });
    (server.link() as ReceiverLink<Names>).setCredit(1);
    server.push();
    expect(await sender.send("y")).toEqual({ type: "accepted" });
    expect(server.texts.length).toBe(1);
    await connection.close();
  });

  test("a signal after the message left ends only the waiting", async () => {
    const { sender, server, connection } = await senderLab();
    server.outcome = null;
    const abort = new AbortController();
    const sending = sender.send("x", { signal: abort.signal });
    await until(() => server.deliveries.length === 1);
    abort.abort();
    await expect(sending).rejects.toMatchObject({ code: "ERR_ABORTED" });
    const delivery = server.deliveries[0];
    delivery?.link.settle(delivery, { type: "accepted" });
    server.push();
    await until(() => sender.pendingMessages === 0);
    await connection.close();
  });
});

describe("receipts", () => {
  test("sendWithReceipt resolves when the message has left, its receipt with the outcome, again and again", async () => {
    const { sender, server, connection } = await senderLab();
    server.outcome = null;
    const receipt = await sender.sendWithReceipt("x");
    await until(() => server.deliveries.length === 1);
    const delivery = server.deliveries[0];
    expect(delivery?.tag).toEqual(receipt.deliveryTag);
    const abort = new AbortController();
    const impatient = receipt.wait({ signal: abort.signal });
    abort.abort();
    await expect(impatient).rejects.toMatchObject({ code: "ERR_ABORTED" });
    delivery?.link.settle(delivery, { type: "accepted" });
    server.push();
    expect(await receipt.wait()).toEqual({ type: "accepted" });
    expect(await receipt.wait()).toEqual({ type: "accepted" });
    await connection.close();
  });

  test("a receipt whose link ends rejects, also without anybody who asks", async () => {
    const { sender, server, connection } = await senderLab();
    server.outcome = null;
    const receipt = await sender.sendWithReceipt("x");
    await sender.close();
    await expect(receipt.wait()).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
    await connection.close();
  });
});

describe("links", () => {
  test("a sender attaches as its options say (§2.7.3, §3.5.4)", async () => {
    const attaches: unknown[] = [];
    const { connection, server } = await lab();
    server.onOffer = (link) => {
      if (link.state.is === "offered") attaches.push(link.state.attach);
      link.accept({ properties: { from: "server" } });
    };
    const session = await connection.createSession();
    const sender = await session.createSender("q", {
      name: "mine",
      settlementMode: "unsettled",
      properties: { p: 1 },
      desiredCapabilities: ["x"],
      target: { durability: "unsettledState", expiryPolicy: "never", expiryTimeoutSeconds: 9, capabilities: ["queue"] },
      source: {
        address: "here",
        capabilities: ["topic"],
        durability: "configuration",
        expiryPolicy: "link-detach",
        expiryTimeoutSeconds: 8,
      },
    });
    expect(attaches[0]).toMatchObject({
      name: "mine",
      role: false,
      sndSettleMode: 0,
      rcvSettleMode: 0,
      desiredCapabilities: ["x"],
      target: { address: "q", durable: 2, expiryPolicy: "never", timeout: 9, capabilities: ["queue"] },
      source: { address: "here", capabilities: ["topic"], durable: 1, expiryPolicy: "link-detach", timeout: 8 },
    });
    expect((attaches[0] as { properties: AmqpMap }).properties.get(symbol("p"))).toBe(1);
    expect(sender.name).toBe("mine");
    expect(sender.address).toBe("q");
    expect(sender.properties?.get(symbol("from"))).toBe("server");
    await connection.close();
  });

  test("a dynamic target's address is the server's", async () => {
    const { connection, server } = await lab();
    server.onOffer = (link) => {
      expect(link.state.is === "offered" && link.state.attach.target).toMatchObject({ dynamic: true, address: null });
      link.accept({ target: { type: "target", address: "made-up", dynamic: true } });
    };
    const sender = await (await connection.createSession()).createSender(null, { target: { dynamic: true } });
    expect(sender.address).toBe("made-up");
    await connection.close();
  });

  test("a server that refuses makes createSender reject with its condition, and the session goes on (§2.6.3)", async () => {
    const { connection, server } = await lab();
    server.onOffer = (link) => link.refuse({ type: "error", condition: "amqp:not-found", description: "no queue" });
    const session = await connection.createSession();
    const error = await session.createSender("nowhere").catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "ERR_LINK_DETACHED", peer: { code: "amqp:not-found", text: "no queue" } });
    expect(isLinkError(error)).toBe(true);
    server.onOffer = (link) => server.acceptLink(link);
    expect(await (await session.createSender("q")).send("x")).toEqual({ type: "accepted" });
    await connection.close();
  });

  test("a server that answers like any other and detaches right behind makes createSender reject too", async () => {
    const { connection, server } = await lab();
    server.onOffer = (link) => {
      link.accept();
      link.detach({ closed: true, error: { type: "error", condition: "amqp:not-allowed" } });
    };
    const session = await connection.createSession();
    await expect(session.createSender("q")).rejects.toMatchObject({ peer: { code: "amqp:not-allowed" } });
    await connection.close();
  });

  test("a settlement mode that the server does not agree to is ERR_NOT_SUPPORTED_BY_SERVER, and the link is closed", async () => {
    const { connection, server } = await lab();
    server.onOffer = (link) => link.accept({ sndSettleMode: 2 });
    const session = await connection.createSession();
    const refused = { code: "ERR_NOT_SUPPORTED_BY_SERVER" };
    await expect(session.createSender("q", { settlementMode: "settled" })).rejects.toMatchObject(refused);
    await expect(session.createReceiver("q", { senderSettlementMode: "settled" })).rejects.toMatchObject(refused);
    server.onOffer = (link) => link.accept({ rcvSettleMode: 0 });
    await expect(session.createSender("q", { receiverSettlementMode: "second" })).rejects.toMatchObject(refused);
    await expect(session.createReceiver("q", { settlementMode: "second" })).rejects.toMatchObject(refused);
    expect(session.links).toHaveLength(0);
    await connection.close();
  });

  test("two links of one name and direction are refused with ERR_INVALID_ARGUMENT", async () => {
    const { connection } = await lab();
    const session = await connection.createSession();
    await session.createSender("q", { name: "same" });
    await expect(session.createSender("q", { name: "same" })).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    await connection.close();
  });

  test("in mode second the outcome resolves, and we settle after the receiver (§2.6.12)", async () => {
    const states: unknown[] = [];
    const { sender, server, connection } = await senderLab({
      receiverSettlementMode: "second",
      onDeliveryState: (_tag, state) => states.push(state),
    });
    server.outcome = (delivery) => {
      delivery.link.update(delivery, { type: "received", sectionNumber: 1, sectionOffset: 2 });
      delivery.link.settle(delivery, { type: "accepted" });
    };
    expect(await sender.send("x")).toEqual({ type: "accepted" });
    await until(() => server.told.some((line) => line.startsWith("settled 0")));
    expect(states).toEqual([{ type: "received", sectionNumber: 1, sectionOffset: 2 }, { type: "accepted" }]);
    await connection.close();
  });

  test("properties of a flow reach the listener (§2.7.4)", async () => {
    const seen: unknown[] = [];
    const { server, connection } = await senderLab({
      onFlowProperties: (properties) => seen.push(properties.get("k")),
    });
    server.link().sendFlow({ properties: { k: "v" } });
    server.push();
    await until(() => seen.length === 1);
    expect(seen).toEqual(["v"]);
    await connection.close();
  });

  test("a signal ends the waiting for the server's attach, and the link is given up", async () => {
    const { connection, server } = await lab();
    server.onOffer = () => {};
    const session = await connection.createSession();
    const abort = new AbortController();
    const creating = session.createSender("q", { signal: abort.signal });
    await until(() => session.links.length === 1);
    abort.abort();
    await expect(creating).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await connection.close();
  });

  test("a link that the server detaches ends what waits with its reason", async () => {
    const { sender, server, connection } = await senderLab();
    const closes: unknown[] = [];
    connection.on("linkClose", (event) => closes.push(event.link));
    server.outcome = (delivery) =>
      delivery.link.detach({ closed: true, error: { type: "error", condition: "amqp:resource-deleted" } });
    await expect(sender.send("x")).rejects.toMatchObject({
      code: "ERR_LINK_DETACHED",
      peer: { code: "amqp:resource-deleted" },
    });
    expect(closes).toEqual([sender]);
    await connection.close();
  });
});
