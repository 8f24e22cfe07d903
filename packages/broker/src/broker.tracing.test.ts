import { AsyncLocalStorage } from "node:async_hooks";
import diagnostics from "node:diagnostics_channel";
import {
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { connect, type Protocol } from "polymq";
import { contextOf, instrument } from "polymq/otel";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

/** The context of asynchronous calls, as an application's SDK keeps it. */
class AsyncContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    given: Context,
    run: F,
    that?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(given, () => run.apply(that, args));
  }

  bind<T>(_: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer("test");
let broker: MemoryBroker;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncContexts());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});
afterAll(() => {
  context.disable();
  propagation.disable();
});
beforeEach(async () => {
  exporter.reset();
  broker = await memoryBroker();
});
afterEach(() => broker.close());

function spanOf(name: string): ReadableSpan {
  const span = exporter.getFinishedSpans().find((each) => each.name === name);
  if (span === undefined) throw new Error(`no span ${name}`);
  return span;
}

describe("a trace", () => {
  test("goes from MQTT through a queue to AMQP 1.0 and on to AMQP 0-9-1", async () => {
    const [mqtt, amqp10, amqp091] = await Promise.all([
      connect("mqtt://m", { dial: broker.dial }),
      connect("amqp10://m", { dial: broker.dial }),
      connect("amqp://m", { dial: broker.dial }),
    ]);
    const [device, worker, audit] = [
      instrument(mqtt, { tracer }),
      instrument(amqp10, { tracer }),
      instrument(amqp091, { tracer }),
    ];
    const done = new Promise<string>((resolve) => {
      void audit.subscribe("audit/+", { qos: 1, handler: (message) => resolve(message.text()) }).then(async () => {
        await worker.queue("orders").consume({
          group: "shipping",
          handler: async (order) => await worker.publish("audit/orders", order.payload, { qos: 1 }),
        });
        await tracer.startActiveSpan("request", async (span) => {
          await device.queue("orders").publish("order 1");
          span.end();
        });
      });
    });
    expect(await done).toBe("order 1");
    await Promise.all([mqtt.close(), amqp10.close(), amqp091.close()]);
    const [request, sent, processed, told, audited] = [
      "request",
      "send orders",
      "process orders",
      "send audit/orders",
      "process audit/+",
    ].map(spanOf) as [ReadableSpan, ReadableSpan, ReadableSpan, ReadableSpan, ReadableSpan];
    const id = request.spanContext().traceId;
    expect([sent, processed, told, audited].map((span) => span.spanContext().traceId)).toEqual([id, id, id, id]);
    const parents = [sent, processed, told, audited].map((span) => span.parentSpanContext?.spanId);
    expect(parents).toEqual([request, sent, processed, told].map((span) => span.spanContext().spanId));
    expect([sent.kind, processed.kind]).toEqual([SpanKind.PRODUCER, SpanKind.CONSUMER]);
    expect(sent.attributes).toMatchObject({
      "messaging.system": "mqtt",
      "messaging.operation.type": "send",
      "messaging.destination.name": "orders",
    });
    expect(processed.attributes).toMatchObject({
      "messaging.system": "amqp",
      "network.protocol.version": "1.0",
      "messaging.operation.type": "process",
      "messaging.consumer.group.name": "shipping",
      "messaging.message.body.size": 7,
    });
  });

  test("is there for who reads with for await, and leaves the application's properties alone", async () => {
    await using mqtt = await connect("mqtt://m", { dial: broker.dial });
    const client = instrument(mqtt, { tracer });
    const subscription = await client.subscribe("a", { qos: 1 });
    await client.publish("a", "x", { qos: 1, properties: { unit: "C" } });
    for await (const message of subscription) {
      expect(message.property("unit")).toBe("C");
      expect(trace.getSpanContext(contextOf(message))?.spanId).toBe(spanOf("send a").spanContext().spanId);
      await message.ack();
      break;
    }
  });

  test("tells of a publish that failed, by its code", async () => {
    await using mqtt = await connect("mqtt://m", { dial: broker.dial });
    const client = instrument(mqtt, { tracer });
    await expect(client.publish("a/#", "x")).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
    expect(spanOf("send a/#").attributes["error.type"]).toBe("ERR_INVALID_TOPIC");
    expect([client.state, client.protocol]).toEqual(["connected", "mqtt"]);
  });

  test("takes nothing along over MQTT 3.1.1, which has no properties", async () => {
    await using mqtt = await connect("mqtt://m", { dial: broker.dial, mqtt: { protocolVersion: 4 } });
    const client = instrument(mqtt, { tracer });
    const got = new Promise<string>((resolve) => {
      void client.subscribe("a", (message) => resolve(message.text())).then(() => client.publish("a", "x"));
    });
    expect(await got).toBe("x");
  });

  test.each([
    ["mqtt://m", "mqtt"],
    ["amqp://m", "amqp091"],
    ["amqp10://m", "amqp10"],
  ] as const)("goes with a request and back with its answer, over %s", async (url, protocol) => {
    const handed: string[] = [];
    const said = (what: string) => (event: unknown) =>
      handed.push(`${what} ${(event as { protocol: string }).protocol}`);
    const [onPublish, onDeliver] = [said("publish"), said("deliver")];
    diagnostics.subscribe("polymq:publish", onPublish);
    diagnostics.subscribe("polymq:deliver", onDeliver);
    await using server = await connect(url, { dial: broker.dial });
    await using client = await connect(url, { dial: broker.dial });
    await instrument<Protocol>(server, { tracer }).respond("price", async (request) => {
      await tracer.startActiveSpan("look up", async (span) => span.end());
      return { payload: `${request.text()} 3`, properties: { currency: "EUR" } };
    });
    const answer = await tracer.startActiveSpan("order", async (span) => {
      const asked = instrument<Protocol>(client, { tracer }).request("price", "tea", { properties: { shop: "1" } });
      return await asked.finally(() => span.end());
    });
    diagnostics.unsubscribe("polymq:publish", onPublish);
    diagnostics.unsubscribe("polymq:deliver", onDeliver);
    expect([answer.text(), answer.property("currency")]).toEqual(["tea 3", "EUR"]);
    expect(handed).toEqual([
      `publish ${protocol}`,
      `deliver ${protocol}`,
      `publish ${protocol}`,
      `deliver ${protocol}`,
    ]);
    const [order, asked, processed, looked, answered, received] = [
      "order",
      "send price",
      "process price",
      "look up",
      "send",
      "receive",
    ].map(spanOf) as [ReadableSpan, ReadableSpan, ReadableSpan, ReadableSpan, ReadableSpan, ReadableSpan];
    const ids = [order, asked, processed, answered, received].map((span) => span.spanContext());
    expect(new Set(ids.map(({ traceId }) => traceId)).size).toBe(1);
    expect([asked, processed, looked, answered, received].map((span) => span.parentSpanContext?.spanId)).toEqual(
      [order, asked, processed, processed, order].map((span) => span.spanContext().spanId),
    );
    expect(trace.getSpanContext(contextOf(answer))?.spanId).toBe(answered.spanContext().spanId);
    expect([processed, received].map((span) => span.links[0]?.context.spanId)).toEqual(
      [asked, answered].map((span) => span.spanContext().spanId),
    );
    expect([asked, processed, answered, received].map((span) => span.kind)).toEqual([
      SpanKind.PRODUCER,
      SpanKind.CONSUMER,
      SpanKind.PRODUCER,
      SpanKind.CLIENT,
    ]);
    expect(answered.attributes["messaging.destination.temporary"]).toBe(true);
    expect(received.attributes).toMatchObject({
      "messaging.operation.type": "receive",
      "messaging.message.body.size": 5,
    });
  });

  test("tells of a responder that fails, and of the request that nobody answered", async () => {
    await using mqtt = await connect("mqtt://m", { dial: broker.dial });
    const client = instrument(mqtt, { tracer });
    await client.respond("price", () => Promise.reject(new Error("sold out")));
    await expect(client.request("price", "tea", { timeoutMs: 50 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(spanOf("process price").status.message).toBe("sold out");
    expect(spanOf("send price").attributes["error.type"]).toBe("ERR_TIMEOUT");
  });
});
