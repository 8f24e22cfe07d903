// Hot path: `onPublish` runs per message. No closure, promise, spread, iterator or regex on its usual way.
import { Deque, MessagingError } from "polymq/internal";
import { type PublishHead, ReasonCode, type TopicEntry } from "polymq/mqtt/codec";
import { NO_TICKET, type ServerEngine } from "polymq/mqtt/engine";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import { REFUSED } from "../../core/distribution.ts";
import type { Message, MessageView, TransientMessage } from "../../core/message.ts";
import type { Route } from "../../core/router.ts";
import type { CommitListener } from "../../storage/committer.ts";
import type { ConnectionQueues } from "./connection-queues.ts";
import type { MqttContext } from "./mqtt-context.ts";
import type { MqttSession } from "./mqtt-session.ts";
import { inboundBlock, MQTT_ENCODING } from "./property-block.ts";
import { QueueIntake } from "./queue-intake.ts";
import type { Outgoing } from "./queued-delivery.ts";
import { type TopicRoute, topicRoute } from "./topic-routes.ts";

/** Whose messages come in. */
export interface IntakeClient {
  readonly session: MqttSession;
  readonly queues: ConnectionQueues;
  readonly access: ConnectionAccess;
  readonly level: 4 | 5;
  /** The session was there before this connection. */
  readonly resumed: boolean;
  /** Reading was stopped while somebody had to be asked; it may go on. */
  readonly resumeReading: () => void;
  /** Something failed outside of a call from the engine: the connection has to end. */
  readonly onError: (error: unknown) => void;
}

/** A message that waits for somebody's decision, or behind one that does. */
interface Held {
  readonly client: IntakeClient;
  readonly message: Message;
  readonly topic: TopicEntry<TopicRoute>;
  readonly packetId: number;
  readonly dup: boolean;
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
  readonly #engine: ServerEngine<Outgoing, TopicRoute>;
  readonly #queues: QueueIntake;
  readonly #view: TransientMessage;
  #client: IntakeClient | null = null;
  readonly #held = new Deque<Held>();
  /** Answers PUBREL once the forgotten id is off the store; of an id that is not known, nor need be, by {@link #denier}. */
  readonly #releaser: CommitListener;
  readonly #denier: CommitListener;

