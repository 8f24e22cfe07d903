import type { Will, WillProperties } from "polymq/mqtt/codec";
import { describe, expect, test } from "vitest";
import { bytesOf, connectPacket, hexBytes, type RawClient, Scene } from "./scene.test-support.ts";

function will(draft: Partial<Will> = {}, properties: WillProperties | null = null): Will {
  return { topic: "will", payload: bytesOf("gone"), qos: 1, retain: false, properties, ...draft };
}

/** A scene with somebody who listens. */
async function listening(
  options: ConstructorParameters<typeof Scene>[0] = {},
): Promise<{ scene: Scene; spy: RawClient }> {
  const scene = new Scene(options);
  const spy = await scene.client("spy");
  await spy.subscribe("will");
  return { scene, spy };
}

const LEVELS = [4, 5] as const;

describe("a will", () => {
  test.each(LEVELS)(
    "is published when the connection is lost (level %i) [MQTT-3.1.2-8] [MQTT-3.1.2-7] [MQTT3-3.1.2-8]",
    async (level) => {
      const { scene, spy } = await listening();
      const client = await scene.client("a", { level, will: will() });
      expect(spy.texts()).toEqual([]);
      await client.drop();
      expect(spy.texts()).toEqual(["gone"]);
    },
  );

  test.each(LEVELS)(
    "is forgotten with a normal DISCONNECT (level %i) [MQTT-3.14.4-3] [MQTT-3.1.2-10] [MQTT3-3.14.4-3] [MQTT3-3.1.2-10]",
    async (level) => {
      const { scene, spy } = await listening();
      const client = await scene.client("a", { level, will: will() });
      await client.disconnect();
      await scene.advance(100);
      expect(client.closed).toBe(true);
      expect(spy.texts()).toEqual([]);
    },
  );

  test("is published once: not again when the session ends or is taken up [MQTT-3.1.2-10] [MQTT3-3.1.2-10]", async () => {
    const { scene, spy } = await listening();
    const client = await scene.keeper("a", { will: will() });
    await client.drop();
    expect(spy.texts()).toEqual(["gone"]);
    await (await scene.keeper("a")).drop();
    await scene.advance(4_000);
    expect(scene.hub.sessions.count).toBe(1);
    expect(spy.texts()).toEqual([]);
  });

  test.each([0x04, 0x80, 0x99])("is published with DISCONNECT %i", async (reasonCode) => {
    const { scene, spy } = await listening();
    const client = await scene.client("a", { will: will() });
    await client.disconnect(reasonCode);
    expect(spy.texts()).toEqual(["gone"]);
    expect(client.packets).toEqual([]);
  });

  test.each(LEVELS)("is published after a protocol error (level %i) [MQTT-3.1.2-8] [MQTT-4.13.1-1]", async (level) => {
    const { scene, spy } = await listening();
    const client = await scene.client("a", { level, will: will() });
    await client.write(hexBytes("f100"));
    expect(client.closed).toBe(true);
    expect(spy.texts()).toEqual(["gone"]);
  });

  test("is published when DISCONNECT is malformed [MQTT-3.14.1-1] [MQTT3-3.14.1-1]", async () => {
    for (const level of LEVELS) {
      const { scene, spy } = await listening();
      const client = await scene.client("a", { level, will: will() });
      await client.write(hexBytes("e100"));
      expect(client.packets).toMatchObject(level === 5 ? [{ type: "disconnect", reasonCode: 0x81 }] : []);
      expect(spy.texts()).toEqual(["gone"]);
    }
  });

  test("is published when the keep alive runs out [MQTT-3.1.2-22] [MQTT3-3.1.2-24]", async () => {
    const { scene, spy } = await listening();
    await scene.client("a", { keepAliveSeconds: 10, will: will() });
    await scene.advance(14.9);
    expect(spy.texts()).toEqual([]);
    await scene.advance(0.2);
    expect(spy.texts()).toEqual(["gone"]);
  });

  test("is published when another connection takes over, unless it has a delay", async () => {
    const { scene, spy } = await listening();
    await scene.keeper("a", { will: will() });
    await scene.keeper("a", { will: will({}, { delaySeconds: 5 }) });
    expect(spy.texts()).toEqual(["gone"]);
    await scene.keeper("a");
    await scene.advance(10);
    expect(spy.texts()).toEqual([]);
  });

  test("of a refused CONNECT is never published [MQTT-3.1.2-7]", async () => {
    const { scene, spy } = await listening({
      auth: {
        authenticate: ({ clientId }) => (clientId === "spy" ? { allow: true } : { allow: false, reason: "banned" }),
      },
    });
    const client = scene.open();
    await client.send(connectPacket({ clientId: "a", will: will() }));
    expect(client.one("connack").reasonCode).toBe(0x8a);
    expect(spy.texts()).toEqual([]);
  });

  test("that is none is not published [MQTT3-3.1.2-12]", async () => {
    const { scene, spy } = await listening();
    await (await scene.client("a", { level: 4 })).drop();
    expect(spy.texts()).toEqual([]);
    expect(scene.hub.statistics.messagesIn).toBe(0);
  });

  test.each([
    [false, 0],
    [true, 1],
  ])(
    "with will retain %s leaves %i retained message [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT3-3.1.2-16] [MQTT3-3.1.2-17]",
    async (retain, count) => {
      for (const level of LEVELS) {
        const { scene, spy } = await listening();
        await spy.subscribe({ filter: "will", retainAsPublished: true });
        await (await scene.client("a", { level, will: will({ retain }) })).drop();
        expect(spy.one("publish").retain).toBe(retain);
        expect(scene.hub.retained.count).toBe(count);
      }
    },
  );

  test.each([0, 1, 2] as const)("of QoS %i comes with it", async (qos) => {
    const { scene, spy } = await listening();
    await (await scene.client("a", { will: will({ qos }) })).drop();
    expect(spy.one("publish").qos).toBe(qos);
  });

  test("keeps its properties, repeats and order too [MQTT-3.1.3-10]", async () => {
    const { scene, spy } = await listening();
    const properties = {
      payloadFormat: 1,
      contentType: "c",
      responseTopic: "r",
      correlationData: bytesOf("id"),
      userProperties: [
        ["b", "1"],
        ["a", "2"],
        ["b", "3"],
      ],
    } as const;
    await (await scene.client("a", { will: will({}, properties) })).drop();
    expect(spy.one("publish").properties).toEqual(properties);
  });

  test("does not come back to its own session's No Local subscription", async () => {
    const { scene } = await listening();
    const client = await scene.keeper("a", { will: will() });
    await client.subscribe({ filter: "will", noLocal: true });
    await client.drop();
    expect((await scene.keeper("a")).packets).toEqual([]);
  });

  test("is shown by nothing of the connection's input later on", async () => {
    const { scene, spy } = await listening();
    const client = await scene.client("a", { will: will({ payload: new Uint8Array(20_000).fill(7) }) });
    for (let i = 0; i < 20; i++) await client.publish("other", "y".repeat(20_000));
    await client.drop();
    expect(spy.one("publish").payload).toEqual(new Uint8Array(20_000).fill(7));
  });
});

