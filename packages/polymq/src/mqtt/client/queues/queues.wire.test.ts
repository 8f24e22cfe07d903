import { describe, expect, test } from "vitest";
import { ScriptedPeer, type ScriptStep } from "../../../testing/scripted-peer.ts";
import { VirtualClock } from "../../../testing/virtual-clock.ts";
import { memoryPair } from "../../../transport/memory.ts";
import { measurePacket } from "../../codec/header.ts";
import { type Stage, setup } from "../client-setup.test-support.ts";
import type { MqttQueueMessage } from "./queue-message.ts";

/** Bytes of parts: numbers as they are, texts as MQTT strings with their length. */
function bytes(...parts: readonly (number | string)[]): number[] {
  return parts.flatMap((part) => {
    if (typeof part === "number") return [part];
    const text = [...new TextEncoder().encode(part)];
    return [text.length >> 8, text.length & 0xff, ...text];
  });
}

/** A packet with its remaining length (below 16,384). */
function packet(first: number, ...body: readonly number[]): Uint8Array {
  const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7];
  return Uint8Array.of(first, ...length, ...body);
}

/** User properties with their length in front. */
function userProperties(...pairs: readonly (readonly [string, string])[]): number[] {
  const all = pairs.flatMap(([name, value]) => bytes(0x26, name, value));
  return all.length < 128 ? [all.length, ...all] : [(all.length & 0x7f) | 0x80, all.length >> 7, ...all];
}

const UTF8_X = 0x78;
const CONNACK = packet(0x20, 0, 0, 0);

/** A connected client, and the peer that plays FluxMQ byte by byte. */
class Duet {
  readonly stage: Stage;
  readonly #clock = new VirtualClock();
  readonly #peer = new ScriptedPeer(measurePacket(100_000));

  constructor() {
    this.stage = setup({
      protocolVersion: 5,
      keepAliveSeconds: 0,
      outboundTopicAliases: "off",
      dial: (_endpoint, _options, handler) => {
        const pair = memoryPair({ clock: this.#clock });
        this.#peer.use(pair.server.attach(this.#peer));
        return Promise.resolve(pair.client.attach(handler));
      },
    });
  }

  async connect(): Promise<void> {
    const connecting = this.stage.client.connect();
    await this.play({ expect: (frame) => frame[0] === 0x10, what: "CONNECT" }, { send: CONNACK });
    await connecting;
  }

  /** Plays the peer's part to its end. */
  async play(...steps: readonly ScriptStep[]): Promise<void> {
    const playing = this.#peer.run(steps);
    playing.catch(() => undefined);
    await this.#settle();
    await playing;
    await this.#settle();
  }

  async end(): Promise<void> {
    const destroyed = this.stage.client.destroy();
    await this.#settle();
    await destroyed;
  }

  async #settle(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      await this.stage.clock.settle();
      await this.#clock.settle();
    }
  }
}

/** A delivery as FluxMQ sends it to the group `workers@#`. */
function delivery(id: number, offset: number, payload: string): Uint8Array {
  const said = userProperties(
    ["message-id", `orders:${offset}`],
    ["group-id", "workers@#"],
    ["queue", "orders"],
    ["offset", String(offset)],
  );
  return packet(0x32, ...bytes("$queue/orders/eu", 0, id), ...said, ...new TextEncoder().encode(payload));
}

function settlement(id: number, verb: string, ...pairs: (readonly [string, string])[]): Uint8Array {
  return packet(0x32, ...bytes(`$queue/orders/$${verb}`, 0, id), ...userProperties(...pairs));
}

describe("on the wire, over MQTT 5.0, towards FluxMQ", () => {
  test("every byte of publishing to a queue, of subscribing to it and of leaving it", async () => {
    const duet = new Duet();
    await duet.connect();
    const { client } = duet.stage;
    const publishing = client.publishToQueue("orders", "x", { properties: { a: "b" }, routingKey: "eu" });
    const publish = packet(0x32, ...bytes("$queue/orders/eu", 0, 1), ...userProperties(["a", "b"]), UTF8_X);
    await duet.play({ expect: publish, what: "PUBLISH" }, { send: packet(0x40, 0, 1) });
    await publishing;
    const subscribing = client.subscribeToQueue("orders", "workers", { filter: "#", handler: () => undefined });
    const group = userProperties(["consumer-group", "workers"]);
    const subscribe = packet(0x82, 0, 2, ...group, ...bytes("$queue/orders/#", 1));
    await duet.play({ expect: subscribe, what: "SUBSCRIBE" }, { send: packet(0x90, 0, 2, 0, 1) });
    await subscribing;
    const unsubscribing = client.unsubscribeFromQueue("orders");
    const unsubscribe = packet(0xa2, 0, 3, 0, ...bytes("$queue/orders/#"));
    await duet.play({ expect: unsubscribe, what: "UNSUBSCRIBE" }, { send: packet(0xb0, 0, 3, 0, 0) });
    await unsubscribing;
    await duet.end();
  });

  test("every byte of acknowledging and of rejecting a message", async () => {
    const duet = new Duet();
    await duet.connect();
    const handler = async (message: MqttQueueMessage): Promise<void> => {
      if (message.text() === "bad") await message.reject("no");
      else await message.ack();
    };
    const subscribing = duet.stage.client.subscribeToQueue("orders", "workers", { filter: "#", handler });
    await duet.play({ expect: (frame) => frame[0] === 0x82, what: "SUBSCRIBE" }, { send: packet(0x90, 0, 1, 0, 1) });
    await subscribing;
    await duet.play(
      { send: delivery(5, 7, "good") },
      { expect: settlement(2, "ack", ["message-id", "orders:7"], ["group-id", "workers@#"]), what: "$ack" },
      { send: packet(0x40, 0, 2, 0) },
      { expect: packet(0x40, 0, 5), what: "PUBACK" },
    );
    const reject = settlement(3, "reject", ["message-id", "orders:8"], ["group-id", "workers@#"], ["reason", "no"]);
    await duet.play(
      { send: delivery(6, 8, "bad") },
      { expect: reject, what: "$reject" },
      { send: packet(0x40, 0, 3, 0) },
      { expect: packet(0x40, 0, 6), what: "PUBACK" },
    );
    expect(duet.stage.of("handlerError")).toEqual([]);
    await duet.end();
  });
});
