import type { MailboxLimits } from "../../core/mailbox.ts";
import type { UnsentBytes } from "../unsent-limit.ts";

/** MQTT, checked and complete. */
export interface MqttSettings {
  readonly maximumQoS: 0 | 1 | 2;
  readonly retainAvailable: boolean;
  readonly wildcardSubscriptionAvailable: boolean;
  readonly subscriptionIdentifiersAvailable: boolean;
  readonly sharedSubscriptionAvailable: boolean;
  readonly receiveMaximum: number;
  readonly maxInflight: number;
  readonly maxInflightBytes: number;
  readonly maximumPacketSize: number;
  readonly topicAliasMaximum: number;
  readonly outboundTopicAliasMaximum: number;
  /** 0: as each client asks. */
  readonly serverKeepAliveSeconds: number;
  readonly connectTimeoutMs: number;
  readonly topicLevelsMax: number;
  /** With `%c` for the client id; "" gives none. */
  readonly responseInformation: string;
}

/** Sessions, checked and complete. */
export interface SessionSettings extends UnsentBytes {
  readonly expirySecondsMax: number;
  readonly queue: MailboxLimits;
}
