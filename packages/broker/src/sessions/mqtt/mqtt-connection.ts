// Hot path: `onBytes`, `onPublish` and `sendNow` run per chunk or message. No closure, promise or iterator on their usual way.
import {
  isMessagingError,
  type MessagingError,
  Outbox,
  type Timer,
  type Transport,
  type TransportHandler,
} from "polymq/internal";
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
import type { MessageView } from "../../core/message.ts";
import type { QueueDelivery } from "../../core/queues/queue-port.ts";
import type { Flushable } from "../../core/turn.ts";
import { CountedTransport } from "../../metrics/counted-transport.ts";
import { type ConnectionInspection, inspectConnection } from "../connection-inspection.ts";
import { type Admitted, admit, type Identified, identify, type Refused } from "./admission.ts";
import { ConnectionQueues, type QueuePort } from "./connection-queues.ts";
import type { Delivery } from "./delivery.ts";
import type { MqttContext } from "./mqtt-context.ts";
import { isTooLarge, type SessionPort } from "./mqtt-session.ts";
import { outboundBlock } from "./property-block.ts";
import { type IntakeClient, PublishIntake } from "./publish-intake.ts";
import { deliveredTopic, QueueBlockWriter } from "./queue-block.ts";
import { type Outgoing, QueuedDelivery } from "./queued-delivery.ts";
import { SubscribeIntake } from "./subscribe-intake.ts";
import type { TopicRoute } from "./topic-routes.ts";
import { type KeptWill, keptWill } from "./will-message.ts";

/** Time that a goodbye has to leave before the connection is cut. */
const CLOSING_MS = 1_000;

/** Where the client of a connection stands. */
type Client = { readonly is: "unknown" } | ({ readonly is: "admitted" } & IntakeClient) | { readonly is: "gone" };

/**
 * Why reading is stopped, if it is: the application is `asked` whether the client may do something, or the client is `flooded` with answers that it
 * provokes and does not read.
 */
type Reading = "on" | "asked" | "flooded";

