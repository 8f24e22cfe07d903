// Hot path: `onBytes`, `onPublish` and `sendNow` run per chunk or message. No closure, promise or iterator on their usual way.
import { type MessagingError, Outbox, type Timer, type Transport } from "polymq/internal";
import {
  type Auth,
  type Connect,
  type Disconnect,
  type PublishHead,
  ReasonCode,
  type ReasonProperties,
  type Subscribe,
  type TopicEntry,
  type Unsubscribe,
} from "polymq/mqtt/codec";
import { ServerEngine, type ServerHandler } from "polymq/mqtt/engine";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { MessageView } from "../../core/message.ts";
import type { Flushable } from "../../core/turn.ts";
import type { ProtocolConnection } from "../../listeners/protocol-factory.ts";
import { type Admitted, admit, type Identified, identify, type Refused } from "./admission.ts";
import type { Delivery } from "./delivery.ts";
import type { MqttContext } from "./mqtt-context.ts";
import { isTooLarge, type MqttSession, type SessionPort } from "./mqtt-session.ts";
import { outboundBlock } from "./property-block.ts";
import { PublishIntake } from "./publish-intake.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";
import type { TopicRoute } from "./topic-routes.ts";
import { type KeptWill, keptWill } from "./will-message.ts";

/** Time that a goodbye has to leave before the connection is cut. */
const CLOSING_MS = 1_000;

/** Where the client of a connection stands. */
type Client =
  | { readonly is: "unknown" }
  | {
      readonly is: "admitted";
      readonly session: MqttSession;
      readonly access: ConnectionAccess;
      readonly connect: Connect;
    }
  | { readonly is: "gone" };

/** One client's connection: joins transport, engine and session, and asks the hub in the client's name. */
export class MqttConnection implements ProtocolConnection, ServerHandler<Delivery, TopicRoute>, SessionPort, Flushable {
  readonly outbox: Outbox;
  readonly engine: ServerEngine<Delivery, TopicRoute>;
  readonly #context: MqttContext;
  readonly #intake: PublishIntake;
  #transport: Transport | null = null;
  #client: Client = { is: "unknown" };
  #will: KeptWill | null = null;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  readonly #onTimer: () => void;
  /** Set by a DISCONNECT that changes it (MQTT 5.0 §3.14.2.2.2). */
  #expiryMs: number | undefined = undefined;
  readonly #fields = { qos: 0 as const, retain: false, dup: false, packetId: 0 };

  constructor(context: MqttContext) {
    const { hub, mqtt } = context;
    this.#context = context;
    this.#onTimer = () => this.#onTime();
    this.outbox = new Outbox({
      pool: context.pool,
      text: context.text,
      armFlush: () => hub.turn.armFlush(this),
      highWaterBytes: context.sessions.unsentBytesMax,
    });
    this.engine = new ServerEngine<Delivery, TopicRoute>({
      outbox: this.outbox,
      handler: this,
      topicDecoder: context.topicDecoder,
      maximumPacketSize: mqtt.maximumPacketSize,
      nowMs: hub.clock.nowMs(),
      connectTimeoutMs: mqtt.connectTimeoutMs,
    });
    this.#intake = new PublishIntake(context, this.engine);
  }

  /** The client id, or "" before the client is let in. */
  get clientId(): string {
    return this.#client.is === "admitted" ? this.#client.session.id : "";
  }

  // Transport

  onOpen(transport: Transport): void {
    this.#transport = transport;
    this.#context.connections.add(this);
    this.outbox.open(transport);
    this.#arm();
  }

