/**
 * MQTT control packets as plain values, one interface per packet (MQTT 5.0 §3, MQTT 3.1.1 §3). Level 4 is 3.1.1, level 5 is
 * 5.0; at level 4 every `properties` is null and every reason code is 0 unless the packet has a return code of its own.
 */

/** Protocol level on the wire: 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolLevel = 4 | 5;

/** Quality of service: 0 at most once, 1 at least once, 2 exactly once. */
export type QoS = 0 | 1 | 2;

/** User properties: name and value pairs in order; names may repeat (MQTT 5.0 §1.5.7). */
export type UserProperties = readonly (readonly [name: string, value: string])[];

/** Properties of a PUBLISH (MQTT 5.0 §3.3.2.3). */
export interface PublishProperties {
  /** 0: unspecified bytes, 1: UTF-8 text. */
  readonly payloadFormat?: 0 | 1;
  readonly messageExpirySeconds?: number;
  /** 1 to the receiver's Topic Alias Maximum. */
  readonly topicAlias?: number;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly userProperties?: UserProperties;
  /** 1 to 268,435,455 each; only a server sends them. */
  readonly subscriptionIdentifiers?: readonly number[];
  readonly contentType?: string;
}

/** A will message as CONNECT carries it (MQTT 5.0 §3.1.3). */
export interface Will {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: WillProperties | null;
}

/** Properties of a will (MQTT 5.0 §3.1.3.2). */
export interface WillProperties {
  readonly delaySeconds?: number;
  readonly payloadFormat?: 0 | 1;
  readonly messageExpirySeconds?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  readonly userProperties?: UserProperties;
}

