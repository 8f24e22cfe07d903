import {
  type AmqpConnection,
  type AmqpDelivery,
  type AmqpReceiver,
  type ConnectOptions,
  connect,
  symbol,
  typed,
} from "polymq/amqp10";
import { faultProxy } from "polymq/testing";
import { expect, test, vi } from "vitest";

/** What the scenarios need to know of a broker. */
export interface Amqp10Target {
  readonly url: string;
  /** The address of a queue, from its bare name. */
  address(name: string): string;
  readonly options?: ConnectOptions;
}

/** What a broker is not asked to do. */
export interface Amqp10Limits {
  /** False for one that makes a node of whatever is addressed. Default true. */
  readonly refuses?: boolean;
}

/** How long a message may take. */
const WAIT_MS = 10_000;

/** The next message, or a failure in time. */
export async function next(receiver: {
  receive(options: { signal: AbortSignal }): Promise<AmqpDelivery>;
}): Promise<AmqpDelivery> {
  return receiver.receive({ signal: AbortSignal.timeout(WAIT_MS) });
}

/** What our client does with every broker of AMQP 1.0. */
export function brokerScenarios(target: () => Amqp10Target, { refuses = true }: Amqp10Limits = {}): void {
  async function using(
    name: string,
    act: (connection: AmqpConnection, address: string) => Promise<void>,
  ): Promise<void> {
    const { url, options, address } = target();
    const connection = await connect(url, options);
    try {
      await act(connection, address(name));
    } finally {
      await connection.close();
    }
    expect(connection.error).toBeNull();
  }

  test("messages are accepted, come back whole and in order, and are gone once accepted", async () => {
    const bodies = Array.from({ length: 1_000 }, (_, i) => new Uint8Array(i === 500 ? 400_000 : 1 + (i % 300)).fill(i));
    await using("order", async (connection, address) => {
      const session = await connection.createSession();
      const sender = await session.createSender(address);
      const outcomes = await Promise.all(bodies.map((body) => sender.send(body)));
      expect(new Set(outcomes.map((outcome) => outcome && "type" in outcome && outcome.type))).toEqual(
        new Set(["accepted"]),
      );
      const receiver = await session.createReceiver(address);
      for (const [i, body] of bodies.entries()) {
        const delivery = await next(receiver);
        expect(Buffer.compare(delivery.message.data ?? Buffer.of(), body), `message ${i}`).toBe(0);
        await delivery.accept();
      }
    });
    await using("order", async (connection, address) => {
      const receiver = await (await connection.createSession()).createReceiver(address);
      expect(await receiver.receive({ max: 1, timeoutMs: 300 })).toEqual([]);
    });
  });

  test("sections and types arrive as they were sent", async () => {
    await using("sections", async (connection, address) => {
      const session = await connection.createSession();
      await (await session.createSender(address)).send({
        header: { durable: true, priority: 5 },
        messageAnnotations: { "x-opt-a": symbol("s") },
        properties: { messageId: "m-1", subject: "s", correlationId: typed("ulong", 7), contentType: "text/plain" },
        applicationProperties: { text: "t", flag: true, count: typed("long", 5) },
        body: { type: "data", data: new TextEncoder().encode("x") },
      });
      const delivery = await next(await session.createReceiver(address));
      const { message } = delivery;
      expect(message.properties).toMatchObject({ messageId: "m-1", subject: "s", correlationId: typed("ulong", 7) });
      expect(message.applicationProperties?.get("text")).toBe("t");
      expect(message.applicationProperties?.get("flag")).toBe(true);
      expect(message.applicationProperties?.get("count")).toEqual(typed("long", 5));
      expect(message.header).toMatchObject({ durable: true, priority: 5 });
      await delivery.accept();
    });
  });

  test("a released message comes again", async () => {
    await using("released", async (connection, address) => {
      const session = await connection.createSession();
      await (await session.createSender(address)).send("again");
      const receiver = await session.createReceiver(address);
      const first = await next(receiver);
      await first.release();
      const second = await next(receiver);
      expect(second.message.body).toEqual(first.message.body);
      await second.accept();
    });
  });

  test.skipIf(!refuses)(
    "a refused address is a typed error with the broker's condition, and the connection goes on",
    async () => {
      await using("after-refusal", async (connection, address) => {
        const session = await connection.createSession();
        const error = await session.createSender("refused/nowhere").catch((caught: unknown) => caught);
        expect(error).toMatchObject({
          name: "MessagingError",
          peer: { protocol: "amqp10", code: expect.stringMatching(/^amqp:/) },
        });
        const other = await connection.createSession();
        await (await other.createSender(address)).send("x");
        await (await next(await other.createReceiver(address))).accept();
      });
    },
  );

  test("manual credit brings so many messages and no more", async () => {
    await using("credit", async (connection, address) => {
      const session = await connection.createSession();
      const sender = await session.createSender(address);
      for (let i = 0; i < 5; i++) await sender.send(`${i}`);
      const receiver = await session.createReceiver(address, { credit: "manual" });
      receiver.issueCredit(2);
      const two = await receiver.receive({ max: 3, timeoutMs: 1_000 });
      expect(two).toHaveLength(2);
      receiver.issueCredit(3);
      const rest = await receiver.receive({ max: 3, timeoutMs: 1_000 });
      expect(rest).toHaveLength(3);
      for (const delivery of [...two, ...rest]) await delivery.accept();
    });
  });

  test("a connection that is cut again and again comes back, and loses no message that was accepted (S18)", async () => {
    const { url, options, address } = target();
    const place = new URL(url);
    const proxy = await faultProxy({ target: { host: place.hostname, port: Number(place.port) } });
    const through = new URL(url);
    through.port = String(proxy.port);
    const reconnect = { initialDelayMs: 10, maxDelayMs: 50 };
    const connection = await connect(through.href.replace(/\/$/, ""), { ...options, reconnect });
    const session = await connection.createSession();
    const sender = await session.createSender(address("cut"));
    const receiver = await session.createReceiver(address("cut"));
    const seen = new Set<string>();
    const reading = (async () => {
      for await (const delivery of receiver) {
        seen.add(new TextDecoder().decode(delivery.message.data ?? undefined));
        await delivery.accept().catch(() => undefined);
      }
    })();
    let cuts = 0;
    connection.on("reconnected", () => cuts++);
    for (let round = 0; round < 5; round++) {
      const sends = Array.from({ length: 200 }, (_, i) => sender.send(new TextEncoder().encode(`${round}-${i}`)));
      proxy.cut("rst");
      await Promise.all(sends);
    }
    const all = Array.from({ length: 1_000 }, (_, i) => `${Math.floor(i / 200)}-${i % 200}`);
    await vi.waitFor(() => expect(all.filter((each) => !seen.has(each))).toEqual([]), { timeout: WAIT_MS });
    expect(cuts).toBeGreaterThanOrEqual(5);
    await connection.close();
    await reading;
    await proxy.close();
  });
}