  onBytes(chunk: Uint8Array): void {
    this.engine.onBytes(chunk, this.#context.hub.clock.nowMs());
    if (this.#intake.holds) this.#transport?.pause();
  }

  onDrain(): void {
    this.outbox.drained();
    if (this.#client.is === "admitted") this.#client.session.pump();
  }

  onClosed(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#context.connections.delete(this);
    this.engine.end();
    this.#leave("publish");
    this.outbox.close();
    this.#transport = null;
  }

  flush(): void {
    this.outbox.flush();
  }

  /** Ends the connection with a reason that a 5.0 client is told. */
  end(reasonCode: number, will: "publish" | "discard"): void {
    this.engine.disconnect(reasonCode, null);
    this.#leave(will);
    this.#hangUp();
  }

  // Session

  get congested(): boolean {
    return this.outbox.blocked && this.outbox.unsentBytes > this.#context.sessions.unsentBytesMax;
  }

  sendNow(message: MessageView, identifiers: readonly number[], retain: boolean): boolean {
    const fields = this.#fields;
    fields.retain = retain;
    return this.#send(message, identifiers, fields);
  }

  sendDelivery(delivery: Delivery): boolean {
    return this.#send(delivery.message, delivery.identifiers, delivery);
  }

  sendPubrel(packetId: number): void {
    this.engine.sendPubrel(packetId, 0);
  }

  onTakenOver(): void {
    this.#context.metrics.sessionsTakenOver++;
    this.end(ReasonCode.SessionTakenOver, "publish"); // [MQTT-3.1.4-3]
  }

  // Engine

  onConnect(packet: Connect): void {
    const transport = this.#transport;
    if (transport === null) return;
    const identified = identify(packet, transport, this.#context);
    if (!(identified instanceof Promise)) return this.#onIdentified(packet, identified);
    identified.then(
      (value) => this.#onIdentified(packet, value),
      () => this.#refuse(ReasonCode.UnspecifiedError),
    );
  }

  onPublish(topic: TopicEntry<TopicRoute>, head: PublishHead, buffer: Uint8Array, ticket: number): void {
    this.#intake.onPublish(topic, head, buffer, ticket);
  }

  onPublishDone(item: Delivery, _packetId: number, _reasonCode: number, _properties: ReasonProperties | null): void {
    if (this.#client.is === "admitted") this.#client.session.onDone(item);
  }

  onPublishReceived(item: Delivery, packetId: number): void {
    if (this.#client.is === "admitted") this.#client.session.onReceived(item, packetId);
  }

  onReleased(packetId: number, known: boolean): void {
    this.#intake.onReleased(packetId, known);
  }

  onSubscribe(packet: Subscribe): void {
    const client = this.#client;
    if (client.is !== "admitted") return;
    const by = { session: client.session, access: client.access, level: client.connect.level };
    const codes = subscribe(packet, by, this.#context);
    const { packetId } = packet;
    const answer = (reasonCodes: readonly number[]): void => {
      if (this.engine.over) return;
      this.#sendSuback(packetId, reasonCodes);
      client.session.pump();
    };
    if (codes instanceof Promise) codes.then(answer, () => this.end(ReasonCode.UnspecifiedError, "publish"));
    else answer(codes);
  }

  onUnsubscribe(packet: Unsubscribe): void {
    const client = this.#client;
    if (client.is !== "admitted") return;
    const codes = unsubscribe(packet, client.session, this.#context);
    const reasonCodes = client.connect.level === 5 ? codes : [];
    this.engine.sendUnsuback({ type: "unsuback", packetId: packet.packetId, reasonCodes, properties: null });
  }

  onAuth(_packet: Auth): void {
    // No authentication method is offered: CONNECT with one was refused, and AUTH without one is an error [MQTT-4.12.0-6].
    this.end(ReasonCode.ProtocolError, "publish");
  }

  onDisconnect(packet: Disconnect): void {
    const expiry = packet.properties?.sessionExpirySeconds;
    if (expiry !== undefined) {
      const seconds = Math.min(expiry, this.#context.sessions.expirySecondsMax);
      this.#expiryMs = seconds === 0xffff_ffff ? Number.POSITIVE_INFINITY : seconds * 1000;
    }
    // [MQTT-3.14.4-3]: only a normal disconnection discards the will.
    this.#leave(packet.reasonCode === ReasonCode.NormalDisconnection ? "discard" : "publish");
    this.#hangUp();
  }

  onFailed(_error: MessagingError): void {
    this.#leave("publish");
    this.#hangUp();
  }

  // Own

  #onIdentified(connect: Connect, identified: Identified | Refused): void {
    if (this.engine.over) return;
    if ("refused" in identified) return this.#refuse(identified.refused);
    const admitted = admit(connect, identified, this.#context);
    if ("refused" in admitted) return this.#refuse(admitted.refused);
    this.#enter(connect, admitted);
  }

  #enter(connect: Connect, admitted: Admitted): void {
    const { session, access } = admitted;
    const { mqtt, metrics } = this.#context;
    this.#client = { is: "admitted", session, access, connect };
    this.#will = connect.will === null ? null : keptWill(connect.will, session.id, this.#context);
    this.#intake.open({ session, access, level: connect.level, resumeReading: () => this.#transport?.resume() });
    session.attach(this);
    metrics.clientConnected();
    this.engine.accept({
      session: session.state,
      sessionPresent: admitted.sessionPresent,
      properties: admitted.properties,
      maxInflight: mqtt.maxInflight,
      topicAliasesMax: mqtt.outboundTopicAliasMaximum,
    });
    this.#arm();
    if (!this.engine.over) session.resume();
  }

  #refuse(reasonCode: number): void {
    this.#context.metrics.clientsRefused++;
    this.engine.refuse(reasonCode, null);
    this.#hangUp();
  }

  /** The client is gone: its session goes on without it or ends, its will is published or not. */
  #leave(will: "publish" | "discard"): void {
    const client = this.#client;
    this.#client = { is: "gone" };
    if (client.is !== "admitted") return;
    const { hub, metrics } = this.#context;
    metrics.clientDisconnected();
    this.#intake.close();
    client.session.detach(this);
    const kept = this.#will;
    this.#will = null;
    if (kept !== null && will === "publish") {
      if (kept.delayMs > 0) hub.publishLater(client.session, kept.make(), kept.delayMs);
      else hub.publish(kept.make());
    }
    hub.detachSession(client.session, this.#expiryMs);
  }

  /** Sends what is left to say and ends the connection; a peer that does not take it is cut off. */
  #hangUp(): void {
    const transport = this.#transport;
    if (transport === null) return;
    this.outbox.flush();
    transport.close();
    this.#timer?.cancel();
    this.#timer = this.#context.hub.clock.setTimer(CLOSING_MS, () => transport.destroy());
  }

  #sendSuback(packetId: number, reasonCodes: readonly number[]): void {
    this.engine.sendSuback({ type: "suback", packetId, reasonCodes, properties: null });
  }

  #send(
    message: MessageView,
    identifiers: readonly number[],
    fields: { readonly qos: 0 | 1 | 2; readonly retain: boolean; readonly dup: boolean; readonly packetId: number },
  ): boolean {
    const { hub, text, topicEncoder } = this.#context;
    const { topic, payload } = message;
    const block =
      this.engine.protocolLevel === 5 ? outboundBlock(text, message, identifiers, hub.clock.epochMs()) : null;
    try {
      this.engine.sendPublish(fields, topic, topicEncoder.encode(topic), payload, block);
    } catch (error) {
      if (isTooLarge(error)) return false;
      throw error;
    }
    hub.statistics.messagesOut++;
    hub.statistics.bytesOut += payload.length;
    return true;
  }

  #arm(): void {
    const deadlineMs = this.engine.deadlineMs;
    if (this.engine.over || deadlineMs >= this.#timerAtMs) return;
    const { clock } = this.#context.hub;
    this.#timer?.cancel();
    this.#timerAtMs = deadlineMs;
    this.#timer = clock.setTimer(Math.min(MAX_TIMER_MS, Math.max(1, deadlineMs - clock.nowMs())), this.#onTimer);
  }

  #onTime(): void {
    const { clock } = this.#context.hub;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    // Input that waits to be read while the process was busy counts: it is looked at first.
    if (clock.nowMs() < this.engine.deadlineMs) return this.#arm();
    clock.nextTurn(() => {
      if (this.engine.over || this.#transport === null) return;
      this.engine.onTime(clock.nowMs());
      this.#arm();
    });
  }
}

const MAX_TIMER_MS = 2_147_483_647;
