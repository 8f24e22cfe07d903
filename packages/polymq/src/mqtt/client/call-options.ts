import type { PublishProperties, QoS } from "../codec/packets.ts";
import type { MqttMessage } from "./message.ts";
import type { QueueSettleOptions } from "./queues/queue-message.ts";
import type { UserPropertiesInput } from "./user-properties.ts";

/**
 * MQTT 5.0 publish properties as an application gives them, or as a received message had them: its topic alias and
 * subscription identifiers are left out, for aliases are chosen by the client and identifiers by the server.
 */
export interface PublishPropertiesInput
  extends Omit<PublishProperties, "userProperties" | "topicAlias" | "subscriptionIdentifiers"> {
  readonly userProperties?: UserPropertiesInput;
}

/** Options of `publish`. */
export interface PublishOptions {
  /** Default 0. */
  readonly qos?: QoS;
  /** Default false. */
  readonly retain?: boolean;
  /** MQTT 5.0 only: `ERR_UNSUPPORTED` on a 3.1.1 connection. */
  readonly properties?: PublishPropertiesInput;
  /** Gives up waiting with `ERR_ABORTED`; a message that was sent already may still arrive. */
  readonly signal?: AbortSignal;
}

/** A message to publish as one object. */
export interface MqttPublishMessage extends PublishOptions {
  readonly topic: string;
  /** Default: empty. */
  readonly payload?: string | Uint8Array;
}

/** Options of `disconnect`. */
export interface DisconnectOptions {
  /** MQTT 5.0. Default 0; 0x04 asks the server to publish the will. */
  readonly reasonCode?: number;
  /** MQTT 5.0: a new session expiry; one of 0 in CONNECT cannot be raised. */
  readonly sessionExpirySeconds?: number;
  readonly reasonString?: string;
  readonly userProperties?: UserPropertiesInput;
}

/** Options of `request`. */
export interface RequestOptions extends Omit<PublishOptions, "properties"> {
  /** Longest wait for the answer. Default 10,000 ms. */
  readonly timeoutMs?: number;
  readonly properties?: Omit<PublishPropertiesInput, "responseTopic" | "correlationData">;
}

/** Options of settling by id. */
export interface SettleByIdOptions extends QueueSettleOptions {
  /** The group as messages of it name it in `groupId`. Default: that of this client's subscription to the queue. */
  readonly group?: string;
}

/** An answer with properties of its own; its correlation data is the request's. */
export interface ResponderAnswer {
  readonly payload: Payload;
  readonly properties?: Omit<PublishProperties, "correlationData" | "topicAlias" | "subscriptionIdentifiers">;
}

/** Answers a request: the returned payload is published to its response topic, with properties where the answer has them. */
export type Responder = (request: MqttMessage) => Payload | ResponderAnswer | Promise<Payload | ResponderAnswer>;

/** What `preload` can load: what `subscribe` takes, queues and streams, or `request` and `respond`. */
export type ClientPart = "subscriptions" | "queues" | "requests";

/** What a message carries. */
export type Payload = string | Uint8Array;