  constructor(context: MqttContext, engine: ServerEngine<Outgoing, TopicRoute>) {
    this.#context = context;
    this.#engine = engine;
    this.#queues = new QueueIntake(context.hub, context.text);
    this.#view = context.hub.transientMessage();
    this.#view.encoding = MQTT_ENCODING;
    this.#view.origin = "mqtt";
    this.#releaser = {
      onDurable: (packetId) => this.#engine.sendPubcomp(packetId, true),
      onCommitFailed: () => undefined,
    };
    this.#denier = {
      onDurable: (packetId) => this.#engine.sendPubcomp(packetId, false),
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
    this.#view.externalId = client.access.principal.name;
  }

  /**
   * The client is gone. Messages that wait for a decision were received all the same: they are published when it comes, and a client
   * that goes on with its session is acknowledged then, for it does not get another chance to hand them over.
   */
  close(): void {
    this.#client = null;
  }

  onPublish(topic: TopicEntry<TopicRoute>, head: PublishHead, buffer: Uint8Array, ticket: number): void {
    const client = this.#client;
    if (client === null) return;
    const { hub, mqtt } = this.#context;
    const known = topicRoute(topic, hub.router, mqtt.topicLevelsMax);
    if (known.refusal !== 0) return this.#deny(client, ticket, known.refusal);
    this.#read(topic.topic, head, buffer);
    const { access } = client;
    if (this.#held.length === 0) {
      const allowed = access.mayPublishAll || access.mayPublish(topic.topic, head.retain, hub.clock.nowMs());
      if (allowed === true) return this.#publish(client, known, ticket, head);
      if (allowed === false) return this.#deny(client, ticket, ReasonCode.NotAuthorized);
      return this.#hold({ client, topic, ticket, packetId: head.packetId, dup: head.dup }, allowed);
    }
    const decision = access.mayPublish(topic.topic, head.retain, hub.clock.nowMs());
    this.#hold({ client, topic, ticket, packetId: head.packetId, dup: head.dup }, decision);
  }

  /**
   * PUBREL came: PUBCOMP follows when the id is forgotten for good, for afterwards the client may use it anew. In a resumed session
   * an unknown id is that of a PUBCOMP that got lost, which is no error (MQTT 5.0 §3.7.2.1) and which clients take for one when
   * told 0x92. It waits as well: an earlier connection may have released the id just now, and nobody knows yet whether that is stored.
   */
  onReleased(packetId: number, known: boolean): void {
    const stored = this.#client?.session.stored ?? null;
    const accepted = known || this.#client?.resumed === true;
    if (stored === null) return this.#engine.sendPubcomp(packetId, accepted);
    const { hub } = this.#context;
    if (known) hub.persistence?.dropInbound(stored, packetId);
    hub.committer.whenDurable(accepted ? this.#releaser : this.#denier, packetId);
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
    view.begin(topic, buffer.subarray(head.payloadStart, head.payloadEnd), buffer);
    view.guarantee = head.qos;
    view.retain = head.retain;
    if (head.propertiesEnd > head.propertiesStart) {
      const raw = buffer.subarray(head.propertiesStart, head.propertiesEnd);
      view.properties = head.topicAlias === 0 && head.messageExpirySeconds < 0 ? raw : inboundBlock(raw);
    }
    if (head.messageExpirySeconds >= 0) {
      view.expiresAtMs = this.#context.hub.clock.epochMs() + head.messageExpirySeconds * 1000;
    }
  }

  #publish(client: IntakeClient, known: TopicRoute, ticket: number, { packetId, dup }: PublishHead): void {
    const exactlyOnce = this.#view.guarantee === 2;
    const matched = this.#take(client, this.#view, dup, known, ticket);
    this.#view.end();
    if (ticket === NO_TICKET || matched < 0) return;
    if (exactlyOnce) this.#remember(client, packetId);
    this.#acknowledge(ticket, matched);
  }

  /** Takes a message to everybody who is to get it; returns how many those are, or -1 when it was refused. */
  #take(client: IntakeClient, message: MessageView, dup: boolean, known: TopicRoute, ticket: number): number {
    const { route } = known;
    if (route.address === null) return this.#distribute(client, message, route, ticket);
    const refusal = this.#queues.take(message, dup, route, client.queues);
    if (refusal === 0) return 1;
    this.#refuse(client, ticket, refusal);
    return -1;
  }

  /** As {@link #take}, for a plain topic. A 3.1.1 client is not told that nothing is retained: its message is delivered all the same. */
  #distribute(client: IntakeClient, message: MessageView, route: Route, ticket: number): number {
    const { hub } = this.#context;
    const mayRetain = !message.retain || client.level === 4 || ticket === NO_TICKET || hub.mayRetain(message);
    const matched = mayRetain ? hub.publish(message, route) : REFUSED;
    if (matched !== REFUSED) return matched;
    this.#refuse(client, ticket, ReasonCode.QuotaExceeded);
    return -1;
  }

  /** A queue, or whoever would have had to hold it, has not taken the message. To acknowledge it would lose it: MQTT 3.1.1 leaves only the connection's end. */
  #refuse(client: IntakeClient, ticket: number, reasonCode: number): void {
    this.#context.metrics.messagesDenied++;
    if (ticket === NO_TICKET) return;
    if (client.level === 5) this.#engine.settle(ticket, reasonCode);
    else client.onError(new MessagingError("ERR_PUBLISH_REJECTED", `a message was refused (${reasonCode})`));
  }

  /** Stores the id of a QoS 2 message until its PUBREL. */
  #remember(client: IntakeClient, packetId: number): void {
    const stored = client.session.stored;
    if (stored !== null) this.#context.hub.persistence?.saveInbound(stored, packetId);
  }

  #acknowledge(ticket: number, matched: number): void {
    this.#context.hub.committer.whenDurable(this, ticket * 2 + (matched === 0 ? 1 : 0));
  }

  /** MQTT 3.1.1 has no word for it: the message is acknowledged and goes nowhere [MQTT3-3.3.5-2]. */
  #deny(client: IntakeClient, ticket: number, reasonCode: number): void {
    this.#view.end();
    this.#context.metrics.messagesDenied++;
    if (ticket !== NO_TICKET) this.#engine.settle(ticket, client.level === 5 ? reasonCode : 0);
  }

  #hold(what: Omit<Held, "message" | "allowed">, decision: boolean | Promise<boolean>): void {
    const held: Held = {
      ...what,
      message: this.#view.keep(),
      allowed: typeof decision === "boolean" ? decision : null,
    };
    this.#view.end();
    this.#held.push(held);
    if (typeof decision === "boolean") return;
    decision.then(
      (allowed) => this.#decided(held, allowed),
      () => this.#decided(held, false),
    );
  }

  #decided(held: Held, allowed: boolean): void {
    held.allowed = allowed;
    try {
      this.#release();
    } catch (error) {
      held.client.onError(error);
    }
  }

  /** Publishes held messages in order, as far as the decisions are known. */
  #release(): void {
    const { hub, mqtt } = this.#context;
    let last: IntakeClient | null = null;
    for (let next = this.#held.peek(); next !== undefined && next.allowed !== null; next = this.#held.peek()) {
      this.#held.shift();
      last = next.client;
      const { message, ticket } = next;
      if (!next.allowed) {
        this.#deny(next.client, ticket, ReasonCode.NotAuthorized);
        continue;
      }
      const known = topicRoute(next.topic, hub.router, mqtt.topicLevelsMax);
      const matched = this.#take(next.client, message, next.dup, known, ticket);
      if (ticket === NO_TICKET || matched < 0) continue;
      if (message.guarantee === 2) this.#remember(next.client, next.packetId);
      this.#acknowledge(ticket, matched);
    }
    if (this.#held.length === 0) last?.resumeReading();
  }
}
