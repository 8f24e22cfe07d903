// Hot path: `onPublish` runs per message. No closure, promise, spread, iterator or regex on its usual way.
import { Deque, type MessagingError } from "polymq/internal";
import { decodePublishProperties, type PublishHead, ReasonCode, type TopicEntry } from "polymq/mqtt/codec";
import { NO_TICKET, type ServerEngine } from "polymq/mqtt/engine";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { Message, TransientMessage } from "../../core/message.ts";
import type { CommitListener } from "../../storage/committer.ts";
import type { Delivery } from "./delivery.ts";
import type { MqttContext } from "./mqtt-context.ts";
import type { MqttSession } from "./mqtt-session.ts";
import { inboundBlock, MQTT_ENCODING } from "./property-block.ts";
import { type TopicRoute, topicRoute } from "./topic-routes.ts";

/** Whose messages come in. */
export interface IntakeClient {
  readonly session: MqttSession;
  readonly access: ConnectionAccess;
  readonly level: 4 | 5;
  /** Reading was stopped while somebody had to be asked; it may go on. */
  readonly resumeReading: () => void;
}

/** A message that waits for somebody's decision, or behind one that does. */
interface Held {
  readonly message: Message;
  readonly topic: TopicEntry<TopicRoute>;
  readonly packetId: number;
  readonly ticket: number;
  /** Set once it is known. */
  allowed: boolean | null;
}

/**
 * Takes a client's messages to the hub and acknowledges them when the committer says that they are stored: there is no
 * other way to an acknowledgement. Messages that wait for a decision of the application keep their order.
 */
export class PublishIntake implements CommitListener {
  readonly #context: MqttContext;
  readonly #engine: ServerEngine<Delivery, TopicRoute>;
  readonly #view: TransientMessage;
  #client: IntakeClient | null = null;
  readonly #held = new Deque<Held>();
  /** Answers PUBREL once the forgotten id is off the store. */
  readonly #releaser: CommitListener;

