// Hot path: `onPublish`, `onSettled` and `onDurable` run per message. No closure, promise, spread, iterator or regex on their usual way.
import { type Method, methodRow, ReplyCode, replyScope, type Settlement } from "polymq/amqp091/codec";
import { Deque } from "polymq/internal";
import type { ConnectionAccess } from "../../auth/connection-access.ts";
import type { Decision } from "../../auth/decision-cache.ts";
import type { QueueOwner, VirtualHost } from "../../core/topology/topology-port.ts";
import type { CommitListener } from "../../storage/committer.ts";
import type { AmqpConnection } from "./amqp-connection.ts";
import type { EngineChannel, IncomingContent } from "./amqp-types.ts";
import { ChannelConsumers } from "./channel-consumers.ts";
import { bindExchange, declareExchange, deleteExchange } from "./exchange-methods.ts";
import type { MethodScene } from "./method-scene.ts";
import type { Publication, PublishScene } from "./publish-intake.ts";
import { publishRoute } from "./publish-route.ts";
import { bindQueue, declareQueue, deleteQueue, purgeQueue } from "./queue-methods.ts";
import { ReplyError, replyFor } from "./reply-error.ts";
import { Transaction } from "./transaction.ts";
import type { Unsettled } from "./unsettled.ts";

/** Names that the broker gives out are made of so many random bytes. */
const TOKEN_BYTES = 16;

/** One channel of a client: carries out its methods in order, confirms what it publishes, and answers once what a method changed is durable. */
export class AmqpChannel implements MethodScene, PublishScene, CommitListener {
  readonly connection: AmqpConnection;
  readonly id: number;
  lastQueue = "";
  #engine: EngineChannel | null = null;
  #consumers: ChannelConsumers | null = null;
  #transaction: Transaction | null = null;
  /** Of a commit: true once a queue has refused a message of it. */
  #isPartial = false;
  /** Answers that wait for a commit; the oldest is due with the next one. */
  readonly #answers = new Deque<() => void>();
  readonly #answerer: CommitListener;