/** Properties of a CONNECT (MQTT 5.0 §3.1.2.11). */
export interface ConnectProperties {
  readonly sessionExpirySeconds?: number;
  /** 1 to 65,535. */
  readonly receiveMaximum?: number;
  /** 1 to 4,294,967,295 bytes. */
  readonly maximumPacketSize?: number;
  readonly topicAliasMaximum?: number;
  readonly requestResponseInformation?: boolean;
  readonly requestProblemInformation?: boolean;
  readonly userProperties?: UserProperties;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

/** CONNECT: a client asks for a session (MQTT 5.0 §3.1, MQTT 3.1.1 §3.1). */
export interface Connect {
  readonly type: "connect";
  readonly level: ProtocolLevel;
  /** Clean Start (5.0) or Clean Session (3.1.1). */
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly clientId: string;
  readonly username: string | null;
  readonly password: Uint8Array | null;
  readonly will: Will | null;
  readonly properties: ConnectProperties | null;
}

/** Properties of a CONNACK (MQTT 5.0 §3.2.2.3). One that is absent has the default that its section gives. */
export interface ConnackProperties {
  readonly sessionExpirySeconds?: number;
  readonly receiveMaximum?: number;
  readonly maximumQoS?: 0 | 1;
  readonly retainAvailable?: boolean;
  readonly maximumPacketSize?: number;
  readonly assignedClientId?: string;
  readonly topicAliasMaximum?: number;
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
  readonly wildcardSubscriptionAvailable?: boolean;
  readonly subscriptionIdentifiersAvailable?: boolean;
  readonly sharedSubscriptionAvailable?: boolean;
  readonly serverKeepAliveSeconds?: number;
  readonly responseInformation?: string;
  readonly serverReference?: string;
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

/** CONNACK: the server takes or refuses the client (MQTT 5.0 §3.2, MQTT 3.1.1 §3.2). */
export interface Connack {
  readonly type: "connack";
  readonly sessionPresent: boolean;
  /** Reason code (5.0 §3.2.2.2) or return code 0-5 (3.1.1 §3.2.2.3). */
  readonly reasonCode: number;
  readonly properties: ConnackProperties | null;
}

/** PUBLISH: an application message (MQTT 5.0 §3.3, MQTT 3.1.1 §3.3). */
export interface Publish {
  readonly type: "publish";
  /** Empty only when a topic alias stands for it. */
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 1 to 65,535, or 0 at QoS 0. */
  readonly packetId: number;
  readonly properties: PublishProperties | null;
}

/** Reason string and user properties, which many packets share. */
export interface ReasonProperties {
  readonly reasonString?: string;
  readonly userProperties?: UserProperties;
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP: all alike (MQTT 5.0 §3.4 to §3.7). */
export interface PublishAck {
  readonly type: "puback" | "pubrec" | "pubrel" | "pubcomp";
  readonly packetId: number;
  /** 0 at level 4. */
  readonly reasonCode: number;
  readonly properties: ReasonProperties | null;
}

/** One filter of a SUBSCRIBE with its options (MQTT 5.0 §3.8.3.1); at level 4 only `qos` counts. */
export interface SubscribeFilter {
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: send retained messages; 1: only for a new subscription; 2: never. */
  readonly retainHandling: 0 | 1 | 2;
}

/** Properties of a SUBSCRIBE (MQTT 5.0 §3.8.2.1). */
export interface SubscribeProperties {
  readonly subscriptionIdentifier?: number;
  readonly userProperties?: UserProperties;
}

/** SUBSCRIBE: at least one topic filter to subscribe to (MQTT 5.0 §3.8, MQTT 3.1.1 §3.8). */
export interface Subscribe {
  readonly type: "subscribe";
  readonly packetId: number;
  readonly filters: readonly SubscribeFilter[];
  readonly properties: SubscribeProperties | null;
}

/** SUBACK: what became of a SUBSCRIBE (MQTT 5.0 §3.9, MQTT 3.1.1 §3.9). */
export interface Suback {
  readonly type: "suback";
  readonly packetId: number;
  /** One per filter, in order: granted QoS 0-2, or 0x80 and above (at level 4 only 0x80). */
  readonly reasonCodes: readonly number[];
  readonly properties: ReasonProperties | null;
}

/** UNSUBSCRIBE: at least one topic filter to forget (MQTT 5.0 §3.10, MQTT 3.1.1 §3.10). */
export interface Unsubscribe {
  readonly type: "unsubscribe";
  readonly packetId: number;
  readonly filters: readonly string[];
  readonly properties: { readonly userProperties?: UserProperties } | null;
}

/** UNSUBACK: what became of an UNSUBSCRIBE (MQTT 5.0 §3.11, MQTT 3.1.1 §3.11). */
export interface Unsuback {
  readonly type: "unsuback";
  readonly packetId: number;
  /** One per filter at level 5; empty at level 4. */
  readonly reasonCodes: readonly number[];
  readonly properties: ReasonProperties | null;
}

/** PINGREQ: the client is there and asks whether the server is (MQTT 5.0 §3.12, MQTT 3.1.1 §3.12). */
export interface Pingreq {
  readonly type: "pingreq";
}

/** PINGRESP: the server is there (MQTT 5.0 §3.13, MQTT 3.1.1 §3.13). */
export interface Pingresp {
  readonly type: "pingresp";
}

/** Properties of a DISCONNECT (MQTT 5.0 §3.14.2.2). */
export interface DisconnectProperties extends ReasonProperties {
  readonly sessionExpirySeconds?: number;
  readonly serverReference?: string;
}

/** DISCONNECT: the last packet of a connection (MQTT 5.0 §3.14, MQTT 3.1.1 §3.14). */
export interface Disconnect {
  readonly type: "disconnect";
  /** 0 at level 4. */
  readonly reasonCode: number;
  readonly properties: DisconnectProperties | null;
}

/** Properties of an AUTH (MQTT 5.0 §3.15.2.2). */
export interface AuthProperties extends ReasonProperties {
  readonly authenticationMethod?: string;
  readonly authenticationData?: Uint8Array;
}

/** AUTH exists at level 5 only (§3.15). */
export interface Auth {
  readonly type: "auth";
  /** 0x00 success, 0x18 continue authentication, 0x19 re-authenticate. */
  readonly reasonCode: number;
  readonly properties: AuthProperties | null;
}

/** Any control packet. */
export type Packet =
  | Connect
  | Connack
  | Publish
  | PublishAck
  | Subscribe
  | Suback
  | Unsubscribe
  | Unsuback
  | Pingreq
  | Pingresp
  | Disconnect
  | Auth;
