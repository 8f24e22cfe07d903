import { AsyncLocalStorage } from "node:async_hooks";
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
import { connect } from "polymq";
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
});
