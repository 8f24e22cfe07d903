import type { MessagingError } from "../../base/errors.ts";
import type { ClientRules } from "../codec/client-role.ts";
import type { Auth, Connack, Connect, Disconnect, DisconnectProperties, Packet } from "../codec/packets.ts";
import type { PublishBlockReader } from "../codec/publish-properties.ts";
import type { TopicAliases } from "./topic-aliases.ts";

/** What a client's engine does at one protocol level and not at the other. */
export interface ClientLevel extends ClientRules {
  /** Reads and checks the properties of a PUBLISH; never called at level 4. */
  readonly readPublishProperties: PublishBlockReader;
  /**
   * Checks the CONNACK that accepts `connect`.
   * @throws {MessagingError} ERR_AUTH_METHOD_MISMATCH, ERR_PACKET_TOO_LARGE for a server that takes no packets large enough for acknowledgements
   */
  checkConnack(connect: Connect, connack: Connack): void;
  /** Topic aliases within what both sides allow; null where there are none. */
  aliases<Entry>(inboundMaximum: number, outboundMaximum: number): TopicAliases<Entry> | null;
  /** The packet with less in it, for a server that it is too large for; null when nothing may be left out. */
  lighten(packet: Packet): Packet | null;
  /** The last packet that tells the server of an error of ours, or null; `text` may be "". */
  goodbye(error: MessagingError, text: string): Disconnect | null;
  /**
   * The DISCONNECT to end with. @throws {MessagingError} ERR_INVALID_ARGUMENT for a code that a client may not send and for a session expiry after one of
   * 0 in CONNECT (MQTT 5.0 §3.14.2)
   */
  disconnect(connect: Connect, reasonCode: number, properties: DisconnectProperties | null): Disconnect;
  /**
   * Refuses an AUTH of ours that may not be sent now.
   * @throws {MessagingError} as `ClientEngine.sendAuth`
   */
  checkAuth(connect: Connect, packet: Auth, open: boolean): void;
  /** Refuses one of the server's. @throws {MessagingError} ERR_PROTOCOL_VIOLATION, ERR_AUTH_METHOD_MISMATCH */
  expectAuth(connect: Connect, packet: Auth): void;
}