/** A transaction on a queue, with every broker that has transactions. */
export function transactionScenario(target: () => Amqp10Target): void {
  test("a transaction sends and settles when it is committed, and neither when it is rolled back", async () => {
    const { url, options, address } = target();
    const connection = await connect(url, options);
    const session = await connection.createSession();
    const coordinator = await session.createCoordinator();
    const [into, out] = [await session.createSender(address("tx-in")), await session.createReceiver(address("tx-in"))];
    await into.send("first");
    const results = await session.createReceiver(address("tx-out"));
    const sender = await session.createSender(address("tx-out"));
    const rolledBack = await coordinator.begin();
    const taken = await next(out);
    expect(await sender.send("lost", { transaction: rolledBack })).toEqual({ type: "accepted" });
    await taken.accept({ transaction: rolledBack });
    await rolledBack.rollback();
    const again = await next(out);
    expect(again.message.body).toEqual({ type: "value", value: "first" });
    await coordinator.run(async (transaction) => {
      await sender.send("kept", { transaction });
      await again.accept({ transaction });
    });
    expect((await next(results)).message.body).toEqual({ type: "value", value: "kept" });
    expect(await out.receive({ max: 1, timeoutMs: 300 })).toEqual([]);
    await connection.close();
  });
}

/** Where a broker has topics. */
export interface TopicTarget {
  readonly url: string;
  readonly address: string;
  readonly capabilities: readonly string[];
  readonly options?: ConnectOptions;
  /** Kills the broker and starts it on its data. */
  restart(): Promise<void>;
}

/** A durable subscription, named by container and link: it is there while nobody is, over a kill of its broker too, until its link is closed. */
export function durableSubscriptionScenario(target: () => TopicTarget): void {
  test("a durable subscription keeps what comes while its link is away and its broker is killed, until it is closed", async () => {
    const { url, address, capabilities, options, restart } = target();
    const subscribe = async (): Promise<[AmqpConnection, AmqpReceiver]> => {
      const connection = await connect(url, { ...options, containerId: "durable" });
      const session = await connection.createSession();
      const source = { capabilities, durability: "unsettledState", expiryPolicy: "never" } as const;
      return [connection, await session.createReceiver(address, { name: "subscription", source })];
    };
    const publish = async (...bodies: readonly string[]): Promise<void> => {
      const connection = await connect(url, options);
      const sender = await (await connection.createSession()).createSender(address, { target: { capabilities } });
      for (const value of bodies) await sender.send({ header: { durable: true }, body: { type: "value", value } });
      await connection.close();
    };
    const [first, away] = await subscribe();
    await away.detach();
    await first.close();
    await publish("1", "2", "3");
    await restart();
    const [second, back] = await subscribe();
    const values: unknown[] = [];
    while (values.length < 3) {
      const delivery = await next(back);
      values.push(delivery.message.body);
      await delivery.accept();
    }
    expect(values).toEqual(["1", "2", "3"].map((value) => ({ type: "value", value })));
    await back.close();
    await second.close();
    await publish("nobody's");
    const [third, anew] = await subscribe();
    expect(await anew.receive({ max: 1, timeoutMs: 300 })).toEqual([]);
    await anew.close();
    await third.close();
  }, 300_000);
}
