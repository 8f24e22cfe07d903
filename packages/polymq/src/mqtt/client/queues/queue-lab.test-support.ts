/** A client and a server in memory that behaves towards queues as FluxMQ or as polymq's broker, for the tests beside this file. */
import type { Publish, UserProperties } from "../../codec/packets.ts";
import { connected, type Setup, type Stage } from "../client-setup.test-support.ts";
import type { ReceivedMessage } from "../fake-server.test-support.ts";
import type { MqttSubscription } from "../subscription.ts";
import type { MqttQueueMessage } from "./queue-message.ts";
import type { QueueSubscribeOptions } from "./queue-options.ts";

/** Whom the server in memory plays. */
export type Role = "fluxmq" | "polymq" | "v3";

/** A connected client; `server.onMessage` and the like go in as `setup` takes them. */
export function lab(role: Role, given: Setup = {}): Promise<Stage> {
  const connack = { userProperties: [["server", "polymq/0.0.0"]] as UserProperties };
  const onConnect = (): object => (role === "polymq" ? { properties: connack } : {});
  return connected({
    protocolVersion: role === "v3" ? 4 : 5,
    ...given,
    server: { onConnect, ...given.server },
  });
}

/** Subscribes to `orders` for the group `workers`, which MQTT 3.1.1 cannot say; the SUBSCRIBE is taken off the log. */
export async function consumer(
  stage: Stage,
  options: QueueSubscribeOptions = {},
): Promise<MqttSubscription<MqttQueueMessage>> {
  const subscription = await stage.now(
    stage.client.subscribeToQueue("orders", stage.link.level === 4 ? "" : "workers", options),
  );
  stage.link.take();
  return subscription;
}

/** What a delivery carries beside its offset. */
export interface Delivery {
  readonly queue?: string;
  readonly group?: string;
  readonly topic?: string;
  readonly payload?: string;
  readonly more?: UserProperties;
}

/** Delivers a message of a queue as the role's server does. */
export async function deliver(stage: Stage, offset: number, given: Delivery = {}): Promise<void> {
  const { queue = "orders", group = "workers", topic = `$queue/${queue}`, payload = `m${offset}`, more = [] } = given;
  const userProperties: UserProperties = [
    ["message-id", `${queue}:${offset}`],
    ["group-id", group],
    ["queue", queue],
    ["offset", String(offset)],
    ["x-source-topic", topic],
    ...more,
  ];
  const v3 = stage.link.level === 4;
  stage.link.publish(topic, payload, { qos: 1, ...(v3 ? {} : { properties: { userProperties } }) });
  await stage.clock.settle();
}

/** What the client said about messages since the last call, in order: `puback 1`, or a settlement with its user properties. */
export function said(stage: Stage): string[] {
  return stage.link.take().flatMap((packet) => {
    if (packet.type === "puback") return [`puback ${packet.packetId}`];
    return packet.type === "publish" ? [settlementOf(packet)] : [];
  });
}

/** A settlement with its user properties. */
export function settlementOf({ topic, qos, properties }: Publish): string {
  const pairs = (properties?.userProperties ?? []).map(([name, value]) => `${name}=${value}`);
  return [topic, `qos${qos}`, ...pairs].join(" ");
}

/** Settlements whose PUBACK is held back until it is asked for. */
export class HeldSettlements {
  readonly #held: ReceivedMessage[] = [];

  readonly onMessage = (message: ReceivedMessage): null => {
    this.#held.push(message);
    return null;
  };

  /** Confirms or refuses the oldest one. */
  async answer(stage: Stage, reasonCode: number): Promise<void> {
    const held = this.#held.shift();
    if (held === undefined) throw new Error("no settlement came");
    stage.link.settle(held.ticket, reasonCode);
    await stage.clock.settle();
  }
}

/** A stage with a consumer that keeps its messages for the test to settle. */
export async function held(
  role: Role,
  options: QueueSubscribeOptions = {},
): Promise<{ stage: Stage; got: MqttQueueMessage[] }> {
  const stage = await lab(role);
  const got: MqttQueueMessage[] = [];
  await consumer(stage, { ack: "manual", handler: (message) => void got.push(message), ...options });
  return { stage, got };
}

/** The message at that place. */
export function at(got: readonly MqttQueueMessage[], index: number): MqttQueueMessage {
  const message = got[index];
  if (message === undefined) throw new Error(`no message ${index}`);
  return message;
}

/** Sends the first delivery again under its packet id, as FluxMQ does after 20 s without PUBACK. */
export function repeat(stage: Stage): void {
  const userProperties = [
    ["message-id", "orders:0"],
    ["group-id", "workers"],
    ["queue", "orders"],
    ["offset", "0"],
  ] as const;
  stage.link.send({
    type: "publish",
    topic: "$queue/orders",
    payload: new Uint8Array(0),
    qos: 1,
    retain: false,
    dup: true,
    packetId: 1,
    properties: { userProperties },
  });
}
