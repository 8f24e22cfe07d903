// Hot path: `take` runs per message. No closure, promise, spread, iterator or regex on its usual way.
import {
  type BasicProperties,
  decodeProperties,
  encodeProperties,
  ReplyCode,
  shortStringBytes,
} from "polymq/amqp091/codec";
import { ByteReader } from "polymq/internal";
import type { TransientMessage } from "../../core/message.ts";
import type { EnqueueOptions } from "../../core/queues/queue-port.ts";
import type {
  ArgumentValue,
  ForeseenMessage,
  HeaderLookup,
  PublishOptions,
  PublishResult,
} from "../../core/topology/topology-port.ts";
import { Encoding } from "../translate/encodings.ts";
import type { AmqpConnection } from "./amqp-connection.ts";
import { argumentValue, erlangType } from "./arguments.ts";
import { BlockFields, Flag, Place } from "./block-fields.ts";
import { exchangeName } from "./exchange-methods.ts";
import { expirationMs } from "./expiration.ts";
import { headersIn } from "./header-lookup.ts";
import type { PublishRoute } from "./publish-route.ts";
import { REPLY_QUEUE } from "./queue-methods.ts";
import { named, notFound } from "./refusals.ts";
import { ReplyError } from "./reply-error.ts";

/** A message as a client published it: pieces of the connection's input, or copies of them. */
export interface Publication {
  readonly exchange: string;
  readonly key: string;
  readonly route: PublishRoute;
  /** The two as short strings. */
  readonly routeBytes: Uint8Array;
  readonly mandatory: boolean;
  readonly immediate: boolean;
  readonly deliveryMode: number;
  readonly priority: number;
  readonly properties: Uint8Array;
  readonly body: Uint8Array;
  /** The confirm's number, or 0. */
  readonly publishTag: number;
}

/** What the channel of a message does about it. */
export interface PublishScene {
  /** The address for answers over direct reply-to; null when the channel does not wait for any. */
  readonly replyKey: string | null;
  /** Sends a mandatory message back. */
  returnMessage(publication: Publication, replyCode: number, replyText: Uint8Array): void;
  /** The message is taken over, or nobody wanted it: its confirm leaves once all that it caused is durable. */
  confirm(publishTag: number): void;
  /** A queue has not taken it. */
  refuse(publishTag: number): void;
}

