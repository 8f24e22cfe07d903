import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../store/memory-store.ts";
import type { MessageStore, StoreOperation } from "../../store/message-store.ts";
import type { MqttMessage } from "./message.ts";
import { ack, Lab, message } from "./parity-lab.test-support.ts";
import type { MqttSubscription, Overflow } from "./subscription.ts";

const payloads = (lab: Lab): string[] =>
  lab.server.untaken.map((packet) =>
    packet.type === "publish" ? new TextDecoder().decode(packet.payload) : packet.type,
  );

describe("the window of messages in flight", () => {
  test("holds maxInflight publishes; the next one waits for an acknowledgement", async () => {
    const lab = new Lab({ maxInflight: 2 });
    await lab.connect();
    const publishing = ["1", "2", "3"].map((payload) => lab.client.publish("a", payload, { qos: 1 }));
    await lab.clock.settle();
    expect(payloads(lab)).toEqual(["1", "2"]);
    await lab.send(ack("puback", lab.server.next("publish").packetId));
    expect(payloads(lab)).toEqual(["2", "3"]);
    expect(await lab.outcome(publishing[0] as Promise<unknown>)).toBe("resolved");
    expect(await lab.outcome(publishing[2] as Promise<unknown>)).toBe("open");
  });

  test("is lowered by the server's receive maximum (MQTT 5.0 §3.2.2.3.3)", async () => {
    const lab = new Lab({ protocolVersion: 5, maxInflight: 100 });
    await lab.connect({ properties: { receiveMaximum: 1 } });
    for (const payload of ["1", "2"]) void lab.client.publish("a", payload, { qos: 1 });
    await lab.clock.settle();
    expect(payloads(lab)).toEqual(["1"]);
  });

  test("refuses the next publish with ERR_MAX_INFLIGHT if whenInflightFull says reject", async () => {
    const lab = new Lab({ maxInflight: 1, whenInflightFull: "reject" });
    await lab.connect();
    void lab.client.publish("a", "1", { qos: 1 });
    expect(await lab.outcome(lab.client.publish("a", "2", { qos: 1 }))).toBe("ERR_MAX_INFLIGHT");
    expect(await lab.outcome(lab.client.publish("a", "3"))).toBe("resolved");
  });
});

describe("the bytes of a waiting publish", () => {
  test("are those at the call, also of a Buffer that is written to afterwards", async () => {
    const lab = new Lab({ maxInflight: 1 });
    await lab.connect();
    const payload = Buffer.from("first");
    void lab.client.publish("a", "0", { qos: 1 });
    void lab.client.publish("a", payload, { qos: 1 });
    payload.fill(0x7a);
    await lab.clock.settle();
    await lab.send(ack("puback", lab.server.next("publish").packetId));
    expect(payloads(lab)).toEqual(["first"]);
  });
});

describe("a subscribe whose connection is lost each time before the answer", () => {
  test("is made again on the next connection, and fails with ERR_CONNECTION_LOST after the fifth", async () => {
    const lab = new Lab({ reconnect: { delay: () => 0 } });
    await lab.connect();
    const subscribing = lab.client.subscribe("forbidden");
    for (let losses = 1; losses <= 5; losses++) {
      expect(await lab.outcome(subscribing)).toBe("open");
      await lab.cut();
      await lab.clock.advance(1);
      await lab.accept();
    }
    expect(await lab.outcome(subscribing)).toBe("ERR_CONNECTION_LOST");
  });
});

