import { describe, expect, test } from "vitest";
import { traced } from "../../../base/traced.test-support.ts";
import type { Names } from "../../engine/engine.test-support.ts";
import type { ReceiverLink } from "../../engine/receiver-link.ts";
import type { SenderLink } from "../../engine/sender-link.ts";
import { type LabServer, quiet, type RecoveringLab, recoveringLab, until } from "../client-lab.test-support.ts";
import type { AmqpDelivery } from "../delivery.ts";
import type { AmqpReceiver } from "../receiver.ts";
import type { AmqpSender } from "../sender.ts";
import type { AmqpCoordinator } from "./coordinator.ts";
import { TransactionServer } from "./transaction-server.test-support.ts";

interface Transacted extends RecoveringLab {
  readonly broker: TransactionServer;
  readonly coordinator: AmqpCoordinator;
  readonly sender: AmqpSender;
  readonly receiver: AmqpReceiver;
}

async function transacted(): Promise<Transacted> {
  const broker = new TransactionServer();
  const made = await recoveringLab({}, (server) => broker.attach(server));
  const session = await made.connection.createSession();
  const coordinator = await session.createCoordinator();
  const sender = await session.createSender("in");
  const receiver = await session.createReceiver("out", { name: "r" });
  return { ...made, broker, coordinator, sender, receiver };
}

const bytes = (data: string): Uint8Array => new TextEncoder().encode(data);

/** Delivers texts to the receiver of a client, and takes them there. */
async function received({ servers, receiver }: Transacted, texts: readonly string[]): Promise<AmqpDelivery[]> {
  const server = servers.at(-1) as LabServer;
  const link = server.links.get("r") as SenderLink<Names>;
  await until(() => link.credit > 0);
  for (const each of texts) link.send(new Uint8Array([0, 0x53, 0x75, 0xa0, 0]), each);
  server.push();
  return await receiver.receive({ max: texts.length });
}