  constructor(context: MqttContext, engine: ServerEngine<Delivery, TopicRoute>) {
    this.#context = context;
    this.#engine = engine;
    this.#view = context.hub.transientMessage();
    this.#view.encoding = MQTT_ENCODING;
    this.#releaser = {
      onDurable: (packetId) => this.#engine.sendPubcomp(packetId, true),
      onCommitFailed: () => undefined,
    };
  }

  /** True while messages wait for a decision: no more should be read. */
  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** The client is let in. */
  open(client: IntakeClient): void {
    this.#client = client;
    this.#view.publisherId = client.session.id;
  }

  /** The client is gone. */
  close(): void {
    this.#client = null;
    this.#held.clear();
  }

  onPublish(topic: TopicEntry<TopicRoute>, head: PublishHead, buffer: Uint8Array, ticket: number): void {
    const client = this.#client;
    if (client === null) return;
    const { hub, mqtt } = this.#context;
    const known = topicRoute(topic, hub.router, mqtt.topicLevelsMax);
    if (known.refusal !== 0) return this.#refuse(client, ticket, known.refusal);
    this.#read(topic.topic, head, buffer);
    const { access } = client;
    if (this.#held.length === 0) {
      const allowed = access.mayPublishAll || access.mayPublish(topic.topic, head.retain, hub.clock.nowMs());
      if (allowed === true) return this.#publish(client, known, ticket, head.packetId);
      if (allowed === false) return this.#deny(client, ticket);
      this.#hold(topic, ticket, head.packetId, allowed);
      return;
    }
    this.#hold(topic, ticket, head.packetId, access.mayPublish(topic.topic, head.retain, hub.clock.nowMs()));
  }

  /** PUBREL came: PUBCOMP follows when the id is forgotten for good, for afterwards the client may use it anew. */
  onReleased(packetId: number, known: boolean): void {
    const stored = this.#client?.session.stored ?? null;
    if (stored === null || !known) return this.#engine.sendPubcomp(packetId, known);
    const { hub } = this.#context;
    hub.persistence?.dropInbound(stored, packetId);
    hub.committer.whenDurable(this.#releaser, packetId);
  }

  /** A message is stored as configured: its acknowledgement leaves. The token holds the ticket and whether anybody was interested. */
  onDurable(token: number): void {
    const unmatched = token % 2 === 1;
    const ticket = (token - (unmatched ? 1 : 0)) / 2;
    this.#engine.settle(ticket, unmatched && this.#engine.protocolLevel === 5 ? ReasonCode.NoMatchingSubscribers : 0);
  }

  onCommitFailed(_token: number, _error: MessagingError): void {
    // Never acknowledged: the client keeps the message and repeats it to a broker that can store it.
  }

  /** Fills the view; payload and properties lie in the connection's input. */
  #read(topic: string, head: PublishHead, buffer: Uint8Array): void {
    const view = this.#view;
    view.begin(topic, buffer.subarray(head.payloadStart, head.payloadEnd));
    view.guarantee = head.qos;
    view.retain = head.retain;
    if (head.propertiesEnd > head.propertiesStart) view.properties = this.#block(head, buffer);
    if (head.messageExpirySeconds >= 0) {
      view.expiresAtMs = this.#context.hub.clock.epochMs() + head.messageExpirySeconds * 1000;
    }
  }

  /** Properties go on as they came; only a topic alias is taken out, which concerns this connection alone. */
  #block(head: PublishHead, buffer: Uint8Array): Uint8Array | null {
    const raw = buffer.subarray(head.propertiesStart, head.propertiesEnd);
    if (head.topicAlias === 0) return raw;
    if (raw.length === ALIAS_BYTES) return null;
    const { text } = this.#context;
    const properties = decodePublishProperties(text, raw);
    return properties === null ? null : inboundBlock(text, properties);
  }

  #publish(client: IntakeClient, known: TopicRoute, ticket: number, packetId: number): void {
    const { hub } = this.#context;
    const matched = hub.publish(this.#view, known.route);
    const exactlyOnce = this.#view.guarantee === 2;
    this.#view.end();
    if (ticket !== NO_TICKET) this.#acknowledge(client, ticket, packetId, { exactlyOnce, matched });
  }

  #acknowledge(
    client: IntakeClient,
    ticket: number,
    packetId: number,
    what: { readonly exactlyOnce: boolean; readonly matched: number },
  ): void {
    const { hub } = this.#context;
    const stored = client.session.stored;
    if (what.exactlyOnce && stored !== null) hub.persistence?.saveInbound(stored, packetId);
    hub.committer.whenDurable(this, ticket * 2 + (what.matched === 0 ? 1 : 0));
  }

  #refuse(client: IntakeClient, ticket: number, reasonCode: number): void {
    if (ticket !== NO_TICKET) this.#engine.settle(ticket, client.level === 5 ? reasonCode : 0);
  }

  /** MQTT 3.1.1 has no word for it: the message is acknowledged and goes nowhere (3.1.1 §3.3.5). */
  #deny(client: IntakeClient, ticket: number): void {
    this.#view.end();
    this.#context.metrics.messagesDenied++;
    this.#refuse(client, ticket, ReasonCode.NotAuthorized);
  }

  #hold(topic: TopicEntry<TopicRoute>, ticket: number, packetId: number, decision: boolean | Promise<boolean>): void {
    const allowed = typeof decision === "boolean" ? decision : null;
    const held: Held = { message: this.#view.keep(), topic, packetId, ticket, allowed };
    this.#held.push(held);
    if (typeof decision === "boolean") return;
    void decision.then((value) => {
      held.allowed = value;
      this.#release();
    });
  }

  /** Publishes held messages in order, as far as the decisions are known. */
  #release(): void {
    const client = this.#client;
    if (client === null) return;
    const { hub, mqtt } = this.#context;
    for (let next = this.#held.peek(); next !== undefined && next.allowed !== null; next = this.#held.peek()) {
      this.#held.shift();
      if (!next.allowed) {
        this.#deny(client, next.ticket);
        continue;
      }
      const { message, ticket, packetId } = next;
      const matched = hub.publish(message, topicRoute(next.topic, hub.router, mqtt.topicLevelsMax).route);
      if (ticket !== NO_TICKET) {
        this.#acknowledge(client, ticket, packetId, { exactlyOnce: message.guarantee === 2, matched });
      }
    }
    if (this.#held.length === 0) client.resumeReading();
  }
}

/** Bytes of a property block that holds a topic alias and nothing else. */
const ALIAS_BYTES = 3;
