import { unreachable } from "../../base/assert.ts";
import { isMessagingError, MessagingError } from "../../base/errors.ts";
import type { ByteReader } from "../../bytes/reader.ts";
import type { ByteWriter } from "../../bytes/writer.ts";
import { decodeConnect, readConnectLevel } from "../codec/connect.ts";
import { decodePacket } from "../codec/decode.ts";
import { encodePacket } from "../codec/encode.ts";
import { PacketType } from "../codec/header.ts";
import { rulesOf } from "../codec/level-5.ts";
import type {
  Auth,
  Connack,
  ConnackProperties,
  Connect,
  ConnectProperties,
  Disconnect,
  DisconnectProperties,
  Packet,
  ProtocolLevel,
  QoS,
  Suback,
  Subscribe,
  Unsuback,
  Unsubscribe,
} from "../codec/packets.ts";
import type { PublishHead } from "../codec/publish-head.ts";
import { scanPublishProperties } from "../codec/publish-property-scan.ts";
import { ReasonCode } from "../codec/reason-codes.ts";
import { mayCarryReason, reasonCodeOf, reasonSender, returnCodeOfReason, sayableCode } from "../codec/reason-rules.ts";
import type { TopicDecoder, TopicEntry } from "../codec/topic-decoder.ts";
import { asMessagingError, Endpoint } from "./endpoint.ts";
import type { EndpointHandler, EndpointOptions } from "./endpoint-contract.ts";
import { ServerKeepAlive } from "./keep-alive.ts";
import { lighten, withoutReasons } from "./lighten.ts";
import { Receiver, type ReceiverHandler } from "./receiver.ts";
import type { SessionState } from "./session-state.ts";
import { topicAliases } from "./topic-aliases.ts";

/** What a server engine tells its owner on top of {@link EndpointHandler}. */
export interface ServerHandler<Item, Route> extends EndpointHandler<Item>, ReceiverHandler<Route> {
  /** A client wants in: the owner answers with `accept`, `refuse` or, for enhanced authentication, `sendAuth`; now or later. */
  onConnect(packet: Connect): void;
  /** The owner answers with `sendSuback`. */
  onSubscribe(packet: Subscribe): void;
  /** The owner answers with `sendUnsuback`. */
  onUnsubscribe(packet: Unsubscribe): void;
  /** The client goes on with enhanced authentication. */
  onAuth(packet: Auth): void;
  /** The client said goodbye; the engine is over. */
  onDisconnect(packet: Disconnect): void;
}

/** Options of {@link ServerEngine}. */
export interface ServerEngineOptions<Item, Route> extends EndpointOptions<Item> {
  readonly handler: ServerHandler<Item, Route>;
  readonly topicDecoder: TopicDecoder<Route>;
  /** Time for CONNECT to arrive after the connection was made, in ms. */
  readonly connectTimeoutMs: number;
}

/** The owner's answer to CONNECT. */
export interface Acceptance<Item> {
  readonly session: SessionState<Item>;
  readonly sessionPresent: boolean;
  /** What CONNACK says at level 5; it also sets what is enforced. */
  readonly properties: ConnackProperties | null;
  /** Our own bound of messages in flight to this client. */
  readonly maxInflight: number;
  /** Largest number of aliases that we use towards the client, at most the client's own maximum. */
  readonly topicAliasesMax: number;
}

/** The protocol's default receive maximum (MQTT 5.0 §3.2.2.3.3). */
const RECEIVE_MAXIMUM_DEFAULT = 65_535;

type State =
  | { readonly is: "new"; readonly untilMs: number }
  | { readonly is: "deciding"; readonly connect: Connect; readonly untilMs: number }
  | {
      readonly is: "open";
      readonly connect: Connect;
      readonly keepAlive: ServerKeepAlive;
      readonly limits: PublishLimits;
    }
  | { readonly is: "closed" };

/** What a client may publish (MQTT 5.0 §3.2.2.3). */
interface PublishLimits {
  readonly maximumQoS: QoS;
  readonly retainAvailable: boolean;
}

/** The server's side of one MQTT connection: 3.1.1 or 5.0, as the client's CONNECT says. */
export class ServerEngine<Item, Route> extends Endpoint<Item> {
  readonly #serverHandler: ServerHandler<Item, Route>;
  readonly #topics: TopicDecoder<Route>;
  #state: State;
  /** Frames that came between CONNECT and our answer. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;

  constructor(options: ServerEngineOptions<Item, Route>) {
    super(options);
    this.#serverHandler = options.handler;
    this.#topics = options.topicDecoder;
    this.#state = { is: "new", untilMs: options.nowMs + options.connectTimeoutMs };
  }

  /** True from `accept` until the end. */
  get open(): boolean {
    return this.#state.is === "open";
  }