describe("a transaction", () => {
  test("attaches to a coordinator, and commits what was sent and settled in it at once (§4.4)", async () => {
    const made = await transacted();
    const { broker, coordinator, sender, connection, servers } = made;
    const target = [...(servers[0]?.links.values() ?? [])].map((link) => link.remote?.target as { type: string });
    expect(target).toContainEqual({
      type: "coordinator",
      capabilities: ["amqp:local-transactions", "amqp:multi-txns-per-ssn"],
    });
    expect(coordinator.capabilities).toContain("amqp:local-transactions");
    const [one, two] = await received(made, ["m1", "m2"]);
    const transaction = await coordinator.begin();
    expect(await sender.send(bytes("a"), { transaction })).toEqual({ type: "accepted" });
    const receipt = await sender.sendWithReceipt(bytes("b"), { transaction });
    expect(await receipt.wait()).toEqual({ type: "accepted" });
    await one?.accept({ transaction });
    await two?.accept({ transaction });
    await quiet();
    expect([broker.stored, broker.settled, transaction.state]).toEqual([[], [], "open"]);
    await transaction.commit();
    expect(transaction.state).toBe("committed");
    expect(broker.stored).toEqual(["a", "b"]);
    expect(broker.settled).toEqual([
      ["m1", "accepted"],
      ["m2", "accepted"],
    ]);
    await connection.close();
  });

  test("is not told to diagnostics as messages, what is sent in it is", async () => {
    const { coordinator, sender, connection } = await transacted();
    const run = async (): Promise<void> => {
      const transaction = await coordinator.begin();
      await sender.send(bytes("x"), { transaction });
      await transaction.commit();
    };
    expect(await traced("polymq:publish", run)).toMatchObject([{ address: "in" }]);
    expect(await traced("polymq:settle", run)).toMatchObject([{ direction: "out", outcome: "accepted" }]);
    await connection.close();
  });

  test("rolls back what was sent and settled in it", async () => {
    const made = await transacted();
    const { broker, coordinator, sender, connection } = made;
    const [one] = await received(made, ["m1"]);
    const transaction = await coordinator.begin();
    await sender.send(bytes("a"), { transaction });
    await one?.modify({ deliveryFailed: true, transaction });
    await transaction.rollback();
    expect([broker.told, broker.stored, broker.settled]).toEqual([["declare", "rollback tx-1"], [], []]);
    expect(transaction.state).toBe("rolledBack");
    await transaction.rollback();
    await connection.close();
  });

  test.each(["rollback", "loss"] as const)(
    "of which a message waits for credit sends it no more after its %s",
    async (how) => {
      const made = await transacted();
      const { broker, coordinator, connection, servers } = made;
      const server = servers[0] as LabServer;
      server.credit = 1;
      const sender = await (await connection.createSession()).createSender("slow", { name: "slow" });
      const transaction = await coordinator.begin();
      const sends = ["left", "waits"].map((data) => sender.send(bytes(data), { transaction }));
      const receipt = sender.sendWithReceipt(bytes("waits too"), { transaction });
      await quiet();
      const settled = Promise.allSettled([...sends, receipt.then((each) => each.wait())]);
      if (how === "rollback") await transaction.rollback();
      else await coordinator.close();
      const results = await settled;
      expect(results.map((each) => (each.status === "fulfilled" ? each.value : each.reason.code))).toEqual([
        { type: "accepted" },
        "ERR_TRANSACTION_ROLLED_BACK",
        "ERR_TRANSACTION_ROLLED_BACK",
      ]);
      (server.links.get("slow") as ReceiverLink<Names>).setCredit(10);
      server.push();
      expect(await sender.send(bytes("next"))).toEqual({ type: "accepted" });
      expect(broker.stored).toEqual(["next"]);
      expect([sender.pendingMessages, sender.waitingMessages]).toEqual([0, 0]);
      await connection.close();
    },
  );

  test("settlements leave before the commit, and a commit waits for what is being sent", async () => {
    const made = await transacted();
    const { broker, coordinator, sender, connection } = made;
    const [one] = await received(made, ["m1"]);
    const transaction = await coordinator.begin();
    const sending = sender.send(bytes("a"), { transaction });
    const accepting = one?.accept({ transaction });
    await transaction.commit();
    await Promise.all([sending, accepting]);
    expect([broker.stored, broker.settled]).toEqual([["a"], [["m1", "accepted"]]]);
    await connection.close();
  });

  test("two at a time do not touch each other, nor what is sent without one", async () => {
    const { broker, coordinator, sender, connection } = await transacted();
    const one = await coordinator.begin();
    const two = await coordinator.begin();
    await sender.send(bytes("1"), { transaction: one });
    await sender.send(bytes("2"), { transaction: two });
    await sender.send(bytes("plain"));
    await two.commit();
    await one.rollback();
    expect(broker.stored).toEqual(["plain", "2"]);
    await connection.close();
  });

  test("is rolled back instead of committed when a message in it was not accepted", async () => {
    const { broker, coordinator, sender, connection } = await transacted();
    const transaction = await coordinator.begin();
    await expect(sender.send(bytes("bad"), { transaction })).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    await sender.send(bytes("good"), { transaction });
    await expect(transaction.commit()).rejects.toMatchObject({
      code: "ERR_TRANSACTION_ROLLED_BACK",
      cause: { code: "ERR_PUBLISH_REJECTED" },
    });
    expect([broker.stored, broker.told.at(-1)]).toEqual([[], "rollback tx-1"]);
    await connection.close();
  });

  test("that the server cannot commit is ERR_TRANSACTION_ROLLED_BACK with its reason", async () => {
    const { broker, coordinator, connection } = await transacted();
    broker.onDischarge = (delivery) =>
      void delivery.link.settle(delivery, {
        type: "rejected",
        error: { type: "error", condition: "amqp:transaction:rollback", description: "conflict" },
      });
    const transaction = await coordinator.begin();
    await expect(transaction.commit()).rejects.toMatchObject({
      code: "ERR_TRANSACTION_ROLLED_BACK",
      peer: { code: "amqp:transaction:rollback", text: "conflict" },
    });
    expect(transaction.state).toBe("rolledBack");
    await connection.close();
  });

  test("whose coordinator detaches with a reason is rolled back, and so are the others on it", async () => {
    const { broker, coordinator, sender, connection } = await transacted();
    broker.onDischarge = (delivery) =>
      delivery.link.detach({ closed: true, error: { type: "error", condition: "amqp:transaction:timeout" } });
    const one = await coordinator.begin();
    const two = await coordinator.begin();
    await expect(one.commit()).rejects.toMatchObject({
      code: "ERR_TRANSACTION_ROLLED_BACK",
      peer: { code: "amqp:transaction:timeout" },
    });
    expect(two.state).toBe("rolledBack");
    await expect(sender.send(bytes("late"), { transaction: two })).rejects.toMatchObject({
      code: "ERR_TRANSACTION_ROLLED_BACK",
    });
    await expect(coordinator.begin()).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
    await connection.close();
  });

  test("is rolled back when the connection is lost; the coordinator comes back, and nothing of it is sent again", async () => {
    const { broker, coordinator, sender, connection, servers } = await transacted();
    const transaction = await coordinator.begin();
    const first = servers[0] as LabServer;
    first.outcome = null;
    const sending = sender.send(bytes("a"), { transaction });
    const plain = sender.send(bytes("plain"));
    await until(() => first.deliveries.length === 3);
    first.transport.destroy();
    await expect(sending).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await plain;
    expect(transaction.state).toBe("rolledBack");
    await expect(transaction.commit()).rejects.toMatchObject({ code: "ERR_TRANSACTION_ROLLED_BACK" });
    const again = await coordinator.begin();
    await sender.send(bytes("b"), { transaction: again });
    await again.commit();
    expect(broker.stored).toEqual(["plain", "b"]);
    await connection.close();
  });

  test("whose commit has no answer when the connection is lost is ERR_TRANSACTION_UNKNOWN", async () => {
    const { broker, coordinator, connection, servers } = await transacted();
    const transaction = await coordinator.begin();
    broker.onDischarge = () => servers[0]?.transport.destroy();
    await expect(transaction.commit()).rejects.toMatchObject({ code: "ERR_TRANSACTION_UNKNOWN", retry: "unknown" });
    await connection.close();
  });

  test("that is over takes nothing more: ERR_TRANSACTION_ENDED", async () => {
    const made = await transacted();
    const { coordinator, sender, connection } = made;
    const [one] = await received(made, ["m1"]);
    const transaction = await coordinator.begin();
    await transaction.commit();
    await expect(sender.send(bytes("x"), { transaction })).rejects.toMatchObject({ code: "ERR_TRANSACTION_ENDED" });
    await expect(one?.accept({ transaction })).rejects.toMatchObject({ code: "ERR_TRANSACTION_ENDED" });
    await expect(transaction.commit()).rejects.toMatchObject({ code: "ERR_TRANSACTION_ENDED" });
    await one?.accept();
    await connection.close();
  });

  test("run commits when the work is done, and rolls back when it fails", async () => {
    const { broker, coordinator, sender, connection } = await transacted();
    expect(
      await coordinator.run(async (transaction) => {
        await sender.send(bytes("a"), { transaction });
        return 7;
      }),
    ).toBe(7);
    const failing = coordinator.run(async (transaction) => {
      await sender.send(bytes("b"), { transaction });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect([broker.stored, broker.told.at(-1)]).toEqual([["a"], "rollback tx-2"]);
    await connection.close();
  });

  test("run rejects when the server rolled its transaction back meanwhile, and not when the work itself did", async () => {
    const { broker, coordinator, sender, connection, servers } = await transacted();
    const lost = coordinator.run(async (transaction) => {
      await sender.send(bytes("a"), { transaction });
      servers[0]?.transport.destroy();
      await until(() => transaction.state === "rolledBack");
      return "done";
    });
    await expect(lost).rejects.toMatchObject({ code: "ERR_TRANSACTION_ROLLED_BACK" });
    expect(broker.stored).toEqual([]);
    await coordinator.begin().then((transaction) => transaction.commit());
    expect(await coordinator.run((transaction) => transaction.rollback())).toBeUndefined();
    await connection.close();
  });

  test("a commit given up by its signal while an outcome is missing goes on, and rejects at once", async () => {
    const { broker, coordinator, sender, connection, servers } = await transacted();
    const server = servers[0] as LabServer;
    const { outcome } = server;
    const transaction = await coordinator.begin();
    server.outcome = null;
    const sending = sender.send(bytes("a"), { transaction });
    await until(() => server.deliveries.length === 2);
    const abort = new AbortController();
    const committing = transaction.commit({ signal: abort.signal });
    abort.abort();
    await expect(committing).rejects.toMatchObject({ code: "ERR_ABORTED" });
    server.outcome = outcome;
    for (const delivery of server.deliveries.slice(1)) outcome?.(delivery);
    server.push();
    await sending;
    await until(() => transaction.state === "committed");
    expect(broker.stored).toEqual(["a"]);
    await connection.close();
  });

  test("begin given up by its signal leaves no transaction open", async () => {
    const { broker, coordinator, connection } = await transacted();
    const abort = new AbortController();
    const beginning = coordinator.begin({ signal: abort.signal });
    abort.abort();
    await expect(beginning).rejects.toMatchObject({ code: "ERR_ABORTED" });
    await until(() => broker.told.length === 2);
    expect([broker.told[1], broker.open]).toEqual(["rollback tx-1", 0]);
    await connection.close();
  });

  test("a server without a coordinator refuses the link, and the session goes on", async () => {
    const { connection } = await recoveringLab({}, (server) => {
      server.onOffer = (link) => link.refuse({ type: "error", condition: "amqp:not-implemented" });
    });
    const session = await connection.createSession();
    await expect(session.createCoordinator()).rejects.toMatchObject({
      code: "ERR_LINK_DETACHED",
      peer: { code: "amqp:not-implemented" },
    });
    expect(session.state).toBe("open");
    await connection.close();
  });
});
