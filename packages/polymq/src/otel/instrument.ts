import {
  type Attributes,
  type Context,
  context,
  type Link,
  propagation,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Client } from "../unified/client.ts";
import type { Message } from "../unified/message.ts";
import type { ClientAnswer, ClientRequestOptions } from "../unified/options.ts";
import type { Protocol } from "../unified/protocol.ts";

/** Settings of {@link instrument}. */
export interface InstrumentOptions {
  /** Default: the global provider's, by the name `polymq`. */
  readonly tracer?: Tracer;
}

/** What becomes of a client: all its methods, those that publish and consume with spans around them. */
export type Instrumented<P extends Protocol> = Client<P>;

/** A call that publishes, whatever it publishes to. */
type Publish = (payload: unknown, options?: PublishOptions) => Promise<unknown>;

interface PublishOptions {
  readonly properties?: Readonly<Record<string, string>>;
}

interface ConsumeOptions {
  readonly handler?: (message: Message<unknown>) => unknown;
}

interface Consumed extends AsyncIterable<Message<unknown>> {
  unsubscribe(): Promise<void>;
}

type Responder = (request: Message<unknown>) => ClientAnswer;

type Operation = "send" | "process" | "receive";

/** Where messages go or come from, for the names and attributes of spans. */
interface Destination {
  /** Null of where answers go to, which is made for one client and says nothing to a reader of spans. */
  readonly name: string | null;
  readonly group: string;
}

/** Where answers go to. */
const ANSWERS: Destination = { name: null, group: "" };

/**
 * Puts spans around what a client does, by the semantic conventions of messaging: `send <destination>` (producer) around each publish, `process <destination>` (consumer) around
 * each handler, with a link to the span that sent the message. A request is `send <address>` until its answer is there, which `receive` (client) tells of; a responder's `process <address>` has
 * `send` in it, which sends the answer. The context travels with each message (W3C Trace Context, or whatever propagator is set): in user properties of MQTT 5.0, headers of AMQP 0-9-1 and application
 * properties of AMQP 1.0, so that a trace goes on across protocols. With MQTT 3.1.1, which has no properties, nothing travels along. A message that is read with `for await` has no span of its own: `contextOf`
 * gives its context. The client given stays as it was.
 */
export function instrument<P extends Protocol>(client: Client<P>, options: InstrumentOptions = {}): Instrumented<P> {
  return new Proxy(client, new Instrumentation(client as unknown as Client, options.tracer)) as Instrumented<P>;
}

/** The context that a message's publisher gave along, for spans of the application's own. */
export function contextOf(message: Message<unknown>): Context {
  return propagation.extract(context.active(), message, GETTER);
}

/** Handles the calls of one client. */
class Instrumentation implements ProxyHandler<object> {
  readonly #client: Client;
  readonly #tracer: Tracer;
  readonly #system: Attributes;

  constructor(client: Client, tracer: Tracer | undefined) {
    this.#client = client;
    this.#tracer = tracer ?? trace.getTracer("polymq");
    this.#system = SYSTEMS[client.protocol];
  }

  get(_: object, name: string | symbol): unknown {
    const client = this.#client;
    if (name === "publish") {
      return (topic: string, payload: unknown, options?: PublishOptions) =>
        this.#publish({ name: topic, group: "" }, options, (given) =>
          client.publish(topic, payload as string, given as never),
        );
    }
    if (name === "subscribe") {
      return (filter: string, options?: ConsumeOptions | ConsumeOptions["handler"]) =>
        client.subscribe(filter, this.#consume({ name: filter, group: "" }, options) as never);
    }
    if (name === "request") {
      return (address: string, payload: string | Uint8Array, options?: ClientRequestOptions) =>
        this.#request(address, payload, options);
    }
    if (name === "respond") {
      return (address: string, responder: Responder, options?: { readonly signal?: AbortSignal }) =>
        client.respond(address, this.#responder(address, responder), options);
    }
    if (name === "queue") return (...given: [string]) => this.#wrap(client.queue(...given));
    if (name === "stream") return (...given: [string]) => this.#wrap(client.stream(...given));
    const value: unknown = Reflect.get(client, name, client);
    return typeof value === "function" ? value.bind(client) : value;
  }

  /** A queue or stream whose calls have spans. */
  #wrap<Target extends { readonly name: string }>(target: Target): Target {
    const publish: Publish = (target as unknown as { publish: Publish }).publish.bind(target);
    return new Proxy(target, {
      get: (_, name) => {
        if (name === "publish") {
          return (value: unknown, options?: PublishOptions) =>
            this.#publish({ name: target.name, group: "" }, options, (given) => publish(value, given));
        }
        const inner: unknown = Reflect.get(target, name, target);
        if (typeof inner !== "function") return inner;
        if (name !== "consume" && name !== "read") return inner.bind(target);
        return (options?: (ConsumeOptions & { readonly group?: string }) | ConsumeOptions["handler"]) => {
          const group = typeof options === "object" ? (options.group ?? "") : "";
          return inner.call(target, this.#consume({ name: target.name, group }, options)) as Promise<Consumed>;
        };
      },
    });
  }

  #publish(
    destination: Destination,
    options: PublishOptions | undefined,
    publish: (options: PublishOptions | undefined) => Promise<unknown>,
  ): Promise<unknown> {
    const span = this.#begin(destination, "send");
    return spanned(span, () => publish(this.#carrying(span, options)));
  }

  /** The answer is awaited by the application, so it is received and not processed; its span began with the request. */
  #request(
    address: string,
    payload: string | Uint8Array,
    options: ClientRequestOptions | undefined,
  ): Promise<Message<unknown>> {
    const span = this.#begin({ name: address, group: "" }, "send");
    const startTime = Date.now();
    return spanned(span, async () => {
      const answer = await this.#client.request(address, payload, this.#carrying(span, options));
      const attributes = { "messaging.message.body.size": answer.payload.length };
      this.#begin(ANSWERS, "receive", { attributes, links: linksTo(contextOf(answer)), startTime }).end();
      return answer;
    });
  }

  /** A responder whose answers carry the context of their own span, within that of the request. */
  #responder(address: string, responder: Responder): Responder {
    return (request) => this.#process({ name: address, group: "" }, request, () => this.#answer(request, responder));
  }

