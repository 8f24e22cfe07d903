import { isMessagingError, type MqttClient } from "polymq/mqtt";
import { type FaultProxy, faultProxy } from "polymq/testing";
import { describe, expect, test } from "vitest";
import { pollUntil, withDeadline } from "../harness/deadline.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Mosquitto, startMosquitto } from "../harness/start-mosquitto.ts";
import { Ear, eventOf, numbered, Stage } from "./stage.test-support.ts";

const MESSAGES = 2_000;
const EXCHANGE_TIMEOUT_MS = 25_000;
/** New messages received between two cuts: a cut for every so many received would come again before anything new could. */
const CUT_EVERY = 170;
/** Mosquitto's default of `max_inflight_messages`. */
const MOSQUITTO_INFLIGHT = 20;
/** PINGREQ and PINGRESP have two bytes each. */
const PING_BYTES = 2;

const tools = requireOrSkip("mosquitto");

describe.skipIf(tools.skip)(tools.title("faults between our client and Mosquitto"), { concurrent: true }, () => {
  describe.each([
    { level: 4, version: "3.1.1" },
    { level: 5, version: "5.0" },
  ] as const)("$version", ({ level }) => {
    test.each([
      { qos: 1, reads: "handler" },
      { qos: 1, reads: "iterator" },
      { qos: 2, reads: "handler" },
      { qos: 2, reads: "iterator" },
    ] as const)(
      "2,000 messages of QoS $qos over a link that is cut again and again, read by $reads: none is lost, and at QoS 2 none comes twice",
      async ({ qos, reads }) => {
        await using broker = disposable(await startMosquitto({ maxInflight: 500, maxQueued: 0 }));
        await using proxy = await proxyTo(broker);
        await using stage = new Stage({ level, address: () => ({ servers: `mqtt://127.0.0.1:${proxy.port}` }) });
        const receiver = await stage.connect(stage.lasting());
        const sender = await stage.connect(stage.lasting());
        const sent = numbered("message", MESSAGES);
        const collected = collect(receiver, { topic: stage.topic, qos, reads, proxy });
        await collected.ready;
        const published = Promise.all(sent.map((text) => sender.publish(stage.topic, text, { qos })));
        // Before the test's own timeout, which would leave the broker running.
        const [results, received] = await withDeadline(
          Promise.all([published, collected.all]),
          EXCHANGE_TIMEOUT_MS,
          () => "messages are missing",
        );
        expect(results).toHaveLength(MESSAGES);
        expect([...new Set(received)]).toEqual(sent);
        if (qos === 2) expect(received).toHaveLength(MESSAGES);
        // Two connections a time, unless one was just being made again.
        expect(proxy.stats.cuts).toBeGreaterThanOrEqual(Math.floor(MESSAGES / CUT_EVERY));
      },
    );

    test("after the broker was killed the client comes back by itself and subscribes anew", async () => {
      await using broker = disposable(await startMosquitto());
      await using stage = new Stage({ level, address: () => ({ servers: `mqtt://127.0.0.1:${broker.port}` }) });
      const ear = await stage.watcher(`${stage.topic}/#`, 1);
      await ear.client.subscribe(`${stage.topic}/gone`, { qos: 1 });
      await ear.client.unsubscribe(`${stage.topic}/gone`);
      const lost = eventOf(ear.client, "connectionLost");
      const back = eventOf(ear.client, "connect");
      await broker.restart("kill");
      expect((await lost).error.code).toBe("ERR_CONNECTION_LOST");
      expect((await back).sessionPresent).toBe(false);
      const sender = await stage.connect();
      // The client's own SUBSCRIBE went out at CONNACK; a round trip behind it shows that it was granted.
      await ear.client.subscribe(`${stage.topic}/other`, { qos: 1 });
      await sender.publish(`${stage.topic}/x`, "hello again", { qos: 1 });
      await ear.expect("hello again");
    });

    test("messages in flight over a restart of a broker that keeps its sessions are all delivered", async () => {
      await using broker = disposable(await startMosquitto({ persistence: true, maxInflight: 500, maxQueued: 0 }));
      await using stage = new Stage({ level, address: () => ({ servers: `mqtt://127.0.0.1:${broker.port}` }) });
      const ear = new Ear(await stage.connect(stage.lasting()));
      await ear.client.subscribe(stage.topic, { qos: 2, handler: ear.hear });
      const sender = await stage.connect(stage.lasting());
      const sent = numbered("message", 600);
      const back = eventOf(ear.client, "connect");
      const published = sent.map((text, index) => sender.publish(stage.topic, text, { qos: index % 2 === 0 ? 1 : 2 }));
      await published[20];
      await broker.restart();
      await withDeadline(Promise.all(published), EXCHANGE_TIMEOUT_MS, () => "publishes are not acknowledged");
      expect((await back).sessionPresent).toBe(true);
      const missing = new Set(sent);
      while (missing.size > 0) {
        const message = await ear.next();
        // Only QoS 1 may come again.
        expect(missing.delete(message.text()) || message.qos === 1).toBe(true);
      }
    });

    test("with a window of no more than Mosquitto's, which 3.1.1 cannot tell, a burst of QoS 2 arrives whole", async () => {
      // As it comes: 20 in flight. A 3.1.1 client that has more is cut off, and Mosquitto forgets what it acknowledged.
      await using broker = disposable(await startMosquitto({ maxQueued: 0 }));
      await using stage = new Stage({ level, address: () => ({ servers: `mqtt://127.0.0.1:${broker.port}` }) });
      const ear = await stage.watcher();
      const sender = await stage.connect(level === 4 ? { maxInflight: MOSQUITTO_INFLIGHT } : {});
      const sent = numbered("message", 500);
      await Promise.all(sent.map((text) => sender.publish(stage.topic, text, { qos: 2 })));
      expect(await ear.texts(sent.length)).toEqual(sent);
      expect(sender.connected).toBe(true);
    });

    test("an idle connection is kept alive by PINGREQ, and a silent one counts as lost", async () => {
      await using broker = disposable(await startMosquitto());
      await using proxy = await proxyTo(broker);
      await using stage = new Stage({ level, address: () => ({ servers: `mqtt://127.0.0.1:${proxy.port}` }) });
      const client = await stage.connect({ keepAliveSeconds: 1, pingTimeoutMs: 300 });
      const before = proxy.stats.bytesToClient;
      const answers = (): number => (proxy.stats.bytesToClient - before) / PING_BYTES;
      await pollUntil(
        async () => answers() >= 2,
        10_000,
        () => "no PINGRESP",
      );
      expect([client.connected, proxy.stats.connections]).toEqual([true, 1]);
      const lost = eventOf(client, "connectionLost");
      const back = eventOf(client, "connect");
      proxy.setFaults({ stall: "toClient" });
      expect((await lost).error.code).toBe("ERR_PING_TIMEOUT");
      proxy.setFaults({});
      await back;
    });

    test("a client that the broker no longer hears is put out by it, and its will is published", async () => {
      await using broker = disposable(await startMosquitto());
      await using proxy = await proxyTo(broker);
      await using stage = new Stage({ level, address: () => ({ servers: `mqtt://127.0.0.1:${broker.port}` }) });
      const watcher = await stage.watcher();
      await stage.connect({
        servers: `mqtt://127.0.0.1:${proxy.port}`,
        keepAliveSeconds: 1,
        pingTimeoutMs: 60_000,
        will: { topic: stage.topic, payload: "unheard", qos: 1 },
      });
      proxy.setFaults({ stall: "toServer" });
      await watcher.expect("unheard");
    });

    test("with no broker to come back to, the client gives up with a typed error", async () => {
      await using broker = disposable(await startMosquitto());
      await using stage = new Stage({ level, address: () => ({ servers: `mqtt://127.0.0.1:${broker.port}` }) });
      const client = await stage.connect({ reconnect: { initialDelayMs: 10, jitter: "none", maxAttempts: 3 } });
      const failed = eventOf(client, "reconnectFailed");
      const pending = client.publish(stage.topic, "for nobody", { qos: 1 }).catch((error: unknown) => error);
      await broker.stop();
      expect((await failed).error.code).toBe("ERR_RECONNECT_EXHAUSTED");
      const outcome = await pending;
      // It may have been acknowledged before the broker ended; else its promise says what became of it.
      expect(isMessagingError(outcome) || (outcome as { reasonCode: number }).reasonCode >= 0).toBe(true);
      await expect(stage.connect()).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    });
  });
});