  /**
   * Lets the client in: CONNACK, then messages may flow. The authentication method is filled in, and response information is
   * left out for a client that did not ask for it [MQTT-3.1.2-28]. A client that takes no packet as large as CONNACK fails.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for another authentication method than CONNECT's [MQTT-4.12.0-5]
   */
  accept(acceptance: Acceptance<Item>): void {
    if (this.#state.is !== "deciding") return;
    const { connect } = this.#state;
    const ours = acceptance.properties;
    const theirs = connect.properties;
    const { level } = connect;
    const { sessionPresent } = acceptance;
    const properties = level === 5 ? connackProperties(ours, theirs) : null;
    try {
      this.send({ type: "connack", sessionPresent, reasonCode: 0, properties });
    } catch (error) {
      if (!isMessagingError(error) || error.code !== "ERR_PACKET_TOO_LARGE") throw error;
      return this.fail(error);
    }
    const aliases = topicAliases<TopicEntry<Route>>(
      ours?.topicAliasMaximum ?? 0,
      Math.min(acceptance.topicAliasesMax, theirs?.topicAliasMaximum ?? 0),
    );
    const reception = {
      endpoint: this,
      level,
      reader: this.reader,
      readProperties: scanPublishProperties,
      aliases: aliases.inbound,
      receiveMaximum: (level === 5 ? ours?.receiveMaximum : undefined) ?? RECEIVE_MAXIMUM_DEFAULT,
      resumed: sessionPresent,
    };
    const { inbound, outbound } = acceptance.session;
    this.agree({
      level,
      outbound,
      receiving: new Receiver(reception, { handler: this.#serverHandler, inbound, topics: this.#topics }),
      sendWindow: Math.min(acceptance.maxInflight, theirs?.receiveMaximum ?? RECEIVE_MAXIMUM_DEFAULT),
      aliases: aliases.outbound,
      peerMaximumPacketSize: theirs?.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    });
    const keepAliveSeconds = (level === 5 ? ours?.serverKeepAliveSeconds : undefined) ?? connect.keepAliveSeconds;
    const keepAlive = new ServerKeepAlive(keepAliveSeconds, this.nowMs);
    const limits = { maximumQoS: ours?.maximumQoS ?? 2, retainAvailable: ours?.retainAvailable ?? true } as const;
    this.#state = { is: "open", connect, keepAlive, limits };
    this.#replayEarly();
  }

  /** Refuses the connection with a 5.0 reason code, said as a return code to a 3.1.1 client where there is one. */
  refuse(reasonCode: number, properties: ConnackProperties | null): void {
    if (this.over) return;
    if (this.#state.is === "deciding") this.#sendRefusal(reasonCode, properties);
    this.end();
  }

  #replayEarly(): void {
    const frames = this.#early;
    this.#early = [];
    try {
      for (const frame of frames) this.replay(frame);
    } catch (error) {
      this.fail(asMessagingError(error));
    }
  }

  /** Writes SUBACK, without explanations where the client wants none. */
  sendSuback(packet: Suback): void {
    this.#sendExplained(packet);
  }

  /** Writes UNSUBACK, without explanations where the client wants none. */
  sendUnsuback(packet: Unsuback): void {
    this.#sendExplained(packet);
  }

  /**
   * Sends a challenge (0x18) or, once open, ends a re-authentication (0x00) (MQTT 5.0 §4.12).
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for another code [MQTT-4.12.0-2] or another authentication method than
   * CONNECT's [MQTT-4.12.0-5] [MQTT-4.12.0-6]
   */
  sendAuth(packet: Auth): void {
    if (this.#state.is !== "deciding" && this.#state.is !== "open") return;
    const method = this.#state.connect.properties?.authenticationMethod;
    if (method === undefined || packet.properties?.authenticationMethod !== method) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "AUTH must name the authentication method of CONNECT");
    }
    const ends = packet.reasonCode === ReasonCode.Success && this.open;
    if (packet.reasonCode !== ReasonCode.ContinueAuthentication && !ends) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `a server cannot send AUTH ${packet.reasonCode} now`);
    }
    this.#sendExplained(packet);
  }

