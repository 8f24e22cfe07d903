import { describe, expect, test } from "vitest";
import { type AmqpMap, Described, symbol, typed } from "../codec/values.ts";
import type { Names } from "../engine/engine.test-support.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import { type Lab, lab, quiet, textOfBytes, until } from "./client-lab.test-support.ts";
import type { AmqpDelivery } from "./delivery.ts";
import { noLocalFilter, selectorFilter } from "./filters.ts";
import type { ReceiverOptions } from "./options.ts";
import type { AmqpReceiver } from "./receiver.ts";

async function receiverLab(options: ReceiverOptions = {}): Promise<Lab & { receiver: AmqpReceiver }> {
  const made = await lab();
  const session = await made.connection.createSession();
  const receiver = await session.createReceiver("q", options);
  if (options.credit !== "manual") await until(() => made.server.link().credit > 0);
  return { ...made, receiver };
}

function said(delivery: AmqpDelivery): string {
  return textOfBytes(delivery.message.data);
}

describe("more messages than there is credit for", () => {
  async function overrun(version: string): Promise<Lab & { receiver: AmqpReceiver }> {
    const made = await lab({}, { open: { containerId: "rabbit", properties: { product: "RabbitMQ", version } } });
    const receiver = await (await made.connection.createSession()).createReceiver("q", { credit: 2 });
    await until(() => made.server.link().credit === 2);
    (made.server.link() as SenderLink<Names>).grant(2);
    made.server.deliver(["a", "b", "c", "d"]);
    return { ...made, receiver };
  }

  test("are taken from RabbitMQ 3, which reckons a flow without what is on its way", async () => {
    const { receiver, connection } = await overrun("3.10.8");
    for (const text of ["a", "b", "c", "d"]) {
      const delivery = await receiver.receive();
      expect(said(delivery)).toBe(text);
      await delivery.accept();
    }
    expect(receiver.error).toBeNull();
    await connection.close();
  });

  test("end the link of any other server", async () => {
    const { receiver, connection } = await overrun("4.0.1");
    await until(() => receiver.error !== null);
    expect(receiver.error).toMatchObject({ code: "ERR_LINK_DETACHED" });
    await connection.close();
  });
});

describe("receive", () => {
  test("gives messages in their order, those that wait first", async () => {
    const { receiver, server, connection } = await receiverLab();
    const first = receiver.receive();
    server.deliver(["a", "b", "c"]);
    expect(said(await first)).toBe("a");
    expect(said(await receiver.receive())).toBe("b");
    expect(said(await receiver.receive())).toBe("c");
    await connection.close();
  });

  test("prefetched gives what is here, else null", async () => {
    const { receiver, server, connection } = await receiverLab();
    expect(receiver.prefetched()).toBeNull();
    server.deliver(["a"]);
    await until(() => receiver.bufferedMessages === 1);
    const delivery = receiver.prefetched();
    expect(delivery && said(delivery)).toBe("a");
    await connection.close();
  });

  test("a batch resolves when it is full", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.deliver(["a"]);
    const batch = receiver.receive({ max: 3 });
    server.deliver(["b", "c", "d"]);
    expect((await batch).map(said)).toEqual(["a", "b", "c"]);
    expect(said(await receiver.receive())).toBe("d");
    await connection.close();
  });

  test("a batch resolves with what has come when its time is up", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.deliver(["a", "b"]);
    await until(() => receiver.bufferedMessages === 2);
    expect((await receiver.receive({ max: 5, timeoutMs: 5 })).map(said)).toEqual(["a", "b"]);
    expect(await receiver.receive({ max: 5, timeoutMs: 0 })).toEqual([]);
    await connection.close();
  });

  test("a batch that is aborted leaves its messages to the next call", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.deliver(["a", "b"]);
    await until(() => receiver.bufferedMessages === 2);
    const abort = new AbortController();
    const batch = receiver.receive({ max: 5, signal: abort.signal });
    abort.abort();
    await expect(batch).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect((await receiver.receive({ max: 2 })).map(said)).toEqual(["a", "b"]);
    await connection.close();
  });

  test("a signal ends the waiting, and no message is lost", async () => {
    const { receiver, server, connection } = await receiverLab();
    const abort = new AbortController();
    const waiting = receiver.receive({ signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ERR_ABORTED" });
    server.deliver(["a"]);
    expect(said(await receiver.receive())).toBe("a");
    await connection.close();
  });

  test("what came before the link ended is still given, then its error", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.deliver(["a"]);
    await until(() => receiver.bufferedMessages === 1);
    server.link().detach({ closed: true, error: { type: "error", condition: "amqp:resource-deleted" } });
    server.push();
    await receiver.closed;
    const delivery = await receiver.receive();
    expect(said(delivery)).toBe("a");
    await expect(receiver.receive()).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
    await expect(delivery.accept()).rejects.toMatchObject({ code: "ERR_STALE_DELIVERY" });
    await connection.close();
  });

  test("for await goes on until we close the link", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.deliver(["a", "b"]);
    const seen: string[] = [];
    for await (const delivery of receiver) {
      seen.push(said(delivery));
      await delivery.accept();
      if (seen.length === 2) void receiver.close();
    }
    expect(seen).toEqual(["a", "b"]);
    await connection.close();
  });

  test("for await throws the error that ended the link", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.link().detach({ closed: true, error: { type: "error", condition: "amqp:link:stolen" } });
    server.push();
    const looking = (async (): Promise<void> => {
      for await (const delivery of receiver) await delivery.accept();
    })();
    await expect(looking).rejects.toMatchObject({ peer: { code: "amqp:link:stolen" } });
    await connection.close();
  });
});

