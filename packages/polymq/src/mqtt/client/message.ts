// Hot path: one object per received message.
import { MessagingError } from "../../base/errors.ts";
import type { PublishProperties, QoS, UserProperties } from "../codec/packets.ts";

/** Where a message's acknowledgement goes; one for all messages of a client. */
export interface Settler {
  /** Acknowledges; false when it is too late. Reason codes of 0x80 and above refuse (MQTT 5.0). */
  settle(message: MqttMessage, reasonCode: number): boolean;
  /** Leaves the message unacknowledged for good; false when it is too late. */
  withhold(message: MqttMessage): boolean;
  /** True when the connection's protocol can refuse a message. */
  readonly canReject: boolean;
}

/**
 * A received message. `payload` is a view of the received bytes, not a copy: it stays valid, but keeps up to 64 KiB around
 * it in memory; whoever keeps many small payloads for long copies them (`payload.slice()`).
 */
export class MqttMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  /** Set on a retained message that a new subscription got, or as published where the subscription asked for that. */
  readonly retain: boolean;
  /** The server has sent this message before. */
  readonly dup: boolean;
  /** MQTT 5.0 publish properties as received, or null when there are none. */
  readonly properties: PublishProperties | null;
  readonly #settler: Settler;
  /** The delivery's number in the receiving flow, -1 at QoS 0. @internal */
  readonly ticket: number;
  /** 1 to 65,535, or 0 at QoS 0; 0 where no store needs it. @internal */
  readonly packetId: number;
  /** Subscriptions that still have to be done with it before it is acknowledged. @internal */
  holders = 1;

  /** @internal */
  constructor(
    topic: string,
    payload: Uint8Array,
    head: { readonly qos: QoS; readonly retain: boolean; readonly dup: boolean; readonly packetId: number },
    properties: PublishProperties | null,
    ticket: number,
    settler: Settler,
  ) {
    this.topic = topic;
    this.payload = payload;
    this.qos = head.qos;
    this.retain = head.retain;
    this.dup = head.dup;
    this.properties = properties;
    this.ticket = ticket;
    this.packetId = head.packetId;
    this.#settler = settler;
  }

  /** The payload as UTF-8 text; ill-formed bytes become U+FFFD. */
  text(): string {
    return new TextDecoder().decode(this.payload);
  }

  /** The payload parsed as JSON. @throws {MessagingError} ERR_INVALID_MESSAGE when it is none */
  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch (cause) {
      throw new MessagingError("ERR_INVALID_MESSAGE", `the payload on ${this.topic} is not JSON`, { cause });
    }
  }

  /** User properties in order; names may repeat (MQTT 5.0 §3.3.2.3.7). */
  get userProperties(): UserProperties {
    return this.properties?.userProperties ?? NO_USER_PROPERTIES;
  }

  get contentType(): string | undefined {
    return this.properties?.contentType;
  }

  /** Where an answer is expected (MQTT 5.0 §3.3.2.3.5). */
  get responseTopic(): string | undefined {
    return this.properties?.responseTopic;
  }

  get correlationData(): Uint8Array | undefined {
    return this.properties?.correlationData;
  }

  /** 1 when the publisher says that the payload is UTF-8 text. */
  get payloadFormat(): 0 | 1 | undefined {
    return this.properties?.payloadFormat;
  }

  /** Lifetime left when the server sent it. */
  get messageExpirySeconds(): number | undefined {
    return this.properties?.messageExpirySeconds;
  }

  /** Identifiers of the subscriptions that matched (MQTT 5.0 §3.3.2.3.8). */
  get subscriptionIdentifiers(): readonly number[] {
    return this.properties?.subscriptionIdentifiers ?? NO_IDENTIFIERS;
  }

  /**
   * Acknowledges the message: PUBACK or PUBREC leaves as soon as all earlier messages are acknowledged [MQTT-4.6.0-2]. Nothing
   * to do at QoS 0.
   * @throws {MessagingError} ERR_ALREADY_SETTLED when it was settled before, or belongs to a session that is gone
   */
  ack(): void {
    if (this.ticket >= 0 && !this.#settler.settle(this, 0)) throw this.#tooLate();
  }

  /**
   * Refuses the message with a reason code of 0x80 or above (MQTT 5.0 §3.4.2.1); the server counts it as delivered.
   * @throws {MessagingError} ERR_UNSUPPORTED with MQTT 3.1.1, ERR_INVALID_ARGUMENT for another code, ERR_ALREADY_SETTLED
   */
  reject(reasonCode = 0x80): void {
    if (!REFUSALS.includes(reasonCode)) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `reason code ${reasonCode} cannot refuse a message`);
    }
    if (this.ticket < 0) return;
    if (!this.#settler.canReject) {
      throw new MessagingError("ERR_UNSUPPORTED", "MQTT 3.1.1 has no way to refuse a message");
    }
    if (!this.#settler.settle(this, reasonCode)) throw this.#tooLate();
  }

  /**
   * Leaves the message unacknowledged: the server sends it again, at the latest after the next reconnect to the same session.
   * Until then it takes one place of the receive maximum. Nothing to do at QoS 0.
   * @throws {MessagingError} ERR_ALREADY_SETTLED
   */
  withhold(): void {
    if (this.ticket >= 0 && !this.#settler.withhold(this)) throw this.#tooLate();
  }

  #tooLate(): MessagingError {
    return new MessagingError("ERR_ALREADY_SETTLED", "the message was settled before, or its session is gone");
  }
}

const NO_USER_PROPERTIES: UserProperties = Object.freeze([]);
const NO_IDENTIFIERS: readonly number[] = Object.freeze([]);

/** Reason codes with which PUBACK and PUBREC refuse (MQTT 5.0 §3.4.2.1). */
const REFUSALS: readonly number[] = [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