interface Collection {
  readonly topic: string;
  readonly qos: 1 | 2;
  readonly reads: "handler" | "iterator";
  readonly proxy: FaultProxy;
}

/** Reads until every message was there, and cuts the link on the way; gives what came, in the order in which it came. */
function collect(
  client: MqttClient,
  what: Collection,
): { readonly ready: Promise<void>; readonly all: Promise<string[]> } {
  const received: string[] = [];
  const different = new Set<string>();
  const note = (text: string): boolean => {
    received.push(text);
    if (different.has(text)) return false;
    different.add(text);
    if (different.size % CUT_EVERY === 0) what.proxy.cut(different.size % (2 * CUT_EVERY) === 0 ? "fin" : "rst");
    return different.size === MESSAGES;
  };
  if (what.reads === "iterator") {
    const subscribed = client.subscribe(what.topic, { qos: what.qos });
    const all = subscribed.then(async (subscription) => {
      for await (const message of subscription) {
        if (note(message.text())) {
          // Leaving the loop would leave this one unacknowledged.
          message.ack();
          break;
        }
      }
      return received;
    });
    return { ready: subscribed.then(() => {}), all };
  }
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  }).then(() => received);
  const handler = (message: { text(): string }): void => {
    if (note(message.text())) done();
  };
  return { ready: client.subscribe(what.topic, { qos: what.qos, handler }).then(() => {}), all };
}

function disposable(broker: Mosquitto): Mosquitto & AsyncDisposable {
  return Object.assign(broker, { [Symbol.asyncDispose]: () => broker.stop() });
}

async function proxyTo(broker: Mosquitto): Promise<FaultProxy & AsyncDisposable> {
  const proxy = await faultProxy({ target: { host: broker.host, port: broker.port } });
  return Object.assign(proxy, { [Symbol.asyncDispose]: () => proxy.close() });
}