describe("settling", () => {
  test.each([
    ["accept", (delivery: AmqpDelivery) => delivery.accept(), { type: "accepted" }],
    [
      "reject",
      (delivery: AmqpDelivery) => delivery.reject({ condition: "amqp:decode-error", description: "bad" }),
      { type: "rejected", error: { condition: "amqp:decode-error", description: "bad" } },
    ],
    ["release", (delivery: AmqpDelivery) => delivery.release(), { type: "released" }],
    [
      "modify",
      (delivery: AmqpDelivery) => delivery.modify({ deliveryFailed: true, undeliverableHere: true }),
      { type: "modified", deliveryFailed: true, undeliverableHere: true },
    ],
    ["accept of the receiver", (delivery: AmqpDelivery) => delivery.receiver.accept(delivery), { type: "accepted" }],
    [
      "reject of the receiver",
      (delivery: AmqpDelivery) => delivery.receiver.reject(delivery),
      { type: "rejected", error: null },
    ],
    ["release of the receiver", (delivery: AmqpDelivery) => delivery.receiver.release(delivery), { type: "released" }],
    [
      "modify of the receiver",
      (delivery: AmqpDelivery) => delivery.receiver.modify(delivery, { messageAnnotations: { k: "v" } }),
      { type: "modified", deliveryFailed: false, undeliverableHere: false },
    ],
  ] as const)("%s tells the server and settles", async (_name, settle, expected) => {
    const { receiver, server, connection } = await receiverLab();
    const states: unknown[] = [];
    server.onOutcome = (_delivery, state, settled) => void states.push([state, settled]);
    server.deliver(["a"]);
    const delivery = await receiver.receive();
    expect(delivery.settled).toBe(false);
    await settle(delivery);
    expect(delivery.settled).toBe(true);
    await until(() => states.length === 1);
    expect(states[0]).toMatchObject([expected, true]);
    await connection.close();
  });

  test("settling twice is ERR_ALREADY_SETTLED", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.deliver(["a"]);
    const delivery = await receiver.receive();
    await delivery.accept();
    await expect(delivery.release()).rejects.toMatchObject({ code: "ERR_ALREADY_SETTLED" });
    await connection.close();
  });

  test("a message that was sent settled needs no accept, and takes one", async () => {
    const { receiver, server, connection } = await receiverLab();
    server.deliver(["a"], true);
    const delivery = await receiver.receive();
    expect(delivery.presettled).toBe(true);
    await delivery.accept();
    await quiet();
    expect(server.outcomes).toEqual([]);
    await connection.close();
  });

  test("in mode second accept resolves when the server has settled (§2.6.12)", async () => {
    const { receiver, server, connection } = await receiverLab({ settlementMode: "second" });
    server.settlesSeconds = false;
    server.deliver(["a"]);
    const delivery = await receiver.receive();
    let done = false;
    const accepting = delivery.accept().then(() => {
      done = true;
    });
    await until(() => server.outcomes.length === 1);
    await quiet();
    expect(done).toBe(false);
    const link = server.link() as SenderLink<Names>;
    for (const sent of link.session.outgoing.all()) link.settle(sent, { type: "accepted" });
    server.push();
    await accepting;
    expect(delivery.settled).toBe(true);
    await connection.close();
  });

  test.each([
    ["accept", { type: "rejected", error: { type: "error", condition: "amqp:not-found" } }, "amqp:not-found"],
    ["accept", { type: "released" }, undefined],
    ["release", { type: "rejected", error: { type: "error", condition: "amqp:not-found" } }, "amqp:not-found"],
    ["reject", { type: "rejected", error: { type: "error", condition: "amqp:not-found" } }, "amqp:not-found"],
    ["reject", { type: "accepted" }, undefined],
  ] as const)(
    "in mode second %s rejects when the server settles with another outcome: %o (§2.6.12)",
    async (say, state, code) => {
      const { receiver, server, connection } = await receiverLab({ settlementMode: "second" });
      server.settlesSeconds = false;
      server.deliver(["a"]);
      const delivery = await receiver.receive();
      const refused = expect(delivery[say]()).rejects.toMatchObject({
        code: "ERR_STALE_DELIVERY",
        peer: code === undefined ? null : { code },
      });
      await until(() => server.outcomes.length === 1);
      const link = server.link() as SenderLink<Names>;
      for (const sent of link.session.outgoing.all()) link.settle(sent, state);
      server.push();
      await refused;
      await connection.close();
    },
  );

  test("what the server says of a message that we hold reaches the listener", async () => {
    const seen: unknown[] = [];
    const { receiver, server, connection } = await receiverLab({
      onDeliveryState: (tag, state, settled) => seen.push([tag.length, state, settled]),
    });
    server.deliver(["a"]);
    const delivery = await receiver.receive();
    const link = server.link() as SenderLink<Names>;
    for (const sent of link.session.outgoing.all()) link.settle(sent, { type: "released" });
    server.push();
    await until(() => seen.length === 1);
    expect(seen).toEqual([[4, { type: "released" }, "settled"]]);
    await expect(delivery.accept()).rejects.toMatchObject({ code: "ERR_ALREADY_SETTLED" });
    await connection.close();
  });
});