/** One client's connection, as a listener wants a protocol's end of one to be: joins transport, engine and session, and asks the hub in the client's name. */
export class MqttConnection
  implements TransportHandler, ServerHandler<Outgoing, TopicRoute>, SessionPort, QueuePort, Flushable
{
  readonly outbox: Outbox;
  readonly engine: ServerEngine<Outgoing, TopicRoute>;
  readonly #context: MqttContext;
  readonly #intake: PublishIntake;
  readonly #subscribes: SubscribeIntake;
  #transport: Transport | null = null;
  #reading: Reading = "on";
  #client: Client = { is: "unknown" };
  #will: KeptWill | null = null;
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  readonly #onTimer: () => void;
  /** Set by a DISCONNECT that changes it (MQTT 5.0 §3.14.2.2.2). */
  #expiryMs: number | undefined = undefined;
  /** Made with the first delivery of a queue. */
  #blockWriter: QueueBlockWriter | null = null;
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
    this.engine = new ServerEngine<Outgoing, TopicRoute>({
      outbox: this.outbox,
      handler: this,
      topicDecoder: context.topicDecoder,
      maximumPacketSize: mqtt.maximumPacketSize,
      nowMs: hub.clock.nowMs(),
      connectTimeoutMs: mqtt.connectTimeoutMs,
    });
    this.#intake = new PublishIntake(context, this.engine);
    this.#subscribes = new SubscribeIntake(context, this.engine);
  }

  /** The client id, or "" before the client is let in. */
  get clientId(): string {
    return this.#client.is === "admitted" ? this.#client.session.id : "";
  }

  // Transport

  onOpen(transport: Transport): void {
    this.#transport = transport;
    this.#context.connections.add(this);
    this.outbox.open(new CountedTransport(transport, this.#context.metrics));
    this.#arm();
  }

  onBytes(chunk: Uint8Array): void {
    const { hub, metrics } = this.#context;
    metrics.bytesReceived += chunk.length;
    this.engine.onBytes(chunk, hub.clock.nowMs());
    this.#setReading();
  }

  onDrain(): void {
    this.outbox.drained();
    if (this.#client.is === "admitted") this.#pump(this.#client);
    else if (this.engine.over) this.#closeWhenSent();
    this.#setReading();
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

  /** A picture of the client; null before it is let in. */
  inspect(): ConnectionInspection | null {
    if (this.#client.is !== "admitted" || this.#transport === null) return null;
    const { session, access, level } = this.#client;
    return inspectConnection({
      id: `mqtt:${session.id}`,
      protocol: "mqtt",
      protocolVersion: level === 5 ? "5.0" : "3.1.1",
      clientId: session.id,
      user: access.principal.name,
      transport: this.#transport.info,
      unsentBytes: this.outbox.unsentBytes,
    });
  }

  /** An operator wants the client gone. */
  dismiss(): void {
    this.end(ReasonCode.AdministrativeAction);
  }

  /** Ends the connection with a reason that a 5.0 client is told; what it has not taken after `graceMs` is cut off. */
  end(reasonCode: number, graceMs: number = CLOSING_MS): void {
    this.engine.disconnect(reasonCode, null);
    this.#leave("publish");
    this.#hangUp(graceMs);
  }

  // Session

  get congested(): boolean {
    return this.outbox.blocked && this.outbox.unsentBytes > this.#context.unsent.bytesMax;
  }

  sendNow(message: MessageView, identifiers: readonly number[], retain: boolean): boolean {
    const fields = this.#fields;
    fields.retain = retain;
    return this.#send(message, identifiers, fields);
  }

  sendDelivery(delivery: Delivery): boolean {
    return this.#send(delivery.message, delivery.identifiers, delivery);
  }

  sendQueued(item: QueuedDelivery, delivery: QueueDelivery): boolean {
    const { hub, topicEncoder } = this.#context;
    const { message, queue } = delivery;
    const topic = deliveredTopic(message, queue);
    const payload = message.payload;
    try {
      const block = this.engine.protocolLevel === 5 ? this.#queueBlock(item, delivery) : null;
      this.engine.sendPublish(item, topic, topicEncoder.encode(topic), payload, block);
    } catch (error) {
      if (isTooLarge(error)) return false;
      throw error;
    }
    hub.statistics.messagesOut++;
    hub.statistics.bytesOut += payload.length;
    return true;
  }

  sendPubrel(packetId: number): void {
    this.engine.sendPubrel(packetId, 0);
  }

  onTakenOver(): void {
    this.end(ReasonCode.SessionTakenOver); // [MQTT-3.1.4-3]
  }

  onSessionEnded(): void {
    this.end(ReasonCode.AdministrativeAction);
  }

  // Engine

  onConnect(packet: Connect): void {
    const transport = this.#transport;
    if (transport === null) return;
    const identified = identify(packet, transport, this.#context);
    if (!(identified instanceof Promise)) return this.#onIdentified(packet, identified);
    identified.then((value) => this.#onIdentified(packet, value)).catch((error: unknown) => this.#onError(error));
  }

  onPublish(topic: TopicEntry<TopicRoute>, head: PublishHead, buffer: Uint8Array, ticket: number): void {
    this.#intake.onPublish(topic, head, buffer, ticket);
  }

  onPublishDone(item: Outgoing, _packetId: number, reasonCode: number, _properties: ReasonProperties | null): void {
    if (this.#client.is !== "admitted") return;
    if (item instanceof QueuedDelivery) {
      item.consumer.onDone(item, reasonCode);
      this.#pump(this.#client);
    } else {
      this.#client.session.onDone(item);
      this.#client.queues.wake();
    }
  }

  onPublishReceived(item: Outgoing, packetId: number): void {
    if (this.#client.is !== "admitted" || item instanceof QueuedDelivery) return;
    this.#client.session.onReceived(item, packetId);
  }

  onReleased(packetId: number, known: boolean): void {
    this.#intake.onReleased(packetId, known);
  }

  onSubscribe(packet: Subscribe): void {
    if (this.#client.is === "admitted") this.#subscribes.take(packet, this.#client);
  }

  onUnsubscribe(packet: Unsubscribe): void {
    if (this.#client.is === "admitted") this.#subscribes.take(packet, this.#client);
  }

  onAuth(_packet: Auth): void {
    // No authentication method is offered: CONNECT with one was refused, and AUTH without one is an error [MQTT-4.12.0-6].
    this.end(ReasonCode.ProtocolError);
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
    this.#client = {
      is: "admitted",
      session,
      queues: new ConnectionQueues(this.#context.hub, session, connect.level, this),
      access,
      level: connect.level,
      resumed: admitted.sessionPresent,
      resumeReading: () => this.#setReading(),
      onError: (error) => this.#onError(error),
    };
    this.#will = connect.will === null ? null : keptWill(connect.will, session.id, this.#context);
    this.#intake.open(this.#client);
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

  /** Sends what waits as there is room: the session's own first. */
  #pump(client: IntakeClient): void {
    client.session.pump();
    client.queues.wake();
  }

  #block(message: MessageView, identifiers: readonly number[]): Uint8Array | null {
    const { hub, translator } = this.#context;
    return outboundBlock(message, identifiers, hub.clock.epochMs(), translator.toMqtt(message));
  }

  #queueBlock(item: QueuedDelivery, delivery: QueueDelivery): Uint8Array {
    const { hub, text, translator } = this.#context;
    this.#blockWriter ??= new QueueBlockWriter(text);
    const block = translator.toMqtt(delivery.message);
    return this.#blockWriter.write(delivery, item.consumer.terms.identifier, hub.clock.epochMs(), block);
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
    const { session } = client;
    metrics.clientDisconnected();
    this.#intake.close();
    this.#subscribes.close();
    client.queues.close();
    session.detach(this);
    const kept = this.#will;
    this.#will = null;
    // First the session: how long it goes on is how long a will may wait [MQTT-3.1.2-8].
    hub.detachSession(session, this.#expiryMs);
    if (kept === null || will === "discard") return;
    const delayMs = Math.min(kept.delayMs, hub.sessions.of(session)?.expiryMs ?? 0);
    if (delayMs > 0) hub.publishLater(session, kept.make(delayMs), delayMs);
    else hub.publish(kept.make(0));
  }

  /** Sends what is left to say and ends the connection; a peer that does not take it in time is cut off. */
  #hangUp(graceMs: number = CLOSING_MS): void {
    const transport = this.#transport;
    if (transport === null) return;
    this.#timer?.cancel();
    this.#timer = this.#context.hub.clock.setTimer(graceMs, () => transport.destroy());
    this.outbox.flush();
    this.#closeWhenSent();
  }

  /** A blocked outbox still holds bytes that the transport has not seen: they go out as it drains. */
  #closeWhenSent(): void {
    const transport = this.#transport;
    if (transport !== null && this.outbox.unsentBytes <= transport.bufferedBytes) transport.close();
  }

  /** Messages stop at `unsentBytesMax`; what is beyond that are answers, for which the client has to ask. */
  #wanted(): Reading {
    if (this.#intake.holds || this.#subscribes.holds) return "asked";
    const { outbox } = this;
    return outbox.blocked && outbox.unsentBytes > 2 * this.#context.unsent.bytesMax ? "flooded" : "on";
  }

  #setReading(): void {
    const before = this.#reading;
    const reading = this.#wanted();
    if (reading === before || this.engine.over) return;
    this.#reading = reading;
    if (before === "asked") {
      // Meanwhile it was not the client that was silent.
      this.engine.onBytes(NOTHING, this.#context.hub.clock.nowMs());
      this.#arm();
    }
    if (before === "on") this.#transport?.pause();
    else if (reading === "on") this.#transport?.resume();
  }

  /** Something failed outside of a call from the engine. */
  #onError(error: unknown): void {
    if (isMessagingError(error)) this.engine.fail(error);
    else this.end(ReasonCode.UnspecifiedError);
  }

  #send(
    message: MessageView,
    identifiers: readonly number[],
    fields: { readonly qos: 0 | 1 | 2; readonly retain: boolean; readonly dup: boolean; readonly packetId: number },
  ): boolean {
    const { hub, topicEncoder } = this.#context;
    const { topic, payload } = message;
    try {
      const block = this.engine.protocolLevel === 5 ? this.#block(message, identifiers) : null;
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
      // While somebody is asked, it is not the client that is silent; `#setReading` arms again.
      if (this.engine.over || this.#reading === "asked" || this.#transport === null) return;
      this.engine.onTime(clock.nowMs());
      this.#arm();
    });
  }
}

const MAX_TIMER_MS = 2_147_483_647;

const NOTHING: Uint8Array = new Uint8Array(0);
