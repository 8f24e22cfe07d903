import { MessagingError } from "../../base/errors.ts";
import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import {
  decodeFromServer,
  encodeFromClient,
  type PacketFromClient,
  type PacketFromServer,
  unexpected,
} from "../codec/client-role.ts";
import type {
  Auth,
  Connack,
  Connect,
  Disconnect,
  DisconnectProperties,
  Packet,
  Suback,
  Subscribe,
  Unsuback,
  Unsubscribe,
} from "../codec/packets.ts";
import type { PublishHead } from "../codec/publish-head.ts";
import type { RequestCodec } from "../codec/request-codec.ts";
import type { TopicEntry } from "../codec/topic-decoder.ts";
import { violation } from "../codec/violation.ts";
import type { ClientLevel } from "./client-level.ts";
import { asMessagingError, Endpoint } from "./endpoint.ts";
import type { EndpointHandler, EndpointOptions } from "./endpoint-contract.ts";
import { HeldMessages } from "./held-messages.ts";
import { ClientKeepAlive } from "./keep-alive.ts";
import { type OutboundFlow, Phase } from "./outbound-flow.ts";
import { noPacketId } from "./packet-ids.ts";
import type { Receiving, Reception } from "./reception.ts";

/** What a client engine tells its owner on top of {@link EndpointHandler}. */
export interface ClientHandler<Item> extends EndpointHandler<Item> {
  /** The server accepted; messages may flow from now on. */
  onConnected(connack: Connack): void;
  /** The server refused the connection; the engine is over. */
  onRefused(connack: Connack): void;
  /**
   * A message came, and nobody can receive it yet: the owner stops reading, and calls `receive` when somebody can. At most once.
   */
  onHeld(): void;
  /** The answer to the request that `item` was handed over with. */
  onAnswer(item: Item, packet: Suback | Unsuback): void;
  /** The server is there. */
  onPingresp(): void;
  /** The server goes on with, or asks for, enhanced authentication. */
  onAuth(packet: Auth): void;
  /** The server said goodbye (MQTT 5.0); the engine is over. */
  onServerDisconnect(packet: Disconnect): void;
}

/** Options of {@link ClientEngine}. */
export interface ClientEngineOptions<Item, Route> extends EndpointOptions<Item> {
  readonly handler: ClientHandler<Item>;
  /** The session's. */
  readonly outbound: OutboundFlow<Item>;
  /** Makes what receives messages, when the handshake is done or `receive` is called; null while nobody can. */
  readonly receiver: (reception: Reception<Route>) => Receiving | null;
  /** What `request` needs; null as long as nothing is requested. */
  readonly requests: () => RequestCodec | null;
  readonly connect: Connect;
  /** The rules of CONNECT's level. */
  readonly rules: ClientLevel;
  /** Our own bound of publishes in flight; the server's receive maximum may lower it. */
  readonly maxInflight: number;
  readonly pingTimeoutMs: number;
  readonly useTopicAliases: boolean;
}

/** The protocol's default receive maximum (MQTT 5.0 §3.1.2.11.3). */
const RECEIVE_MAXIMUM_DEFAULT = 65_535;

type State =
  | { readonly is: "connecting" }
  | { readonly is: "open"; readonly keepAlive: ClientKeepAlive }
  | { readonly is: "closed" };

/**
 * The client's side of one MQTT connection. `start` writes CONNECT; from CONNACK on, messages flow. The owner calls `onTime`
 * when `deadlineMs` has come.
 */
export class ClientEngine<Item, Route> extends Endpoint<Item> {
  readonly #options: ClientEngineOptions<Item, Route>;
  readonly #clientHandler: ClientHandler<Item>;
  readonly #outbound: OutboundFlow<Item>;
  readonly #rules: ClientLevel;
  #state: State = { is: "connecting" };
  /** What waits for a receiver; null when there is one, and before the handshake is done. */
  #held: { readonly messages: HeldMessages; readonly reception: Reception<Route> } | null = null;

  constructor(options: ClientEngineOptions<Item, Route>) {
    super(options);
    this.#options = options;
    this.#clientHandler = options.handler;
    this.#outbound = options.outbound;
    this.#rules = options.rules;
    this.level = options.rules.level;
  }

