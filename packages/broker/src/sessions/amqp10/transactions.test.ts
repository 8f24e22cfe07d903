import type { AmqpSession } from "polymq/amqp10";
import { describe, expect, test } from "vitest";
import { message, RawAmqp10, transfer } from "./raw-client.test-support.ts";
import { Amqp10Scene, takeTexts, textOf } from "./scene.test-support.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

type CompositeBody = Extract<Parameters<typeof message>[0]["body"], { type: "composite" }>["composite"];

function depth(scene: Amqp10Scene, name: string): number | undefined {
  return scene.broker.inspect().queues.find((one) => one.settings.name === name)?.depth;
}

/** A message in `in`, received in a session. */
async function received(session: AmqpSession) {
  await (await session.createSender("$queue/in")).send(bytes("work"));
  const receiver = await session.createReceiver("$queue/in");
  return { receiver, delivery: await receiver.receive() };
}

describe("transactions (§4)", () => {
  test("what is sent and settled in one counts once it is committed", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const { delivery } = await received(session);
    const out = await session.createSender("$queue/out");
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    await out.send(bytes("1"), { transaction });
    await out.send(bytes("2"), { transaction });
    await delivery.accept({ transaction });
    expect([depth(scene, "in"), depth(scene, "out")]).toEqual([1, undefined]);
    await transaction.commit();
    expect([depth(scene, "in"), depth(scene, "out")]).toEqual([0, 2]);
    expect(await takeTexts(await session.createReceiver("$queue/out"), 2)).toEqual(["1", "2"]);
  });

  test("a rollback takes all of it back, and what was settled is delivered again", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const { receiver, delivery } = await received(session);
    const out = await session.createSender("$queue/out");
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    await out.send(bytes("1"), { transaction });
    await delivery.accept({ transaction });
    await transaction.rollback();
    const again = await receiver.receive();
    expect([textOf(again.message.data), again.message.header?.deliveryCount]).toEqual(["work", 1]);
    expect(depth(scene, "out")).toBeUndefined();
  });

  test("without room for what is held, one with a topic is rolled back as a whole; with some left, committed as a whole", async () => {
    await using scene = await Amqp10Scene.open({ sessions: { heldBytesMax: 80_000 } });
    const session = await scene.session();
    await session.createReceiver("slow", { credit: "manual" });
    const [slow, out] = [await session.createSender("slow"), await session.createSender("$queue/out")];
    const coordinator = await session.createCoordinator();
    const sent = async (): Promise<Awaited<ReturnType<typeof coordinator.begin>>> => {
      const transaction = await coordinator.begin();
      await out.send(bytes("1"), { transaction });
      for (let i = 0; i < 3; i++) await slow.send(new Uint8Array(30_000), { transaction });
      return transaction;
    };
    await (await sent()).commit();
    expect([depth(scene, "out"), scene.broker.hub.held.isFull]).toEqual([1, true]);
    await expect((await sent()).commit()).rejects.toMatchObject({ code: "ERR_TRANSACTION_ROLLED_BACK" });
    expect(depth(scene, "out")).toBe(1);
  });

  test("a lost connection rolls back", async () => {
    await using scene = await Amqp10Scene.open();
    const connection = await scene.connection();
    const session = await connection.createSession();
    const { delivery } = await received(session);
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    await (await session.createSender("$queue/out")).send(bytes("1"), { transaction });
    await delivery.accept({ transaction });
    connection.destroy();
    const other = await scene.session();
    expect(await takeTexts(await other.createReceiver("$queue/in"), 1)).toEqual(["work"]);
    expect(depth(scene, "out")).toBeUndefined();
  });

  test("a coordinator that is closed rolls back what it began", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    await (await session.createSender("$queue/out")).send(bytes("1"), { transaction });
    await coordinator.close();
    expect(depth(scene, "out")).toBeUndefined();
  });

  test("one that cannot be done as a whole is rolled back", async () => {
    await using scene = await Amqp10Scene.open({ queues: [{ name: "small", maxDepth: 2 }] });
    const session = await scene.session();
    const { receiver, delivery } = await received(session);
    const small = await session.createSender("$queue/small");
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    for (const each of ["1", "2", "3"]) await small.send(bytes(each), { transaction });
    await delivery.accept({ transaction });
    await expect(transaction.commit()).rejects.toMatchObject({
      code: "ERR_TRANSACTION_ROLLED_BACK",
      peer: { code: "amqp:transaction:rollback" },
    });
    expect(depth(scene, "small")).toBe(0);
    expect(textOf((await receiver.receive()).message.data)).toBe("work");
  });

  test("one with a settled message that could not be taken is rolled back: its client was told nothing of that", async () => {
    await using scene = await Amqp10Scene.open();
    const client = await new RawAmqp10(scene.broker).open();
    const links = [
      { name: "coordinator", handle: 0, target: { type: "coordinator", capabilities: [] } },
      { name: "relay", handle: 1, target: { type: "target", address: null } },
    ] as const;
    for (const each of links) {
      const source = { type: "source" } as const;
      client.send(0, { ...each, type: "attach", role: false, initialDeliveryCount: 0, source });
      await client.until("flow");
    }
    const state = { type: "transactionalState", txnId: Uint8Array.of(0, 0, 0, 1) } as const;
    const request = (id: number, composite: CompositeBody): Uint8Array =>
      transfer(id, message({ body: { type: "composite", composite } }));
    const post = (id: number, to: string): Uint8Array =>
      transfer(id, message({ properties: { to }, body: { type: "data", data: bytes("x") } }), {
        handle: 1,
        settled: true,
        state,
      });
    client.write(request(0, { type: "declare" }));
    expect(await client.until("disposition 0")).toBe("disposition 0 declared");
    client.write(post(1, "$queue/out"), post(2, "/exchanges/none/key"));
    client.write(request(3, { type: "discharge", txnId: state.txnId, fail: false }));
    expect(await client.until("disposition 3")).toBe("disposition 3 rejected amqp:transaction:rollback");
    expect(depth(scene, "out")).toBeUndefined();
  });

  test("a receiver that is closed before the commit has settled all the same", async () => {
    await using scene = await Amqp10Scene.open();
    const session = await scene.session();
    const { receiver, delivery } = await received(session);
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    await delivery.accept({ transaction });
    await receiver.close();
    await transaction.commit();
    expect(depth(scene, "in")).toBe(0);
  });

  test("more open ones than allowed are refused, and an unknown one is told", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { transactionsMax: 1 } });
    const session = await scene.session();
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    await expect(coordinator.begin()).rejects.toMatchObject({ peer: { code: "amqp:resource-limit-exceeded" } });
    await transaction.rollback();
    await coordinator.begin();
  });

  test("one that is larger than allowed can only be rolled back", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { transactionBytesMax: 100 } });
    const session = await scene.session();
    const sender = await session.createSender("$queue/out");
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    await expect(sender.send(new Uint8Array(200), { transaction })).rejects.toMatchObject({
      peer: { code: "amqp:resource-limit-exceeded" },
    });
    await expect(transaction.commit()).rejects.toMatchObject({ code: "ERR_TRANSACTION_ROLLED_BACK" });
  });

  test("one that takes too long is rolled back, and whoever goes on with it is told (§4.5.8)", async () => {
    await using scene = await Amqp10Scene.open({ amqp10: { transactionTimeoutMs: 1 } });
    const session = await scene.session();
    const sender = await session.createSender("$queue/out");
    const coordinator = await session.createCoordinator();
    const transaction = await coordinator.begin();
    const send = (): Promise<unknown> =>
      sender.send(bytes("x"), { transaction }).then(
        () => null,
        (error: { peer: { code: string } }) => error.peer.code,
      );
    await expect.poll(send).toBe("amqp:transaction:timeout");
    await expect(transaction.commit()).rejects.toMatchObject({ code: "ERR_TRANSACTION_ROLLED_BACK" });
    expect(depth(scene, "out")).toBeUndefined();
  });
});