  constructor(connection: AmqpConnection, id: number) {
    this.connection = connection;
    this.id = id;
    this.#answerer = {
      onDurable: () => this.#answers.shift()?.(),
      onCommitFailed: () => undefined,
    };
  }

  get host(): VirtualHost {
    return this.connection.host;
  }

  get owner(): QueueOwner {
    return this.connection;
  }

  get access(): ConnectionAccess {
    return this.connection.client.access;
  }

  get nowMs(): number {
    return this.connection.context.hub.clock.nowMs();
  }

  get replyKey(): string | null {
    return this.#consumers?.replyKey ?? null;
  }

  /** The engine has opened the channel. */
  open(engine: EngineChannel): void {
    this.#engine = engine;
    this.#consumers = new ChannelConsumers(this, engine);
  }

  /** The channel is over, whoever ended it: what it holds goes back. Harmless when called again. */
  end(): void {
    this.#engine = null;
    this.#transaction = null;
    this.#answers.clear();
    this.#consumers?.end();
    this.#consumers = null;
  }

  /** There may be credit again. */
  wake(): void {
    this.#consumers?.wake();
  }

  /** A name that nobody can guess. */
  token(): string {
    return Buffer.from(this.connection.context.randomBytes(TOKEN_BYTES)).toString("base64url");
  }

  onMethod(method: Method): void {
    if (this.#consumers === null) return;
    try {
      this.#carryOut(method, this.#consumers);
    } catch (error) {
      this.fail(error, method);
    }
  }

  onPublish(content: IncomingContent, publishTag: number): void {
    const { gate, client } = this.connection;
    if (this.#consumers === null) return;
    const { route } = content;
    route.value ??= publishRoute(route.exchange, route.routingKey);
    const { access } = client;
    const mayPublish = access.mayPublishAll || this.#mayPublish(route.exchange, route.routingKey, route.value.topic);
    const publication = publicationOf(content, route.value, publishTag);
    if (mayPublish === true && gate.isOpen) this.#publish(publication);
    else {
      const kept = gate.isOpen && typeof mayPublish === "boolean" ? publication : keptCopy(publication);
      gate.pass(mayPublish, (allowed) => this.#publishIfAllowed(kept, allowed));
    }
  }

  onSettled(message: Unsettled, settlement: Settlement, requeue: boolean, tag: number): void {
    const transaction = this.#transaction;
    if (transaction === null) {
      settle(message, settlement, requeue);
      this.wake();
      return;
    }
    try {
      transaction.settle(message, tag, () => settle(message, settlement, requeue));
    } catch (error) {
      this.fail(error, null);
    }
  }

  // MethodScene

  whenAllowed(decision: Decision, what: string, method: Method, action: () => void): void {
    const { gate } = this.connection;
    if (decision === true && gate.isOpen) return action();
    gate.pass(decision, (allowed) => {
      if (this.#consumers === null) return;
      try {
        if (!allowed) throw this.#refused(what);
        action();
      } catch (error) {
        this.fail(error, method);
      }
    });
  }

  awaitsReplies(key: string): boolean {
    return this.connection.context.replies.get(key) !== null;
  }

  answer(method: Method): void {
    this.#whenDurable(() => this.#send(method));
  }

  /** As {@link answer}, by whatever `action` sends. */
  answerWith(method: Method, action: () => void): void {
    this.#whenDurable(() => {
      try {
        if (this.#consumers !== null) action();
      } catch (error) {
        this.fail(error, method);
      }
    });
  }

  /** Does something behind all answers so far. */
  afterAnswers(action: () => void): void {
    if (this.#answers.length === 0) action();
    else this.#whenDurable(action);
  }

  // PublishScene

  returnMessage(publication: Publication, replyCode: number, replyText: Uint8Array): void {
    const engine = this.#engine;
    if (engine === null || !engine.usable) return;
    const { routeBytes, properties, body } = publication;
    this.connection.engine.returnMessage(engine, { replyCode, replyText }, routeBytes, properties, body);
  }

  confirm(publishTag: number): void {
    if (publishTag !== 0) this.connection.context.hub.committer.whenDurable(this, publishTag);
  }

  refuse(publishTag: number): void {
    this.#isPartial = true;
    if (publishTag !== 0 && this.#engine !== null) this.connection.engine.refuse(this.#engine, publishTag);
  }

  // CommitListener

  onDurable(publishTag: number): void {
    if (this.#engine !== null) this.connection.engine.confirm(this.#engine, publishTag);
  }

  onCommitFailed(): void {
    // Never confirmed: the client keeps the message and repeats it to a broker that can store it.
  }

  /** Ends the channel, or the connection, because a method could not be carried out. */
  fail(error: unknown, method: Method | null): void {
    if (!(error instanceof ReplyError)) this.connection.context.metrics.internalErrors++;
    const reply = replyFor(error);
    const engine = this.#engine;
    if (engine === null) return;
    if (replyScope(reply.replyCode) === "connection")
      return this.connection.refuse(reply, method?.method ?? "basic.publish");
    const [classId, methodId] = method === null ? BASIC_PUBLISH : methodRow(method.method).id;
    this.connection.engine.closeChannel(engine, reply.replyCode, reply.message, classId, methodId);
  }

  #carryOut(method: Method, consumers: ChannelConsumers): void {
    switch (method.method) {
      case "exchange.declare":
        return declareExchange(this, method);
      case "exchange.delete":
        return deleteExchange(this, method);
      case "exchange.bind":
      case "exchange.unbind":
        return bindExchange(this, method);
      case "queue.declare":
        return declareQueue(this, method);
      case "queue.bind":
      case "queue.unbind":
        return bindQueue(this, method);
      case "queue.purge":
        return purgeQueue(this, method);
      case "queue.delete":
        return deleteQueue(this, method);
      case "basic.consume":
        return consumers.consume(method);
      case "basic.cancel":
        return consumers.cancel(method);
      case "basic.qos":
        return consumers.qos(method);
      case "basic.get":
        return consumers.get(method);
      default:
        return this.#carryOutMode(method, consumers);
    }
  }

  #carryOutMode(method: Method, consumers: ChannelConsumers): void {
    switch (method.method) {
      case "basic.recover":
      case "basic.recover-async":
        if (!method.requeue) throw new ReplyError(ReplyCode.NotImplemented, "requeue=false");
        // The answer first: a client takes what comes before it for what it has just given back.
        return this.afterAnswers(() => {
          if (method.method === "basic.recover") this.#send({ method: "basic.recover-ok" });
          consumers.recover();
        });
      case "confirm.select":
        return this.#selectConfirms(method.noWait);
      case "tx.select":
        return this.#selectTransactions();
      case "tx.commit":
        this.#commit(this.#transactionOf());
        return this.answer({ method: "tx.commit-ok" });
      case "tx.rollback":
        this.#transactionOf().rollback((tags, messages) => this.#engine?.restoreUnsettled(tags, messages));
        return this.answer({ method: "tx.rollback-ok" });
      case "basic.cancel-ok":
        return undefined;
      default:
        throw new ReplyError(ReplyCode.NotImplemented, method.method);
    }
  }

  #selectConfirms(noWait: boolean): void {
    if (this.#transaction !== null) {
      throw new ReplyError(ReplyCode.PreconditionFailed, "cannot switch from tx to confirm mode");
    }
    // At once: what comes next is to be confirmed, whenever the answer leaves.
    if (this.#engine !== null) this.connection.engine.selectConfirms(this.#engine);
    if (!noWait) this.answer({ method: "confirm.select-ok" });
  }

  #selectTransactions(): void {
    if (this.#engine?.confirms === true) {
      throw new ReplyError(ReplyCode.PreconditionFailed, "cannot switch from confirm to tx mode");
    }
    this.#transaction ??= new Transaction(this.connection.context.settings);
    this.answer({ method: "tx.select-ok" });
  }

  /** Does all of it or, where a queue is known to have no room, nothing. @throws {ReplyError} 406 when not all of it could be done */
  #commit(transaction: Transaction): void {
    const obstacle = this.connection.intake.obstacle(transaction.published);
    if (obstacle !== null) throw new ReplyError(ReplyCode.PreconditionFailed, `tx not committed: ${obstacle}`);
    this.#isPartial = false;
    transaction.commit();
    this.wake();
    if (this.#isPartial) throw new ReplyError(ReplyCode.PreconditionFailed, "partial tx completion");
  }

  #transactionOf(): Transaction {
    if (this.#transaction === null) throw new ReplyError(ReplyCode.PreconditionFailed, "channel is not transactional");
    return this.#transaction;
  }

  /** Messages to a queue are known to access control by its address, whatever stands for it. */
  #mayPublish(exchange: string, key: string, topic: string): Decision {
    const isQueue = exchange === "" && this.host.queue(key, this.owner).is !== "not-found";
    return this.access.mayPublish(isQueue ? `$queue/${key}` : topic, false, this.nowMs);
  }

  #publishIfAllowed(publication: Publication, allowed: boolean): void {
    if (this.#consumers === null) return;
    if (allowed) return this.#publish(publication);
    this.connection.context.metrics.messagesDenied++;
    this.fail(this.#refused(`exchange '${publication.exchange}'`), null);
  }

  #publish(publication: Publication): void {
    try {
      if (this.#transaction === null) this.connection.intake.take(publication, this);
      else {
        const { intake } = this.connection;
        const kept = keptCopy({ ...publication, properties: intake.check(publication, this) });
        this.#transaction.publish(kept, () => intake.take(kept, this, "unroutable"));
      }
    } catch (error) {
      this.fail(error, null);
    }
  }

  #refused(what: string): ReplyError {
    const { username, virtualHost } = this.connection.client;
    return new ReplyError(
      ReplyCode.AccessRefused,
      `access to ${what} in vhost '${virtualHost}' refused for user '${username}'`,
    );
  }

  #send(method: Method): void {
    const engine = this.#engine;
    if (engine?.usable === true && this.connection.engine.open) this.connection.engine.send(engine, method);
  }

  #whenDurable(action: () => void): void {
    this.#answers.push(action);
    this.connection.context.hub.committer.whenDurable(this.#answerer, 0);
  }
}

const BASIC_PUBLISH: readonly [number, number] = [60, 40];

function settle(message: Unsettled, settlement: Settlement, requeue: boolean): void {
  if (settlement === "ack") message.ack();
  else if (requeue) message.requeue();
  else message.reject();
}

/** What a client published; its bytes lie in the connection's input. */
function publicationOf(content: IncomingContent, route: Publication["route"], publishTag: number): Publication {
  return {
    exchange: content.route.exchange,
    key: content.route.routingKey,
    route,
    routeBytes: content.route.bytes,
    mandatory: content.mandatory,
    immediate: content.immediate,
    deliveryMode: content.deliveryMode,
    priority: content.priority,
    properties: content.properties.subarray(content.propertiesStart, content.propertiesEnd),
    body: content.bodyView(),
    publishTag,
  };
}

/** The same with bytes of its own. */
function keptCopy(publication: Publication): Publication {
  return { ...publication, properties: publication.properties.slice(), body: publication.body.slice() };
}
