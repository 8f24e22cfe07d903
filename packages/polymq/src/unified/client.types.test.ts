import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { Client } from "./client.ts";
import { type Codec, json, text } from "./codec.ts";
import type { Subscription } from "./consumer.ts";
import { connect } from "./index.ts";
import type { Message } from "./message.ts";
import type { Protocol, ProtocolFor } from "./protocol.ts";
import type { Queue } from "./queue.ts";

/** Never called: what stands in it is checked by the compiler. */
function types(run: () => unknown): void {
  void run;
}

describe("the type of a client follows the address", () => {
  test("each scheme stands for its protocol, and a text that only run time knows for all of them", () => {
    types(() => {
      expectTypeOf(connect("mqtt://h")).resolves.toEqualTypeOf<Client<"mqtt">>();
      expectTypeOf(connect("wss://h/mqtt")).resolves.toEqualTypeOf<Client<"mqtt">>();
      expectTypeOf(connect("amqps://h")).resolves.toEqualTypeOf<Client<"amqp091">>();
      expectTypeOf(connect("amqp10://h")).resolves.toEqualTypeOf<Client<"amqp10">>();
      expectTypeOf(connect(["amqp://a", "amqp://b"])).resolves.toEqualTypeOf<Client<"amqp091">>();
      expectTypeOf(connect({ url: "mqtts://h" })).resolves.toEqualTypeOf<Client<"mqtt">>();
      expectTypeOf(connect("mqtt://h" as string)).resolves.toEqualTypeOf<Client<Protocol>>();
    });
    expectTypeOf<ProtocolFor<"mqtt://a", "scheme">>().toEqualTypeOf<"mqtt">();
  });

  test("`protocol` wins, and auto leaves both versions of AMQP open", () => {
    types(() => {
      expectTypeOf(connect("ws://h", { protocol: "amqp091" })).resolves.toEqualTypeOf<Client<"amqp091">>();
      expectTypeOf(connect("amqp://h", { protocol: "auto" })).resolves.toEqualTypeOf<Client<"amqp091" | "amqp10">>();
      expectTypeOf(connect({ url: "amqp://h", protocol: "amqp10" })).resolves.toEqualTypeOf<Client<"amqp10">>();
    });
  });

  test("json() without a type leaves a queue's values unknown, not payloads", () => {
    types(async () => {
      const client = await connect("mqtt://h");
      expectTypeOf(client.queue("orders", { codec: json() })).toEqualTypeOf<Queue<unknown, unknown, "mqtt">>();
      expectTypeOf(client.queue("orders")).toEqualTypeOf<Queue<string | Uint8Array, Uint8Array, "mqtt">>();
    });
  });

  test("an address of no protocol gives no client", () => {
    types(async () => {
      const client = await connect("http://h");
      expectTypeOf(client).toEqualTypeOf<Client<never>>();
    });
  });
});

declare const mqtt: Client<"mqtt">;
declare const amqp091: Client<"amqp091">;
declare const amqp10: Client<"amqp10">;
declare const any: Client;

describe("what a protocol cannot do is absent from the type", () => {
  test("kept messages and QoS 2 are MQTT's", () => {
    types(() => {
      void mqtt.publish("a", "x", { retain: true, qos: 2 });
      // @ts-expect-error AMQP 0-9-1 keeps no messages
      void amqp091.publish("a", "x", { retain: true });
      // @ts-expect-error AMQP 1.0 has no QoS 2
      void amqp10.publish("a", "x", { qos: 2 });
      // @ts-expect-error not every protocol keeps messages
      void any.publish("a", "x", { retain: true });
    });
  });

  test("so is which messages of a topic are sent", () => {
    types(() => {
      void mqtt.subscribe("a", { noLocal: true, retainAsPublished: true, retainHandling: 2 });
      // @ts-expect-error AMQP 0-9-1 keeps no messages
      void amqp091.subscribe("a", { retainHandling: 2 });
      // @ts-expect-error AMQP 1.0 has no such option
      void amqp10.subscribe("a", { noLocal: true });
    });
  });

  test("exchanges are AMQP 0-9-1's", () => {
    types(() => {
      void amqp091.publish("a", "x", { exchange: "e", routingKey: "r", mandatory: true });
      // @ts-expect-error MQTT has no exchanges
      void mqtt.publish("a", "x", { exchange: "e" });
    });
  });

  test("offsets of streams are committed over AMQP", () => {
    types(() => {
      void amqp091.stream("s").commit(1);
      void amqp10.stream("s").commit(1);
      void amqp091.stream("s").read({ commit: "manual", handler: (message) => message.commit() });
      // @ts-expect-error MQTT has no commits
      void mqtt.stream("s").commit(1);
      // @ts-expect-error MQTT has no commits
      void mqtt.stream("s").read({ commit: "manual" });
      // @ts-expect-error not every protocol has commits
      void any.stream("s").commit(1);
    });
  });

  test("delays and reasons of settlements are not AMQP 0-9-1's", () => {
    types(async () => {
      await mqtt.queue("q").consume((message) => message.nack({ delayMs: 5 }));
      await amqp10.queue("q").consume((message) => message.reject("bad"));
      // @ts-expect-error AMQP 0-9-1 cannot delay a nack
      await amqp091.queue("q").consume((message) => message.nack({ delayMs: 5 }));
      // @ts-expect-error AMQP 0-9-1 has no reasons
      await amqp091.queue("q").consume((message) => message.reject("bad"));
    });
  });

  test("a client that says which protocol it speaks has the type of it", () => {
    types(() => {
      if (any.is("mqtt")) {
        expectTypeOf(any.native).toEqualTypeOf<Client<"mqtt">["native"]>();
        void any.publish("a", "x", { retain: true });
      }
    });
  });
});

describe("the type of values flows through a codec", () => {
  test("without one a payload is text or bytes, and a value bytes", () => {
    types(async () => {
      expectTypeOf(await any.queue("q").consume()).toEqualTypeOf<Subscription<Message<Uint8Array, Protocol>>>();
      expectTypeOf(await mqtt.subscribe("a", { codec: text })).toEqualTypeOf<Subscription<Message<string, "mqtt">>>();
      // @ts-expect-error without a codec an object is no payload
      void any.queue("q").publish({ n: 1 });
    });
  });

  test("a schema's input is what is published, its output what is received", () => {
    const schema = z.object({ at: z.string().transform((at) => new Date(at)) });
    const codec = json(schema);
    expectTypeOf(codec).toEqualTypeOf<Codec<{ at: string }, { at: Date }>>();
    types(async () => {
      const queue = any.queue("q", { codec });
      void queue.publish({ at: "2026" });
      // @ts-expect-error the input is text
      void queue.publish({ at: new Date() });
      for await (const message of await queue.consume()) expectTypeOf(message.value).toEqualTypeOf<{ at: Date }>();
      await any.stream("s", { codec }).read((message) => expectTypeOf(message.value.at).toEqualTypeOf<Date>());
    });
  });

  test("schemas of valibot and arktype have theirs", () => {
    expectTypeOf(json(v.object({ n: v.number() }))).toEqualTypeOf<Codec<{ n: number }, { n: number }>>();
    expectTypeOf(json(type({ n: "number" }))).toEqualTypeOf<Codec<{ n: number }, { n: number }>>();
    // @ts-expect-error an array is no schema
    types(() => json([1]));
  });
});