describe("a will with a delay", () => {
  test("is published after it, not before [MQTT-3.1.2-8]", async () => {
    const { scene, spy } = await listening();
    const client = await scene.keeper("a", { will: will({}, { delaySeconds: 30 }) });
    await client.drop();
    await scene.advance(29.9);
    expect(spy.texts()).toEqual([]);
    await scene.advance(0.2);
    expect(spy.texts()).toEqual(["gone"]);
  });

  test("is called off when the session goes on in time [MQTT-3.1.3-9]", async () => {
    const { scene, spy } = await listening();
    const client = await scene.keeper("a", { will: will({}, { delaySeconds: 30 }) });
    await client.drop();
    await scene.advance(20);
    await scene.keeper("a");
    await scene.advance(60);
    expect(spy.texts()).toEqual([]);
  });

  test("is published at once when the session ends before: by its expiry, with its connection, or by a clean start", async () => {
    const { scene, spy } = await listening();
    const delayed = will({}, { delaySeconds: 1_000 });
    const expiring = await scene.keeper("a", { will: delayed, properties: { sessionExpirySeconds: 10 } });
    await expiring.drop();
    await scene.advance(9.9);
    expect(spy.texts()).toEqual([]);
    await scene.advance(0.2);
    expect(spy.texts()).toEqual(["gone"]);
    await (await scene.client("b", { will: delayed })).drop();
    expect(spy.texts()).toEqual(["gone"]);
    await (await scene.keeper("c", { will: delayed })).drop();
    expect(spy.texts()).toEqual([]);
    await scene.client("c");
    expect(spy.texts()).toEqual(["gone"]);
  });

  test("may wait as long as the session that DISCONNECT made longer, or shorter", async () => {
    const { scene, spy } = await listening();
    const delayed = will({}, { delaySeconds: 50 });
    const longer = await scene.keeper("a", { will: delayed, properties: { sessionExpirySeconds: 10 } });
    await longer.disconnect(0x04, 100);
    await scene.advance(49);
    expect(spy.texts()).toEqual([]);
    await scene.advance(2);
    expect(spy.texts()).toEqual(["gone"]);
    const shorter = await scene.keeper("b", { will: delayed, properties: { sessionExpirySeconds: 100 } });
    await shorter.disconnect(0x04, 5);
    await scene.advance(6);
    expect(spy.texts()).toEqual(["gone"]);
  });

  test("has its whole lifetime before it when it is published", async () => {
    const { scene, spy } = await listening();
    const client = await scene.keeper("a", { will: will({}, { delaySeconds: 30, messageExpirySeconds: 10 }) });
    await client.drop();
    await scene.advance(31);
    expect(spy.one("publish").properties).toEqual({ messageExpirySeconds: 10 });
    const short = await scene.keeper("b", {
      will: will({}, { delaySeconds: 1_000, messageExpirySeconds: 10 }),
      properties: { sessionExpirySeconds: 20 },
    });
    await short.drop();
    await scene.advance(21);
    expect(spy.one("publish").properties).toEqual({ messageExpirySeconds: 10 });
  });

  test("of a connection before is replaced by that of the next", async () => {
    const { scene, spy } = await listening();
    for (const text of ["first", "second"]) {
      const client = await scene.keeper("a", { will: will({ payload: bytesOf(text) }, { delaySeconds: 30 }) });
      await client.drop();
    }
    await scene.advance(31);
    expect(spy.texts()).toEqual(["second"]);
  });
});