describe("while a connection is being made", () => {
  async function offline(options: ConstructorParameters<typeof Lab>[0]): Promise<Lab> {
    const lab = new Lab(options);
    await lab.connect();
    await lab.cut();
    return lab;
  }

  test("QoS 0 is refused with ERR_NOT_CONNECTED, QoS 1 and 2 wait and are sent afterwards", async () => {
    const lab = await offline({});
    expect(await lab.outcome(lab.client.publish("a", "0"))).toBe("ERR_NOT_CONNECTED");
    const waiting = lab.client.publish("a", "1", { qos: 1 });
    expect(await lab.outcome(waiting)).toBe("open");
    expect(lab.client.waiting).toEqual({ messages: 1, bytes: 2 });
    await lab.accept();
    expect(payloads(lab)).toEqual(["1"]);
  });

  test("waiting.maxBytes and waiting.maxMessages bound what waits: ERR_OFFLINE_FULL", async () => {
    const bytes = await offline({ waiting: { maxBytes: 10 } });
    void bytes.client.publish("a", "12345", { qos: 1 }).catch(() => undefined);
    expect(await bytes.outcome(bytes.client.publish("a", "12345", { qos: 1 }))).toBe("ERR_OFFLINE_FULL");
    const messages = await offline({ waiting: { maxMessages: 1 } });
    void messages.client.publish("a", "1", { qos: 1 }).catch(() => undefined);
    expect(await messages.outcome(messages.client.publish("a", "2", { qos: 1 }))).toBe("ERR_OFFLINE_FULL");
  });

  test.each([
    ["dropOldest", "1", ["2"]],
    ["dropNewest", "2", ["1"]],
  ] as const)("whenOffline %s drops a message beyond the limit and tells of it", async (whenOffline, dropped, kept) => {
    const lab = await offline({ whenOffline, waiting: { maxMessages: 1 } });
    const calls = ["1", "2"].map((payload) => lab.client.publish("a", payload));
    for (const call of calls) call.catch(() => undefined);
    expect(await lab.outcome(calls[Number(dropped) - 1] as Promise<unknown>)).toBe("ERR_OFFLINE_FULL");
    const told = { direction: "outbound", reason: "offlineFull", topic: "a", qos: 0, payloadBytes: 1 };
    expect(lab.told("messageDropped")).toMatchObject([told]);
    await lab.accept();
    expect(payloads(lab)).toEqual(kept);
  });

  test("whenOffline reject refuses every publish with ERR_NOT_CONNECTED", async () => {
    const lab = await offline({ whenOffline: "reject" });
    expect(await lab.outcome(lab.client.publish("a", "1", { qos: 2 }))).toBe("ERR_NOT_CONNECTED");
  });
});

describe("a server that reads too slowly", () => {
  async function blocked(options: ConstructorParameters<typeof Lab>[0]): Promise<Lab> {
    const lab = new Lab({ writeTimeoutMs: 0, keepAliveSeconds: 0, highWaterBytes: 100_000, ...options });
    await lab.connect();
    lab.server.pause();
    for (const size of [70_000, 40_000]) {
      await lab.client.publish("a", new Uint8Array(size));
      await lab.clock.settle();
    }
    return lab;
  }

  test("makes publish wait above highWaterBytes, and go on when the bytes have left", async () => {
    const lab = await blocked({});
    const waiting = lab.client.publish("a", "next");
    expect(await lab.outcome(waiting)).toBe("open");
    lab.server.resume();
    expect(await lab.outcome(waiting)).toBe("resolved");
  });

  test("ends in ERR_OUTBOUND_BACKPRESSURE when as much waits as may", async () => {
    const lab = await blocked({ waiting: { maxMessages: 1 } });
    void lab.client.publish("a", "waits");
    expect(await lab.outcome(lab.client.publish("a", "too many"))).toBe("ERR_OUTBOUND_BACKPRESSURE");
  });
});

