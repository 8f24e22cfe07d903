// Hot path: `publish` runs per message.
import { MessagingError } from "../../../base/errors.ts";
import type { ResponderAnswer } from "../../../mqtt/client/call-options.ts";
import type { MqttMessage } from "../../../mqtt/client/message.ts";
import type { MqttClientBase } from "../../../mqtt/client/mqtt-client.ts";
import type { MqttClientOptions } from "../../../mqtt/client/options.ts";
import {
  type Adapter,
  type AnyPublishOptions,
  answerOf,
  type ConsumeCall,
  type Ending,
  type QueueAdapter,
  type Source,
  type StreamAdapter,
  type Tell,
} from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import { type ClientState, clientState } from "../../events.ts";
import type { ClientAnswer, ClientRequestOptions } from "../../options.ts";
import type { Dialect } from "../../protocol.ts";
import type { Target } from "../../target.ts";
import { MqttTopicDelivery } from "./mqtt-delivery.ts";
import { isPlain, nativeAnswer, publishOptions } from "./mqtt-options.ts";
import { MqttQueue, MqttSharedQueue, topicOptions } from "./mqtt-queues.ts";
import { MqttSource } from "./mqtt-source.ts";

const DIALECTS: readonly Dialect[] = ["polymq", "fluxmq", "mqtt"];

/** Makes an MQTT client and connects it. */
export async function connectMqtt(
  make: (options: MqttClientOptions) => MqttClientBase,
  target: Target,
  tell: Tell,
): Promise<Adapter> {
  const { options } = target;
  if (options.dialect !== undefined && !DIALECTS.includes(options.dialect)) {
    throw new MessagingError("ERR_INVALID_OPTIONS", `over MQTT there is no dialect ${options.dialect}`);
  }
  const native = make({
    servers: target.urls,
    clientId: target.clientId,
    protocolVersion: "auto",
    ...target.common,
    ...options.mqtt,
  });
  listen(native, tell);
  try {
    await native.connect(options.signal === undefined ? {} : { signal: options.signal });
  } catch (error) {
    await native.destroy();
    throw error;
  }
  return new MqttAdapter(native, options.dialect ?? dialectOf(native));
}

class MqttAdapter implements Adapter {
  readonly protocol = "mqtt";
  readonly native: MqttClientBase;
  readonly dialect: Dialect;

  constructor(native: MqttClientBase, dialect: Dialect) {
    this.native = native;
    this.dialect = dialect;
  }

  get state(): ClientState {
    return clientState(this.native.state);
  }

  get closed(): Promise<MessagingError | null> {
    return this.native.closed;
  }

  publish(topic: string, payload: string | Uint8Array, options: AnyPublishOptions | undefined): Promise<unknown> {
    if (typeof topic === "string" && topic.startsWith("$queue/") && !this.#hasQueues()) {
      return new MqttSharedQueue(this.native, topic.slice("$queue/".length)).publish(payload, options);
    }
    if (options === undefined) return this.native.publish(topic, payload);
    // Such options are MQTT's own: QoS, retain and signal.
    if (isPlain(options)) return this.native.publish(topic, payload, options as Omit<AnyPublishOptions, "properties">);
    return this.native.publish(topic, payload, publishOptions(options));
  }

  async subscribe(filter: string, call: ConsumeCall): Promise<Source> {
    return new MqttSource(await this.native.subscribe(filter, topicOptions(call, wrapTopic)), wrapTopic);
  }

  unsubscribe(filter: string): Promise<unknown> {
    return this.native.unsubscribe(filter);
  }

  queue(name: string, groups: readonly string[]): QueueAdapter {
    if (groups.length > 0 && this.dialect !== "polymq") {
      throw unsupported("groups that are there before their first member");
    }
    if (this.#hasQueues()) return new MqttQueue(this.native, name, this.dialect);
    return new MqttSharedQueue(this.native, name);
  }

  stream(name: string): StreamAdapter {
    if (this.#hasQueues()) return new MqttQueue(this.native, name, this.dialect);
    throw unsupported("streams");
  }

  async request(topic: string, payload: string | Uint8Array, options: ClientRequestOptions): Promise<Delivery> {
    const { properties, contentType, timeoutMs, signal } = options;
    // Kept by the server, a request would come to responders that join later.
    const { retain: _, ...said } = publishOptions({
      ...(properties && { properties }),
      ...(contentType === undefined ? {} : { contentType }),
    });
    const request = {
      ...said,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
    };
    return new MqttTopicDelivery(await this.native.request(topic, payload, request));
  }

  /** Responders of an address share its requests, as far as the server has shared subscriptions. */
  async respond(
    address: string,
    responder: (request: Delivery) => ClientAnswer,
    signal: AbortSignal | undefined,
  ): Promise<Ending> {
    if (this.native.protocolVersion === 4) throw unsupported("requests without MQTT 5.0");
    const shared = this.native.serverCapabilities?.sharedSubscriptionAvailable === true;
    const filter = shared && this.native.protocolVersion === 5 ? `$share/polymq-responders/${address}` : address;
    const answer = async (request: MqttMessage): Promise<ResponderAnswer> =>
      nativeAnswer(answerOf(await responder(new MqttTopicDelivery(request))));
    return await this.native.respond(filter, answer, signal === undefined ? {} : { signal });
  }

  close(timeoutMs: number | undefined): Promise<void> {
    return this.native.close(timeoutMs === undefined ? {} : { timeoutMs });
  }

  destroy(): void {
    void this.native.destroy();
  }

  #hasQueues(): boolean {
    return this.dialect === "polymq" || this.dialect === "fluxmq";
  }
}

function wrapTopic(message: MqttMessage): Delivery {
  return new MqttTopicDelivery(message);
}

/** polymq's broker names itself in CONNACK; others say nothing by which they could be told apart, and have what MQTT has. */
function dialectOf(native: MqttClientBase): Dialect {
  const said = native.serverCapabilities?.userProperties ?? [];
  return said.some(([name, value]) => name === "server" && value.startsWith("polymq/")) ? "polymq" : "mqtt";
}

function listen(native: MqttClientBase, tell: Tell): void {
  let connected = false;
  native.on("connect", ({ server }) => {
    if (connected) tell({ type: "reconnected", server });
    connected = true;
  });
  native.on("connectionLost", ({ error }) => tell({ type: "connectionLost", error }));
  native.on("reconnecting", ({ attempt, server }) => tell({ type: "reconnecting", attempt, server }));
  native.on("reconnectFailed", ({ error }) => tell({ type: "reconnectFailed", error }));
  native.on("handlerError", ({ error }) => tell({ type: "handlerError", error }));
  native.on("subscriptionLost", ({ error }) => tell({ type: "backgroundError", error }));
  native.on("backgroundError", ({ error }) => tell({ type: "backgroundError", error }));
}