/** Takes the messages of one connection to its virtual host. */
export class PublishIntake {
  readonly #connection: AmqpConnection;
  readonly #view: TransientMessage;
  readonly #fields = new BlockFields();
  readonly #reader: ByteReader;
  readonly #noRoute: Uint8Array;
  /** Used again for every message. */
  readonly #options: { headers: HeaderLookup | null; moreKeys: string[] | null; enqueue: EnqueueOptions | null } = {
    headers: null,
    moreKeys: null,
    enqueue: null,
  };
  /** The headers of the message in work, decoded when somebody asks for them. */
  #headers: BasicProperties["headers"] | null = null;
  #block: Uint8Array = new Uint8Array(0);
  readonly #lookUp: HeaderLookup = (name) => this.#header(name);

  constructor(connection: AmqpConnection) {
    const { hub, text } = connection.context;
    this.#connection = connection;
    this.#view = hub.transientMessage();
    this.#reader = new ByteReader(text);
    this.#noRoute = shortStringBytes(text, "NO_ROUTE", "reply text");
    const { id, access } = connection.client;
    this.#view.encoding = Encoding.Amqp091;
    this.#view.origin = "amqp";
    this.#view.publisherId = id;
    this.#view.externalId = access.principal.name;
  }

  /**
   * Looks at a message that waits for its transaction as {@link take} would; returns its properties as they go on.
   * @throws {ReplyError} as {@link take}
   */
  check(publication: Publication, scene: PublishScene): Uint8Array {
    if (publication.immediate) throw new ReplyError(ReplyCode.NotImplemented, "immediate=true");
    const properties = this.#prepare(publication, scene);
    this.#optionsFor(publication);
    this.#view.end();
    this.#headers = null;
    const { exchange, route } = publication;
    if (route.isReply || route.commits !== null) return properties;
    const found = this.#connection.host.exchange(exchangeName(exchange));
    if (found === null) throw notFound("exchange", exchange, this.#connection.host.name);
    if (found.internal) throw internalExchange(exchange, this.#connection.host.name);
    return properties;
  }

  /** Why not all of these messages would be taken, or null. */
  obstacle(publications: readonly Publication[]): string | null {
    const { host, context } = this.#connection;
    const all: ForeseenMessage[] = [];
    for (const { exchange, key, route, properties, body } of publications) {
      const name = exchangeName(exchange);
      if (route.isReply || route.commits !== null || host.exchange(name) === null) continue;
      all.push({ exchange: name, key, headers: headersIn(context.text, properties), payloadBytes: body.length });
    }
    return host.foresee(all)?.message ?? null;
  }

  /**
   * Publishes a message and sees to its return and confirm.
   * @param whenNoExchange a message whose exchange is gone since its {@link check} is `unroutable`; else that ends the channel
   * @throws {ReplyError} 403, 404, 406, 540, as a publish ends its channel
   */
  take(publication: Publication, scene: PublishScene, whenNoExchange: "refuse" | "unroutable" = "refuse"): void {
    if (publication.immediate) throw new ReplyError(ReplyCode.NotImplemented, "immediate=true");
    const properties = this.#prepare(publication, scene);
    if (publication.route.isReply) return this.#answer(publication, properties, scene);
    if (publication.route.commits !== null) return this.#commit(publication, publication.route.commits, scene);
    const { client } = this.#connection;
    const host = this.#connection.host;
    const result = host.publish(
      this.#view,
      exchangeName(publication.exchange),
      publication.key,
      this.#optionsFor(publication),
    );
    this.#view.end();
    this.#headers = null;
    if (result === "routed") scene.confirm(publication.publishTag);
    else if (result === "no-exchange" && whenNoExchange === "unroutable") {
      this.#notRouted(publication, "unroutable", scene, client.virtualHost);
    } else this.#notRouted(publication, result, scene, client.virtualHost);
  }

  #notRouted(publication: Publication, result: PublishResult, scene: PublishScene, virtualHost: string): void {
    const { exchange, publishTag } = publication;
    switch (result) {
      case "unroutable":
        if (publication.mandatory) scene.returnMessage(publication, ReplyCode.NoRoute, this.#noRoute);
        return scene.confirm(publishTag);
      case "refused":
        this.#connection.context.metrics.messagesDenied++;
        return scene.refuse(publishTag);
      case "no-exchange":
        throw notFound("exchange", exchange, virtualHost);
      case "internal":
        throw internalExchange(exchange, virtualHost);
      default:
    }
  }

  /** Fills the view and looks at what the broker has to do with the properties; returns these as they go on. */
  #prepare(publication: Publication, scene: PublishScene): Uint8Array {
    const { body, properties } = publication;
    const view = this.#view;
    view.begin("", body);
    view.guarantee = 1;
    const flags = ((properties[0] as number) << 8) | (properties[1] as number);
    this.#block = properties;
    this.#headers = null;
    view.properties = flags === 0 ? null : properties;
    if ((flags & (Flag.UserId | Flag.Expiration | Flag.ReplyTo)) === 0) return properties;
    const fields = this.#fields;
    fields.read(properties, 0);
    if ((flags & Flag.UserId) !== 0) this.#checkUser();
    if ((flags & Flag.Expiration) !== 0) this.#expire();
    if ((flags & Flag.ReplyTo) === 0 || this.#text(Place.ReplyTo) !== REPLY_QUEUE) return properties;
    if (scene.replyKey === null) {
      throw new ReplyError(ReplyCode.PreconditionFailed, "fast reply consumer does not exist");
    }
    const block = this.#replyingTo(scene.replyKey, properties);
    view.properties = block;
    this.#block = block;
    return block;
  }

  #checkUser(): void {
    const said = this.#text(Place.UserId);
    const { username } = this.#connection.client;
    if (said === username) return;
    throw new ReplyError(
      ReplyCode.PreconditionFailed,
      `user_id property set to '${said}' but authenticated user was '${username}'`,
    );
  }

  #expire(): void {
    const ms = expirationMs(this.#text(Place.Expiration));
    this.#view.expiresAtMs = this.#connection.context.hub.clock.epochMs() + ms;
  }

  #text(place: number): string {
    const start = this.#fields.starts[place] as number;
    const reader = this.#reader;
    reader.reset(this.#fields.block, start + 1, this.#fields.ends[place] as number);
    return reader.utf8(reader.end - reader.at);
  }

  /** The properties with the channel's own address for answers. */
  #replyingTo(replyTo: string, properties: Uint8Array): Uint8Array {
    const { text } = this.#connection.context;
    const decoded = decodeProperties(new ByteReader(text, properties), "typed");
    return encodeProperties(text, { ...decoded, replyTo });
  }

  #optionsFor(publication: Publication): PublishOptions {
    const { priority, properties } = publication;
    const options = this.#options;
    options.headers = null;
    options.moreKeys = null;
    options.enqueue = priority > 0 ? { priority } : null;
    if (((properties[0] as number) & (Flag.Headers >> 8)) === 0) return options;
    options.headers = this.#lookUp;
    this.#fields.read(properties, 0);
    if (this.#fields.header("x-delay") >= 0) this.#delay(options, priority);
    if (this.#fields.header("CC") >= 0 || this.#fields.header("BCC") >= 0) this.#copies(options);
    return options;
  }

  #delay(options: { enqueue: EnqueueOptions | null }, priority: number): void {
    const delay = this.#header("x-delay");
    if (typeof delay === "number" && delay > 0) {
      options.enqueue = { priority: Math.max(0, priority), deliverAfterMs: Math.floor(delay) };
    }
  }

  /** RabbitMQ's further routing keys. BCC is not told to consumers. */
  #copies(options: { moreKeys: string[] | null }): void {
    const keys: string[] = [];
    for (const name of ["CC", "BCC"]) {
      const list = this.#header(name);
      if (list === undefined) continue;
      if (!Array.isArray(list)) {
        const why = `{unacceptable_type_in_header,"${name}",${erlangType(list)}}`;
        throw new ReplyError(ReplyCode.PreconditionFailed, `invalid message: ${why}`);
      }
      for (const each of list) if (typeof each === "string") keys.push(each);
    }
    options.moreKeys = keys;
    if (this.#header("BCC") === undefined) return;
    const { text } = this.#connection.context;
    const decoded = decodeProperties(new ByteReader(text, this.#block), "typed");
    const headers = Object.fromEntries(Object.entries(decoded.headers ?? {}).filter(([name]) => name !== "BCC"));
    this.#view.properties = encodeProperties(text, { ...decoded, headers });
  }

  #header(name: string): ArgumentValue | undefined {
    this.#headers ??=
      decodeProperties(new ByteReader(this.#connection.context.text, this.#block)).headers ?? NO_HEADERS;
    return Object.hasOwn(this.#headers, name) ? argumentValue(this.#headers[name]) : undefined;
  }

  /** An answer to a request over direct reply-to: it goes to the channel that waits, through no queue. */
  #answer(publication: Publication, properties: Uint8Array, scene: PublishScene): void {
    this.#view.end();
    const consumer = this.#connection.context.replies.get(publication.key);
    if (consumer !== null) consumer.answer(publication.exchange, publication.key, properties, publication.body);
    else if (publication.mandatory) scene.returnMessage(publication, ReplyCode.NoRoute, this.#noRoute);
    scene.confirm(publication.publishTag);
  }

  /** `$queue/<q>/$commit` with the headers `x-group-id` and `x-offset`: where a stream's group goes on. */
  #commit(publication: Publication, queue: string, scene: PublishScene): void {
    const group = this.#header("x-group-id");
    const offset = Number(this.#header("x-offset") ?? Number.NaN);
    this.#view.end();
    this.#headers = null;
    const isRight = typeof group === "string" && Number.isSafeInteger(offset) && offset >= 0;
    const { hub } = this.#connection.context;
    if (isRight && hub.queues.commit(queue, group, offset) === "committed") scene.confirm(publication.publishTag);
    else scene.refuse(publication.publishTag);
  }
}

function internalExchange(exchange: string, virtualHost: string): ReplyError {
  return new ReplyError(
    ReplyCode.AccessRefused,
    `cannot publish to internal ${named("exchange", exchange, virtualHost)}`,
  );
}

const NO_HEADERS: NonNullable<BasicProperties["headers"]> = Object.freeze({});