  async #answer(request: Message<unknown>, responder: Responder): Promise<Awaited<ClientAnswer>> {
    const given = await responder(request);
    const answer = typeof given === "string" || given instanceof Uint8Array ? { payload: given } : given;
    const span = this.#begin(ANSWERS, "send");
    span.end();
    return this.#carrying(span, answer);
  }

  #consume(
    destination: Destination,
    options: ConsumeOptions | ConsumeOptions["handler"] | undefined,
  ): ConsumeOptions | undefined {
    const given: ConsumeOptions | undefined = typeof options === "function" ? { handler: options } : options;
    const handler = given?.handler;
    if (handler === undefined) return given;
    return { ...given, handler: (message) => this.#process(destination, message, handler) };
  }

  #process<T>(
    destination: Destination,
    message: Message<unknown>,
    handler: (message: Message<unknown>) => T | Promise<T>,
  ): Promise<T> {
    const parent = contextOf(message);
    const attributes: Attributes = {
      "messaging.message.body.size": message.payload.length,
      ...(message.offset === null ? {} : { "messaging.message.id": String(message.offset) }),
    };
    const span = this.#begin(destination, "process", { attributes, links: linksTo(parent) }, parent);
    return context.with(trace.setSpan(parent, span), () => spanned(span, async () => await handler(message)));
  }

  #begin(
    { name, group }: Destination,
    operation: Operation,
    more: SpanOptions = {},
    parent: Context = context.active(),
  ): Span {
    const attributes: Attributes = {
      ...this.#system,
      "messaging.operation.type": operation,
      "messaging.operation.name": operation,
      ...(name === null ? { "messaging.destination.temporary": true } : { "messaging.destination.name": name }),
      ...(group === "" ? {} : { "messaging.consumer.group.name": group }),
      ...more.attributes,
    };
    const title = name === null ? operation : `${operation} ${name}`;
    return this.#tracer.startSpan(title, { ...more, kind: KINDS[operation], attributes }, parent);
  }

  /** Options or an answer, with the context of a span among its properties; MQTT 3.1.1 has none. */
  #carrying<Given extends PublishOptions | undefined>(span: Span, given: Given): Given {
    const carrier: Record<string, string> = {};
    propagation.inject(trace.setSpan(context.active(), span), carrier);
    if (Object.keys(carrier).length === 0) return given;
    if (this.#client.is("mqtt") && this.#client.native.protocolVersion === 4) return given;
    return { ...given, properties: { ...given?.properties, ...carrier } } as Given;
  }
}

/** The span that sent a message, where its context says so. */
function linksTo(from: Context): Link[] {
  const sent = trace.getSpanContext(from);
  return sent === undefined ? [] : [{ context: sent }];
}

const KINDS: Readonly<Record<Operation, SpanKind>> = {
  send: SpanKind.PRODUCER,
  process: SpanKind.CONSUMER,
  receive: SpanKind.CLIENT,
};

/** Ends the span with what it is around, and tells of an error. */
async function spanned<T>(span: Span, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (typeof code === "string") span.setAttribute("error.type", code);
    span.recordException(error as Error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
    throw error;
  } finally {
    span.end();
  }
}

/** The protocol is what is known for sure: one server speaks several. */
const SYSTEMS: Readonly<Record<Protocol, Attributes>> = {
  mqtt: { "messaging.system": "mqtt", "network.protocol.name": "mqtt" },
  amqp091: { "messaging.system": "amqp", "network.protocol.name": "amqp", "network.protocol.version": "0-9-1" },
  amqp10: { "messaging.system": "amqp", "network.protocol.name": "amqp", "network.protocol.version": "1.0" },
};

/** Reads the carrier out of a message: only the names of propagators are asked for. */
const GETTER: TextMapGetter<Message<unknown>> = {
  keys: () => propagation.fields(),
  get: (message, name) => message.property(name) ?? undefined,
};