describe("a consumer that is too slow", () => {
  interface Slow {
    readonly lab: Lab;
    readonly seen: string[];
    readonly subscription: MqttSubscription;
    readonly finish: () => Promise<void>;
  }

  async function slow(overflow: Overflow): Promise<Slow> {
    const lab = new Lab();
    await lab.connect();
    const seen: string[] = [];
    let next: () => void = () => undefined;
    const handler = ({ topic }: MqttMessage): Promise<void> => {
      seen.push(topic);
      return new Promise((resolve) => (next = resolve));
    };
    const subscription = await lab.subscribe("#", { qos: 1, highWaterMark: 2, overflow, handler });
    const finish = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        next();
        await lab.clock.settle();
      }
    };
    return { lab, seen, subscription, finish };
  }

  test.each([
    ["dropNewest", ["1", "2", "3"], "4"],
    ["dropOldest", ["1", "3", "4"], "2"],
  ] as const)(
    "with overflow %s loses a message beyond highWaterMark and tells of it",
    async (overflow, kept, dropped) => {
      const { lab, seen, finish } = await slow(overflow);
      await lab.send(...["1", "2", "3", "4"].map((topic) => message(topic)));
      const told = { direction: "inbound", reason: "slowConsumer", topic: dropped, qos: 0, payloadBytes: 1 };
      expect(lab.told("messageDropped")).toMatchObject([told]);
      await finish();
      expect(seen).toEqual(kept);
    },
  );

  test("with overflow pause stops the reading and loses nothing", async () => {
    const { lab, seen, subscription, finish } = await slow("pause");
    for (let i = 0; i < 40; i++) await lab.send(message(`${i}`));
    expect(seen).toEqual(["0"]);
    // One in hand and two that wait: the rest has not been read.
    expect([subscription.received, subscription.buffered]).toEqual([3, 2]);
    expect(lab.told("messageDropped")).toEqual([]);
    for (let i = 0; i < 10; i++) await finish();
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`));
  });
});

describe("a message store", () => {
  /** Writes down what it is asked for. */
  class Recorder implements MessageStore {
    readonly memory: MemoryStore = new MemoryStore();
    readonly operations: string[] = [];
    closed = false;
    open: MessageStore["open"] = (clientId) => this.memory.open(clientId);
    write(operations: readonly StoreOperation[]): Promise<void> {
      for (const { op } of operations) if (op !== "clearReceived") this.operations.push(op);
      return this.memory.write(operations);
    }
    close(): Promise<void> {
      this.closed = true;
      return this.memory.close();
    }
  }

  test("gets an outbound message before it is sent, its release before PUBREL, and forgets it when it is done", async () => {
    const store = new Recorder();
    const lab = new Lab({ store, cleanStart: false });
    await lab.connect();
    const publishing = lab.client.publish("a", "b", { qos: 2 });
    await lab.clock.settle();
    expect(store.operations).toEqual(["putPublish"]);
    const { packetId } = lab.server.next("publish");
    await lab.send(ack("pubrec", packetId));
    expect(store.operations).toEqual(["putPublish", "releasePublish"]);
    expect(lab.types).toEqual(["pubrel"]);
    await lab.send(ack("pubcomp", packetId));
    expect(await lab.outcome(publishing)).toBe("resolved");
    expect(store.operations).toEqual(["putPublish", "releasePublish", "deletePublish"]);
  });

  test("gets the id of a received QoS 2 message before PUBREC and forgets it before PUBCOMP", async () => {
    const store = new Recorder();
    const lab = new Lab({ store, cleanStart: false });
    await lab.connect();
    await lab.subscribe("#", { qos: 2, handler: () => undefined });
    await lab.send(message("a", 2, 5));
    expect(store.operations).toEqual(["putReceived"]);
    expect(lab.types).toEqual(["pubrec"]);
    await lab.send(ack("pubrel", 5));
    expect(store.operations).toEqual(["putReceived", "deleteReceived"]);
    expect(lab.types).toEqual(["pubrec", "pubcomp"]);
  });

  test("gives a later client object what an earlier one left, under its packet ids and in order", async () => {
    const store = new MemoryStore();
    const first = new Lab({ store, cleanStart: false });
    await first.connect();
    for (const payload of ["1", "2"]) first.client.publish("a", payload, { qos: 1 }).catch(() => undefined);
    await first.clock.settle();
    const ids = [first.server.next("publish").packetId, first.server.next("publish").packetId];
    await first.outcome(first.client.destroy());
    const second = new Lab({ store, cleanStart: false });
    await second.connect({ sessionPresent: true });
    expect(payloads(second)).toEqual(["1", "2"]);
    expect(second.server.untaken).toMatchObject(ids.map((packetId) => ({ packetId, dup: true })));
  });

  test("that fails refuses the publish with ERR_STORE_FAILED, and nothing is sent", async () => {
    const store = new Recorder();
    store.write = (operations): Promise<void> =>
      operations.some(({ op }) => op === "putPublish") ? Promise.reject(new Error("disk")) : Promise.resolve();
    const lab = new Lab({ store });
    await lab.connect();
    expect(await lab.outcome(lab.client.publish("a", "b", { qos: 1 }))).toBe("ERR_STORE_FAILED");
    expect(lab.types).toEqual([]);
  });

  test("is closed with the client", async () => {
    const store = new Recorder();
    const lab = new Lab({ store });
    await lab.connect();
    expect(await lab.outcome(lab.client.close())).toBe("resolved");
    expect(store.closed).toBe(true);
  });
});