describe("credit", () => {
  test("automatic credit is 256, and is refilled when half of it is taken", async () => {
    const { receiver, server, connection } = await receiverLab();
    const link = server.link() as SenderLink<Names>;
    expect(link.credit).toBe(256);
    server.deliver(Array.from({ length: 128 }, (_, i) => `${i}`));
    await until(() => receiver.bufferedMessages === 128);
    for (let i = 0; i < 127; i++) await receiver.receive();
    await quiet();
    expect(link.credit).toBe(128);
    await receiver.receive();
    await until(() => link.credit === 256);
    await connection.close();
  });

  test("what nobody takes is never more than the window", async () => {
    const { receiver, server, connection } = await receiverLab({ credit: 4 });
    server.deliver(Array.from({ length: 20 }, (_, i) => `${i}`));
    await until(() => receiver.bufferedMessages === 4);
    await quiet();
    expect(receiver.bufferedMessages).toBe(4);
    expect((await receiver.receive({ max: 20 })).map(said)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    await connection.close();
  });

  test("manual credit is what issueCredit gave", async () => {
    const { receiver, server, connection } = await receiverLab({ credit: "manual" });
    server.deliver(["a", "b", "c"]);
    await quiet();
    expect(receiver.bufferedMessages).toBe(0);
    receiver.issueCredit(1);
    receiver.issueCredit(1);
    expect((await receiver.receive({ max: 2 })).map(said)).toEqual(["a", "b"]);
    expect(receiver.availableCredit).toBe(0);
    await connection.close();
  });

  test("drainCredit gets what is there and takes the rest of the credit back (§2.6.7)", async () => {
    const { receiver, server, connection } = await receiverLab({ credit: "manual" });
    receiver.issueCredit(10);
    await until(() => server.link().credit === 10);
    server.deliver(["a"]);
    await receiver.drainCredit();
    expect(receiver.availableCredit).toBe(0);
    expect(receiver.bufferedMessages).toBe(1);
    receiver.issueCredit(1);
    server.deliver(["b"]);
    expect((await receiver.receive({ max: 2 })).map(said)).toEqual(["a", "b"]);
    await connection.close();
  });

  test("drainCredit ends with its link", async () => {
    const { receiver, server, connection } = await receiverLab({ credit: "manual" });
    receiver.issueCredit(10);
    server.onBytes = () => {};
    const draining = receiver.drainCredit();
    server.transport.destroy();
    await expect(draining).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await connection.closed;
  });

  test("credit by hand is refused with automatic credit, and what is no count with ERR_INVALID_ARGUMENT", async () => {
    const { receiver, connection } = await receiverLab();
    expect(() => receiver.issueCredit(1)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    await expect(receiver.drainCredit()).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    const session = connection.sessions[0];
    const manual = await session?.createReceiver("q", { credit: "manual" });
    expect(() => manual?.issueCredit(0)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    await connection.close();
  });
});

describe("attaching", () => {
  test("a durable subscription, filters, distribution mode and link properties are asked for (§3.5.3)", async () => {
    const { connection, server } = await lab();
    const attaches: Record<string, unknown>[] = [];
    server.onOffer = (link) => {
      if (link.state.is === "offered") attaches.push(link.state.attach as unknown as Record<string, unknown>);
      server.acceptLink(link);
    };
    const session = await connection.createSession();
    const receiver = await session.createReceiver("topic", {
      name: "sub-1",
      maxMessageSize: 1_000,
      properties: { "x-consumer-group": "g" },
      source: {
        durability: "unsettledState",
        expiryPolicy: "never",
        distributionMode: "copy",
        capabilities: ["topic"],
        filters: [selectorFilter("color = 'red'"), noLocalFilter()],
      },
    });
    expect(attaches[0]).toMatchObject({
      name: "sub-1",
      role: true,
      maxMessageSize: 1_000,
      source: {
        address: "topic",
        durable: 2,
        expiryPolicy: "never",
        distributionMode: "copy",
        capabilities: ["topic"],
      },
    });
    const properties = attaches[0]?.["properties"] as AmqpMap | undefined;
    expect(properties?.get(symbol("x-consumer-group"))).toBe("g");
    expect(receiver.filters?.get("apache.org:selector-filter:string")).toEqual(
      new Described(typed("ulong", 0x0000_468c_0000_0004), "color = 'red'"),
    );
    expect(receiver.ignoredFilters).toEqual([]);
    expect(receiver.address).toBe("topic");
    await connection.close();
  });

  test.each(["link", "detach", "session", "connection"] as const)(
    "what nobody took is given back before we end the %s; what is settled already is still given",
    async (what) => {
      const { connection, server } = await lab();
      const session = await connection.createSession();
      const receiver = await session.createReceiver("q");
      await until(() => server.link().credit > 0);
      server.deliver(["taken", "waits", "too"]);
      server.deliver(["settled"], true);
      await until(() => receiver.bufferedMessages === 4);
      await receiver.receive();
      if (what === "link") await receiver.close();
      else if (what === "detach") await receiver.detach();
      else if (what === "session") await session.close();
      else await connection.close();
      expect(server.outcomes).toEqual([
        ["waits", "released", true],
        ["too", "released", true],
      ]);
      expect(textOfBytes((await receiver.receive()).message.data)).toBe("settled");
      expect(receiver.prefetched()).toBeNull();
      await connection.close();
    },
  );

  test("a receiver's own end of the link is as its options say (§3.5.4)", async () => {
    const { connection, server } = await lab();
    const attaches: unknown[] = [];
    server.onOffer = (link) => {
      if (link.state.is === "offered") attaches.push(link.state.attach);
      server.acceptLink(link);
    };
    const told: unknown[] = [];
    await (await connection.createSession()).createReceiver("q", {
      desiredCapabilities: ["c"],
      onFlowProperties: (properties) => told.push([...properties]),
      source: { expiryPolicy: "link-detach", expiryTimeoutSeconds: 7 },
      target: {
        address: "mine",
        capabilities: ["queue"],
        durability: "configuration",
        expiryPolicy: "connection-close",
        expiryTimeoutSeconds: 5,
      },
    });
    expect(attaches).toMatchObject([
      {
        desiredCapabilities: ["c"],
        source: { address: "q", expiryPolicy: "link-detach", timeout: 7 },
        target: { address: "mine", capabilities: ["queue"], durable: 1, expiryPolicy: "connection-close", timeout: 5 },
      },
    ]);
    server.link().sendFlow({ properties: new Map([["a", 1]]) });
    server.push();
    await until(() => told.length === 1);
    expect(told).toMatchObject([[[{ value: "a" }, 1]]]);
    await connection.close();
  });

  test("a source that only the server knows is asked for by the link's name (§2.6.3)", async () => {
    const { connection, server } = await lab();
    const asked: unknown[] = [];
    server.onOffer = (link) => {
      if (link.state.is === "offered") asked.push([link.name, link.state.attach.source]);
      link.accept({ source: { type: "source", address: "topic", durable: 2, expiryPolicy: "never" } });
    };
    const session = await connection.createSession();
    const receiver = await session.createReceiver(null, { name: "sub-1", source: null });
    expect([asked, receiver.address, receiver.ignoredFilters]).toEqual([[["sub-1", null]], "topic", []]);
    await connection.close();
  });

  test("filters that the server does not confirm are listed, or refused when asked to", async () => {
    const { connection, server } = await lab();
    server.onOffer = (link) => link.accept({ source: { type: "source", address: "q" } });
    const session = await connection.createSession();
    const source = { filters: [selectorFilter("a = 1")] };
    const receiver = await session.createReceiver("q", { source });
    expect(receiver.ignoredFilters).toEqual(["apache.org:selector-filter:string"]);
    await expect(session.createReceiver("q", { source, whenFilterIgnored: "fail" })).rejects.toMatchObject({
      code: "ERR_NOT_SUPPORTED_BY_SERVER",
    });
    await connection.close();
  });

  test("a dynamic source's address is the server's", async () => {
    const { connection, server } = await lab();
    server.onOffer = (link) =>
      link.accept({ source: { type: "source", address: symbol("temp-1"), dynamic: true }, properties: { p: "v" } });
    const receiver = await (await connection.createSession()).createReceiver(null, { source: { dynamic: true } });
    expect(receiver.address).toBe("temp-1");
    expect(receiver.properties?.get("p")).toBe("v");
    await connection.close();
  });

  test("a link that is detached without closing may be attached again by its name (§2.6.4)", async () => {
    const { connection, server } = await lab();
    const session = await connection.createSession();
    const first = await session.createReceiver("q", { name: "again" });
    await first.detach();
    expect(server.told).toContain("detach again by link peer");
    expect(first.error).toBeNull();
    const second = await session.createReceiver("q", { name: "again" });
    server.deliver(["a"]);
    expect(said(await second.receive())).toBe("a");
    await connection.close();
  });
});
