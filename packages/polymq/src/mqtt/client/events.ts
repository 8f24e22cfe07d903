import type { MessagingError } from "../../base/errors.ts";
import type { QoS } from "../codec/packets.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import type { MqttMessage } from "./message.ts";

/** Where a client stands; see {@link MqttClient.state}. */
export type MqttClientState = "disconnected" | "connecting" | "connected" | "reconnecting" | "disconnecting" | "closed";

/** Why a message was dropped instead of being sent or delivered. */
export type DropReason = "slowConsumer" | "offlineFull" | "unclaimed" | "refused";

/** What each event carries besides its `type`. */
export interface MqttClientEvents {
  /** A connection is up: CONNACK came, subscriptions and messages in flight are being restored. */
  connect: { readonly sessionPresent: boolean; readonly server: string; readonly protocolVersion: 4 | 5 };
  /** What the server said it can do, told before `connect`. With MQTT 3.1.1 it holds the protocol's defaults. */
  serverCapabilities: { readonly capabilities: ServerCapabilities };
  /** The connection broke; with reconnect on, `reconnecting` follows. */
  connectionLost: { readonly error: MessagingError };
  /** An attempt to come back is about to be made; `attempt` counts from 1 since the connection was lost. */
  reconnecting: { readonly attempt: number; readonly server: string };
  /** No further attempt will be made. */
  reconnectFailed: { readonly error: MessagingError };
  /** The server ended the connection and said why (MQTT 5.0 §3.14). */
  serverDisconnect: { readonly reasonCode: number; readonly reasonString: string; readonly serverReference: string };
  /** A subscription could not be restored after a reconnect. */
  subscriptionLost: { readonly filter: string; readonly error: MessagingError };
  /** A handler threw or rejected; what happens to its message says the subscription's `whenHandlerFails`. */
  handlerError: { readonly message: MqttMessage; readonly error: unknown };
  /** A message was dropped by a policy that the application chose, or because nothing else was possible. */
  messageDropped: {
    readonly direction: "inbound" | "outbound";
    readonly reason: DropReason;
    readonly topic: string;
    readonly qos: QoS;
    readonly payloadBytes: number;
  };
  /** Something failed that no caller waits for. */
  backgroundError: { readonly error: MessagingError };
  /** `state` has changed. */
  state: { readonly state: MqttClientState };
  /** The client is closed for good. */
  closed: { readonly error: MessagingError | null };
}

/** One event with its `type`, as `events()` gives it. */
export type MqttClientEvent = {
  [K in keyof MqttClientEvents]: { readonly type: K } & MqttClientEvents[K];
}[keyof MqttClientEvents];
