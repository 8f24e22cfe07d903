import {
  type AmqpReceiver,
  type AmqpSession,
  noLocalFilter,
  type ReceiverOptions,
  selectorFilter,
} from "polymq/amqp10";
import { plain, type Source } from "polymq/amqp10/codec";
import { describe, expect, test } from "vitest";
import { MemoryMedium, MemoryStore } from "../../storage/memory-store.ts";
import { HeldStore, turns } from "./held-store.test-support.ts";
import { Amqp10Scene, takeTexts } from "./scene.test-support.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

const LASTING: ReceiverOptions = { name: "sub", source: { durability: "unsettledState", expiryPolicy: "never" } };

describe("durable subscriptions (§3.5.3)", () => {
  test("keep what comes while their link is detached, and give it to the next of the same name", async () => {
    await using scene = await Amqp10Scene.open();
    const first = await scene.connection({ containerId: "c" });
    const receiver = await (await first.createSession()).createReceiver("news/#", LASTING);
    const publisher = await (await scene.session()).createSender("news/a");
    await publisher.send(bytes("1"));
    expect(await takeTexts(receiver, 1)).toEqual(["1"]);
    first.destroy();
    await publisher.send(bytes("2"));
    const again = await (await scene.session({ containerId: "c" })).createReceiver("news/#", LASTING);
    const delivery = await again.receive();
    expect(delivery.message.properties?.to).toBe("news/a");
    await delivery.release();
    expect(await takeTexts(again, 1)).toEqual(["2"]);
  });

  test("survive the broker, with a store", async () => {
    const medium = new MemoryMedium();
    {
      await using scene = await Amqp10Scene.open({}, { store: new MemoryStore(medium) });
      const connection = await scene.connection({ containerId: "c" });
      await (await connection.createSession()).createReceiver("news/#", LASTING);
      connection.destroy();
      await (await (await scene.session()).createSender("news/a")).send(bytes("1"));
    }
    await using scene = await Amqp10Scene.open({}, { store: new MemoryStore(medium) });
    const again = await (await scene.session({ containerId: "c" })).createReceiver("news/#", LASTING);
    expect(await takeTexts(again, 1)).toEqual(["1"]);
  });

  test("end when their link is closed, not when its connection is (§2.6.4)", async () => {
    await using scene = await Amqp10Scene.open();
    const connection = await scene.connection({ containerId: "c" });
    const receiver = await (await connection.createSession()).createReceiver("news/#", LASTING);
    expect(scene.broker.inspect().queues).toHaveLength(1);
    await receiver.close();
    expect(scene.broker.inspect().queues).toHaveLength(0);
  });

  test("are found by the link's name alone, to be taken up or ended; one that is not there is refused (§2.6.3)", async () => {
    await using scene = await Amqp10Scene.open();
    const first = await scene.session({ containerId: "c" });
    await (await first.createReceiver("news/#", LASTING)).detach();
    await (await first.createSender("news/a")).send(bytes("1"));
    const known = await first.createReceiver(null, { name: "sub", source: null });
    expect([known.address, await takeTexts(known, 1)]).toEqual(["news/#", ["1"]]);
    await known.close();
    expect(scene.broker.inspect().queues).toHaveLength(0);
    await expect(first.createReceiver(null, { name: "sub", source: null })).rejects.toMatchObject({
      code: "ERR_LINK_DETACHED",
      peer: { code: "amqp:not-found" },
    });
  });

  test("found by the link's name have the filters with which they were made, and the answer tells them (§2.6.3)", async () => {
    const medium = new MemoryMedium();
    const filters = [selectorFilter("colour = 'red'"), noLocalFilter()];
    const source: ReceiverOptions["source"] = {
      ...LASTING.source,
      expiryPolicy: "connection-close",
      expiryTimeoutSeconds: 60,
      filters,
    };
    const send = async (session: AmqpSession, colour: string): Promise<void> => {
      const sender = await session.createSender("news/a");
      await sender.send({ applicationProperties: { colour }, body: { type: "data", data: bytes(colour) } });
    };
    {
      await using scene = await Amqp10Scene.open({}, { store: new MemoryStore(medium) });
      const first = await scene.session({ containerId: "c" });
      await (await first.createReceiver("news/#", { ...LASTING, source })).detach();
      const publisher = await scene.session();
      for (const colour of ["red", "blue"]) await send(publisher, colour);
    }
    await using scene = await Amqp10Scene.open({}, { store: new MemoryStore(medium) });
    const again = await scene.session({ containerId: "c" });
    const known = await again.createReceiver(null, { name: "sub", source: null });
    const { address, durable, expiryPolicy } = known.remote.source as Source;
    expect([address, durable, expiryPolicy]).toEqual(["news/#", 2, "link-detach"]);
    expect(Array.from(known.filters ?? [], ([key]) => String(plain(key)))).toEqual([
      "apache.org:selector-filter:string",
      "apache.org:no-local-filter:list",
    ]);
    const publisher = await scene.session();
    for (const colour of ["blue", "red"]) await send(publisher, colour);
    expect(await takeTexts(known, 2)).toEqual(["red", "red"]);
  });

  test("go on with the same filters, and are another one with others", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session({ containerId: "c" });
    const attached = (selector: string): Promise<AmqpReceiver> =>
      session.createReceiver("t", { ...LASTING, source: { ...LASTING.source, filters: [selectorFilter(selector)] } });
    const sender = await session.createSender("t");
    await (await attached("a = 1")).detach();
    await sender.send({ applicationProperties: { a: 1, b: 1 }, body: { type: "data", data: bytes("1") } });
    const again = await attached("a = 1");
    expect(await takeTexts(again, 1)).toEqual(["1"]);
    await again.detach();
    await sender.send({ applicationProperties: { a: 1, b: 1 }, body: { type: "data", data: bytes("2") } });
    const other = await attached("b = 1");
    await sender.send({ applicationProperties: { b: 1 }, body: { type: "data", data: bytes("3") } });
    expect(await takeTexts(other, 1)).toEqual(["3"]);
  });

  test("are over once their end is stored, and not before their link's closing is answered", async () => {
    const store = new HeldStore();
    await using scene = await Amqp10Scene.open({}, { store });
    const session = await scene.session();
    const receiver = await session.createReceiver("news/#", LASTING);
    store.isHeld = true;
    const closing = receiver.close();
    await turns();
    expect([store.held, receiver.state]).toEqual([1, "closing"]);
    store.release();
    await closing;
    expect(scene.broker.inspect().queues).toHaveLength(0);
  });

  test("end with the transaction that their deliveries are part of, when their link is closed before", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const receiver = await session.createReceiver("news/#", LASTING);
    await (await session.createSender("news/a")).send(bytes("1"));
    const transaction = await (await session.createCoordinator()).begin();
    await (await receiver.receive()).accept({ transaction });
    await receiver.close();
    await transaction.commit();
    expect(scene.broker.inspect().queues).toHaveLength(0);
  });

  test("are another one for other topics", async () => {
    await using scene = await Amqp10Scene.open();
    const first = await scene.connection({ containerId: "c" });
    await (await first.createSession()).createReceiver("news/#", LASTING);
    first.destroy();
    await (await (await scene.session()).createSender("news/a")).send(bytes("old"));
    const receiver = await (await scene.session({ containerId: "c" })).createReceiver("other", LASTING);
    await (await (await scene.session()).createSender("other")).send(bytes("new"));
    expect(await takeTexts(receiver, 1)).toEqual(["new"]);
  });

  test("are shared by links with the capability for that", async () => {
    await using scene = await Amqp10Scene.open();
    const shared = (name: string): ReceiverOptions => ({
      name,
      credit: 1,
      source: { ...LASTING.source, capabilities: ["shared", "global"] },
    });
    const one = await (await scene.session()).createReceiver("t", shared("s|1"));
    const two = await (await scene.session()).createReceiver("t", shared("s|2"));
    const sender = await (await scene.session()).createSender("t");
    for (const each of ["a", "b"]) await sender.send(bytes(each));
    expect([...(await takeTexts(one, 1)), ...(await takeTexts(two, 1))].sort()).toEqual(["a", "b"]);
  });

  test("that are shared and have links are nobody's to change", async () => {
    await using scene = await Amqp10Scene.open();
    const shared = (name: string, selector: string): ReceiverOptions => ({
      name,
      source: { ...LASTING.source, capabilities: ["shared", "global"], filters: [selectorFilter(selector)] },
    });
    const one = await (await scene.session()).createReceiver("t", shared("s|1", "a = 1"));
    const other = await scene.session();
    await expect(other.createReceiver("t", shared("s|2", "a = 2"))).rejects.toMatchObject({
      peer: { code: "amqp:precondition-failed" },
    });
    const sender = await other.createSender("t");
    await sender.send({ applicationProperties: { a: 1 }, body: { type: "data", data: bytes("1") } });
    expect(await takeTexts(one, 1)).toEqual(["1"]);
  });

  test.each([
    [{ expiryPolicy: "never" }, ["never", 0]],
    [{ durability: "configuration" }, ["never", 0]],
    [{ expiryPolicy: "session-end", expiryTimeoutSeconds: 5 }, ["link-detach", 5]],
  ] as const)("are answered with the expiry that is in force (%j, §3.5.6)", async (source, expected) => {
    await using scene = await Amqp10Scene.open();
    const receiver = await (await scene.session()).createReceiver("t", { name: "sub", source });
    const { expiryPolicy, timeout } = receiver.remote.source as Source;
    expect([expiryPolicy, timeout]).toEqual(expected);
  });

  test("pass over their own connection's messages where they ask for that", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const source = { ...LASTING.source, filters: [noLocalFilter()] };
    const receiver = await session.createReceiver("t", { ...LASTING, source });
    await (await session.createSender("t")).send(bytes("own"));
    await (await (await scene.session()).createSender("t")).send(bytes("other"));
    expect(await takeTexts(receiver, 1)).toEqual(["other"]);
  });
});

describe("link names (§2.6.1)", () => {
  test("a link that is attached again elsewhere is taken from where it was", async () => {
    await using scene = await Amqp10Scene.open();
    const first = await scene.session({ containerId: "c" });
    const receiver = await first.createReceiver("$queue/q", { name: "l" });
    const second = await scene.session({ containerId: "c" });
    await second.createReceiver("$queue/q", { name: "l" });
    expect(await receiver.closed).toMatchObject({ peer: { code: "amqp:link:stolen" } });
    await (await scene.session({ containerId: "d" })).createReceiver("$queue/q", { name: "l" });
    expect(second.links).toHaveLength(1);
  });

  test("an attach of a connection that came before is late, and takes nothing", async () => {
    await using scene = await Amqp10Scene.open();
    const first = await scene.session({ containerId: "c" });
    const second = await scene.session({ containerId: "c" });
    const receiver = await second.createReceiver("$queue/q", { name: "l" });
    await expect(first.createReceiver("$queue/q", { name: "l" })).rejects.toMatchObject({
      peer: { code: "amqp:link:stolen" },
    });
    await (await second.createSender("$queue/q")).send(bytes("a"));
    expect(await takeTexts(receiver, 1)).toEqual(["a"]);
  });
});