  /** Writes CONNECT, the first packet of a connection [MQTT-3.1.0-1]. */
  start(): void {
    this.send(this.#options.connect);
  }

  /** True from CONNACK until the end. */
  get open(): boolean {
    return this.#state.is === "open";
  }

  /** Somebody can receive messages now: those that were held come first. Harmless where none are. */
  receive(): void {
    const held = this.#held;
    const receiving = held === null ? null : this.#options.receiver(held.reception);
    if (held === null || receiving === null || this.over) return;
    this.#held = null;
    this.receiveWith(receiving);
    try {
      for (const frame of held.messages.take()) this.replay(frame);
    } catch (error) {
      this.fail(asMessagingError(error));
    }
  }

  /**
   * Sends SUBSCRIBE or UNSUBSCRIBE under a packet id of its own, which is returned.
   * @throws {MessagingError} ERR_NOT_CONNECTED unless the connection is open, ERR_MAX_INFLIGHT without a free id, and what the
   * encoder refuses
   */
  request(item: Item, packet: Omit<Subscribe, "packetId"> | Omit<Unsubscribe, "packetId">): number {
    if (!this.open) throw new MessagingError("ERR_NOT_CONNECTED", "no connection to send a request on");
    const phase = packet.type === "subscribe" ? Phase.Subscribe : Phase.Unsubscribe;
    const packetId = this.#outbound.beginRequest(item, phase);
    if (packetId === 0) throw noPacketId();
    try {
      this.send({ ...packet, packetId });
    } catch (error) {
      this.#outbound.finish(packetId, phase);
      throw error;
    }
    return packetId;
  }

  /**
   * Answers a challenge (0x18) or, once open, starts re-authentication (0x19) (MQTT 5.0 §4.12).
   * @throws {MessagingError} ERR_AUTH_NOT_V5 at level 4, ERR_AUTH_METHOD_MISSING when CONNECT named no method
   * [MQTT-4.12.0-7], ERR_INVALID_ARGUMENT for another method than that or another code [MQTT-4.12.0-3] [MQTT-4.12.0-5]
   */
  sendAuth(packet: Auth): void {
    if (this.over) return;
    this.#rules.checkAuth(this.#options.connect, packet, this.open);
    this.send(packet);
  }

  /**
   * Says goodbye and ends: nothing may be written afterwards [MQTT-3.14.4-1].
   * @throws {MessagingError} ERR_INVALID_ARGUMENT, with the connection as it was, for a code that a client may not send and for a
   * session expiry after one of 0 in CONNECT (MQTT 5.0 §3.14.2)
   */
  disconnect(reasonCode: number, properties: DisconnectProperties | null): void {
    if (this.over) return;
    const packet = this.#rules.disconnect(this.#options.connect, reasonCode, properties);
    if (this.open) this.sendLast(packet);
    this.end();
  }

  override end(): void {
    this.#state = { is: "closed" };
    super.end();
  }

  /** Bytes left the process. */
  sent(nowMs: number): void {
    if (this.#state.is === "open") this.#state.keepAlive.sent(nowMs);
  }

  /** When `onTime` should be called; Infinity for never. */
  get deadlineMs(): number {
    return this.#state.is === "open" ? this.#state.keepAlive.deadlineMs : Number.POSITIVE_INFINITY;
  }

  /** As `onTime`, while the owner does not read: the server must hear from us, but its silence says nothing. */
  onTimeWhilePaused(nowMs: number): void {
    if (this.#state.is !== "open") return;
    if (this.#state.keepAlive.due(nowMs) === "dead") this.#state.keepAlive.heard(nowMs);
    else this.onTime(nowMs);
  }

  /** Sends PINGREQ when it is time, and gives a silent server up (MQTT 5.0 §3.1.2.10). */
  onTime(nowMs: number): void {
    if (this.#state.is !== "open") return;
    this.nowMs = nowMs;
    const keepAlive = this.#state.keepAlive;
    const action = keepAlive.due(nowMs);
    if (action === "ping") this.ping();
    else if (action === "dead") {
      this.fail(new MessagingError("ERR_PING_TIMEOUT", "no answer to PINGREQ in time"));
    }
  }

  /** Sends PINGREQ, whether keep-alive asks for it or the owner wants to know that all it has sent before is done with. */
  ping(): void {
    if (this.#state.is !== "open") return;
    this.send({ type: "pingreq" });
    this.#state.keepAlive.pinged(this.nowMs);
  }

  protected heard(nowMs: number): void {
    if (this.#state.is === "open") this.#state.keepAlive.heard(nowMs);
  }

  protected decode(r: ByteReader): PacketFromServer {
    return decodeFromServer(r, this.#rules, this.#options.requests());
  }

  protected encode(w: ByteWriter, packet: Packet): void {
    encodeFromClient(w, packet as PacketFromClient, this.#rules, this.#options.requests());
  }

  protected onEarlyFrame(reader: ByteReader): void {
    this.#onHandshake(this.decode(reader));
  }

  protected sayGoodbye(error: MessagingError, text: string): void {
    const quiet = this.#options.connect.properties?.requestProblemInformation === false;
    const goodbye = this.open ? this.#rules.goodbye(error, quiet ? "" : text) : null;
    if (goodbye !== null) this.sendLast(goodbye);
  }

  protected lighten(packet: Packet): Packet | null {
    return this.#rules.lighten(packet);
  }

  protected mayAnswer(reasonCode: number): boolean {
    return this.#rules.reasonCodes.puback.includes(reasonCode);
  }

  /**
   * A 3.1.1 server without QoS 2 has no way to say so, and takes QoS 2 as QoS 1 (RabbitMQ up to 3.12). To fail would mean to send
   * the message again on each connection, for ever.
   */
  protected get takesDowngrade(): boolean {
    return this.level === 4;
  }

  checkPublish(_head: PublishHead): void {
    // Everything that a server may send was checked by the codec and the flows.
  }

  protected onPacket(packet: Packet): void {
    switch (packet.type) {
      case "suback":
        return this.#onAnswer(packet, Phase.Subscribe);
      case "unsuback":
        return this.#onAnswer(packet, Phase.Unsubscribe);
      case "pingresp":
        return this.#clientHandler.onPingresp();
      case "disconnect":
        this.end();
        return this.#clientHandler.onServerDisconnect(packet);
      case "auth":
        return this.#onAuth(packet);
      default:
        throw unexpected(packet.type);
    }
  }

  #onHandshake(packet: PacketFromServer): void {
    if (packet.type === "auth") return this.#onAuth(packet);
    if (packet.type === "disconnect" && this.level === 5) {
      this.end();
      return this.#clientHandler.onServerDisconnect(packet);
    }
    if (packet.type !== "connack") throw unexpected(packet.type);
    if (packet.reasonCode !== 0) {
      if (packet.sessionPresent) throw violation("CONNACK refuses and says session present"); // [MQTT-3.2.2-6]
      this.end();
      return this.#clientHandler.onRefused(packet);
    }
    this.#onAccepted(packet);
  }

  #onAccepted(connack: Connack): void {
    const { connect, maxInflight, pingTimeoutMs, useTopicAliases } = this.#options;
    if (connect.cleanStart && connack.sessionPresent) {
      throw violation("CONNACK says session present after a clean start"); // [MQTT-3.2.2-2]
    }
    const theirs = connack.properties;
    this.#rules.checkConnack(connect, connack);
    const aliases = this.#rules.aliases<TopicEntry<Route>>(
      connect.properties?.topicAliasMaximum ?? 0,
      useTopicAliases ? (theirs?.topicAliasMaximum ?? 0) : 0,
    );
    this.agree({
      level: connect.level,
      outbound: this.#outbound,
      receiving: this.#receiving({
        endpoint: this,
        level: connect.level,
        reader: this.reader,
        readProperties: this.#rules.readPublishProperties,
        aliases: aliases?.inbound ?? null,
        receiveMaximum: connect.properties?.receiveMaximum ?? RECEIVE_MAXIMUM_DEFAULT,
        resumed: connack.sessionPresent,
      }),
      sendWindow: Math.min(maxInflight, theirs?.receiveMaximum ?? RECEIVE_MAXIMUM_DEFAULT),
      aliases: aliases?.outbound ?? null,
      peerMaximumPacketSize: theirs?.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    });
    const keepAliveSeconds = theirs?.serverKeepAliveSeconds ?? connect.keepAliveSeconds; // [MQTT-3.2.2-21]
    this.#state = { is: "open", keepAlive: new ClientKeepAlive(keepAliveSeconds, pingTimeoutMs, this.nowMs) };
    this.#clientHandler.onConnected(connack);
  }

  #receiving(reception: Reception<Route>): Receiving {
    const receiving = this.#options.receiver(reception);
    if (receiving !== null) return receiving;
    const messages = new HeldMessages(() => this.#clientHandler.onHeld());
    this.#held = { messages, reception };
    return messages;
  }

  #onAnswer(packet: Suback | Unsuback, phase: Phase): void {
    const { type, packetId } = packet;
    const item = this.#outbound.finish(packetId, phase);
    if (item === undefined) throw violation(`${type.toUpperCase()} for packet id ${packetId}, which awaits none`);
    this.#clientHandler.onAnswer(item, packet);
  }

  #onAuth(packet: Auth): void {
    this.#rules.expectAuth(this.#options.connect, packet);
    this.#clientHandler.onAuth(packet);
  }
}