  /**
   * Says goodbye, in words at level 5 only, and ends (MQTT 5.0 §3.14).
   * @throws {MessagingError} ERR_INVALID_ARGUMENT, with the connection as it was, for a code that a server may not send and for a
   * session expiry [MQTT-3.14.2-2]
   */
  disconnect(reasonCode: number, properties: DisconnectProperties | null): void {
    if (this.over) return;
    if (this.level === 5 && sayableCode("disconnect", reasonCode, "server") !== reasonCode) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", `a server cannot send DISCONNECT ${reasonCode}`);
    }
    if (properties?.sessionExpirySeconds !== undefined) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "a server's DISCONNECT has no session expiry");
    }
    if (this.level === 5 && this.open) this.sendLast({ type: "disconnect", reasonCode, properties });
    this.end();
  }

  override end(): void {
    this.#state = { is: "closed" };
    super.end();
  }

  /** When `onTime` should be called; Infinity for never. */
  get deadlineMs(): number {
    const state = this.#state;
    switch (state.is) {
      case "new":
      case "deciding":
        return state.untilMs;
      case "open":
        return state.keepAlive.deadlineMs;
      case "closed":
        return Number.POSITIVE_INFINITY;
      default:
        return unreachable(state);
    }
  }

  /** Ends a connection whose client has been silent too long [MQTT-3.1.2-22]. */
  onTime(nowMs: number): void {
    if (this.over || nowMs < this.deadlineMs) return;
    this.nowMs = nowMs;
    if (this.#state.is === "open") this.fail(new MessagingError("ERR_PING_TIMEOUT", "keep alive timeout"));
    else this.fail(new MessagingError("ERR_CONNECT_TIMEOUT", "no connection made in time"));
  }

  protected heard(nowMs: number): void {
    if (this.#state.is === "open") this.#state.keepAlive.heard(nowMs);
  }

  protected decode(r: ByteReader): Packet {
    return decodePacket(r, this.level);
  }

  protected encode(w: ByteWriter, packet: Packet): void {
    encodePacket(w, packet, this.level);
  }

  protected onEarlyFrame(reader: ByteReader): void {
    if (this.#state.is === "deciding") return this.#onWhileDeciding(reader);
    const at = reader.at;
    this.level = this.#readLevel(reader);
    reader.at = at;
    this.#onFirst(decodeConnect(reader, rulesOf));
  }

  protected lighten(packet: Packet): Packet | null {
    return lighten(packet);
  }

  protected mayAnswer(reasonCode: number): boolean {
    return mayCarryReason("puback", reasonCode);
  }

  protected sayGoodbye(error: MessagingError, text: string): void {
    const reasonCode = reasonCodeOf(error);
    if (this.#state.is === "new" || this.#state.is === "deciding") {
      return this.#sendRefusal(sayableCode("connack", reasonCode, "server"), null);
    }
    if (this.level !== 5 || this.#state.is !== "open") return;
    const quiet = text === "" || this.#state.connect.properties?.requestProblemInformation === false;
    const code = sayableCode("disconnect", reasonCode, "server");
    this.sendLast({ type: "disconnect", reasonCode: code, properties: quiet ? null : { reasonString: text } });
  }

  protected get takesDowngrade(): boolean {
    return false;
  }

  checkPublish(head: PublishHead): void {
    if (this.#state.is !== "open") return;
    const limits = this.#state.limits;
    if (head.subscriptionIdentifiers > 0) throw violation("PUBLISH with a subscription identifier from a client"); // [MQTT-3.3.4-6]
    if (head.qos > limits.maximumQoS) throw new MessagingError("ERR_INVALID_QOS", `QoS ${head.qos} is not supported`); // [MQTT-3.2.2-11]
    if (head.retain && !limits.retainAvailable) {
      throw new MessagingError("ERR_NOT_SUPPORTED_BY_SERVER", "retained messages are not supported"); // [MQTT-3.2.2-14]
    }
  }

  protected onPacket(packet: Packet): void {
    if (this.#state.is === "open") this.#onOpen(packet);
  }

  #onFirst(packet: Connect): void {
    if (this.#state.is !== "new") return;
    this.level = packet.level;
    this.limitPackets(packet.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY);
    this.#state = { is: "deciding", connect: packet, untilMs: this.#state.untilMs };
    this.#serverHandler.onConnect(packet);
  }

  /** A refusal is said in the words of the version that the client speaks, also when its CONNECT is wrong. */
  #readLevel(reader: ByteReader): ProtocolLevel {
    try {
      return readConnectLevel(reader);
    } catch (error) {
      if (isMessagingError(error) && typeof error.peer?.code === "number" && error.peer.code >= 5) this.level = 5;
      throw error;
    }
  }

  /** A client need not wait for CONNACK (MQTT 5.0 §3.1.4): what it sends meanwhile is held back, within a limit. */
  #onWhileDeciding(reader: ByteReader): void {
    const type = (reader.buffer[reader.at] as number) >> 4;
    // A DISCONNECT behind other packets has to wait for its turn.
    if (type !== PacketType.AUTH && (type !== PacketType.DISCONNECT || this.#early.length > 0)) {
      this.#earlyBytes += reader.left + EARLY_FRAME_BYTES;
      if (this.#earlyBytes > EARLY_BYTES_MAX) {
        throw new MessagingError("ERR_PROTOCOL_VIOLATION", `more than ${EARLY_BYTES_MAX} bytes before CONNACK`);
      }
      this.#early.push(reader.buffer.slice(reader.at, reader.end));
      return;
    }
    const packet = this.decode(reader);
    if (packet.type === "auth") this.#onAuth(packet);
    else if (packet.type === "disconnect") this.#onDisconnect(packet);
  }

  #onOpen(packet: Packet): void {
    switch (packet.type) {
      case "subscribe":
        return this.#serverHandler.onSubscribe(packet);
      case "unsubscribe":
        return this.#serverHandler.onUnsubscribe(packet);
      case "pingreq":
        return this.send({ type: "pingresp" }); // [MQTT-3.12.4-1]
      case "disconnect":
        return this.#onDisconnect(packet);
      case "auth":
        return this.#onAuth(packet);
      case "connect":
        throw violation("a second CONNECT"); // [MQTT-3.1.0-2]
      default:
        throw new MessagingError(
          "ERR_UNEXPECTED_PACKET",
          `${packet.type.toUpperCase()} is not for a server to receive`,
        );
    }
  }

  #onAuth(packet: Auth): void {
    if (this.#state.is !== "deciding" && this.#state.is !== "open") return;
    const method = this.#state.connect.properties?.authenticationMethod;
    if (method === undefined) throw violation("AUTH without an authentication method in CONNECT"); // [MQTT-4.12.0-7]
    if (packet.properties?.authenticationMethod !== method) {
      throw new MessagingError("ERR_AUTH_METHOD_MISMATCH", "AUTH names another authentication method"); // [MQTT-4.12.0-5]
    }
    const begins = packet.reasonCode === ReasonCode.ReAuthenticate && this.open;
    if (packet.reasonCode !== ReasonCode.ContinueAuthentication && !begins) {
      throw violation(`AUTH with reason code ${packet.reasonCode} from a client`); // [MQTT-4.12.0-3]
    }
    this.#serverHandler.onAuth(packet);
  }

  #onDisconnect(packet: Disconnect): void {
    if (this.#state.is !== "deciding" && this.#state.is !== "open") return;
    if (this.level === 5 && reasonSender("disconnect", packet.reasonCode) === "server") {
      throw violation(`DISCONNECT with reason code ${packet.reasonCode} from a client`); // §3.14.2.1
    }
    const expiry = packet.properties?.sessionExpirySeconds ?? 0;
    const first = this.#state.connect.properties?.sessionExpirySeconds ?? 0;
    // §3.14.2.2.2
    if (expiry > 0 && first === 0) throw violation("DISCONNECT raises a session expiry that was 0");
    this.end();
    this.#serverHandler.onDisconnect(packet);
  }

  /** A client that wants no reasons gets none but in CONNACK and DISCONNECT [MQTT-3.1.2-29]. */
  #sendExplained(packet: Suback | Unsuback | Auth): void {
    const quiet =
      this.#state.is !== "new" &&
      this.#state.is !== "closed" &&
      this.#state.connect.properties?.requestProblemInformation === false;
    this.send(quiet ? withoutReasons(packet) : packet);
  }

  #sendRefusal(reasonCode: number, properties: ConnackProperties | null): void {
    if (this.level === 5) return this.sendLast({ type: "connack", sessionPresent: false, reasonCode, properties });
    const returnCode = returnCodeOfReason(reasonCode);
    if (returnCode === null) return;
    this.send({ type: "connack", sessionPresent: false, reasonCode: returnCode, properties: null } satisfies Connack);
  }
}

/** Bytes that a client may send between CONNECT and our CONNACK. */
const EARLY_BYTES_MAX = 1_048_576;

/** What a packet that is held back costs beside its bytes. */
const EARLY_FRAME_BYTES = 128;

function connackProperties(ours: ConnackProperties | null, theirs: ConnectProperties | null): ConnackProperties | null {
  const method = theirs?.authenticationMethod;
  const named = ours?.authenticationMethod;
  if (named !== undefined && named !== method) {
    throw new MessagingError("ERR_INVALID_ARGUMENT", "CONNACK names another authentication method than CONNECT");
  }
  const { responseInformation, ...rest } = ours ?? {};
  const informed = responseInformation !== undefined && theirs?.requestResponseInformation === true;
  return {
    ...rest,
    ...(informed ? { responseInformation } : {}),
    ...(method === undefined ? {} : { authenticationMethod: method }),
  };
}

function violation(what: string): MessagingError {
  return new MessagingError("ERR_PROTOCOL_VIOLATION", what);
}
