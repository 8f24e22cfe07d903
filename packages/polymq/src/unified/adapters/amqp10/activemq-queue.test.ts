import { describe, expect, test } from "vitest";
import { type LabServer, labPlatform, textOfBytes, until } from "../../../amqp10/client/client-lab.test-support.ts";
import { connectOver } from "../../../amqp10/client/connect.ts";
import { MessageView } from "../../../amqp10/codec/message-view.ts";
import { type AmqpValue, typed } from "../../../amqp10/codec/values.ts";
import { message, type Names, text } from "../../../amqp10/engine/engine.test-support.ts";
import type { SenderLink } from "../../../amqp10/engine/sender-link.ts";
import type { Adapter, ConsumeCall } from "../../adapter.ts";
import type { Delivery } from "../../delivery.ts";
import type { ClientEvent } from "../../events.ts";
import type { Dialect } from "../../protocol.ts";
import { targetOf } from "../../target.ts";
import { connectAmqp10 } from "./amqp10-adapter.ts";

interface ActiveMqLab {
  readonly adapter: Adapter;
  readonly server: LabServer;
  readonly events: ClientEvent[];
  /** What the client said of deliveries. */
  readonly outcomes: unknown[];
  /** The links that the client attached to receive, with their sources as they said them. */
  readonly receivers: { readonly name: string; readonly source: unknown }[];
}

/** An adapter on a server of this product. */
async function lab(product: string, dialect?: Dialect): Promise<ActiveMqLab> {
  const servers: LabServer[] = [];
  const outcomes: unknown[] = [];
  const receivers: { readonly name: string; readonly source: unknown }[] = [];
  const platform = labPlatform({ open: { containerId: "x", properties: { product } } }, (server) => {
    server.onOutcome = (_delivery, state) => void outcomes.push(state);
    server.onOffer = (link) => {
      server.acceptLink(link);
      if (link.isSender) receivers.push({ name: link.name, source: link.remote?.source });
    };
    servers.push(server);
  });
  const events: ClientEvent[] = [];
  const target = targetOf("amqp10://h", dialect === undefined ? {} : { dialect }, () => "id");
  const dial: Parameters<typeof connectAmqp10>[0] = (urls, options) => connectOver(platform, urls, options);
  const adapter = await connectAmqp10(dial, target, (event) => void events.push(event));
  return { adapter, server: servers[0] as LabServer, events, outcomes, receivers };
}

const ARTEMIS = "apache-activemq-artemis";

const CALL: ConsumeCall = {
  deliver: () => undefined,
  qos: 1,
  group: "workers",
  filter: "",
  topic: null,
  prefetch: undefined,
  concurrency: undefined,
  ack: "auto",
  whenHandlerFails: "nack",
  signal: undefined,
};

/** Names of links that ended, and how. */
function detached(server: LabServer): string[] {
  return server.told.filter((each) => each.startsWith("detach"));
}

/** Where the client's messages went, and what they say. */
function published(server: LabServer): [unknown, string, AmqpValue | undefined][] {
  return server.deliveries.map(({ link, payload }) => {
    const view = new MessageView(text, payload);
    const target = link.remote?.target as { readonly address: unknown } | null;
    return [target?.address, textOfBytes(view.data), view.messageAnnotations?.get("x-opt-delivery-delay")];
  });
}

async function deliver(server: LabServer, to: string, data: string): Promise<void> {
  const link = [...server.links.values()].findLast((each) => each.isSender) as SenderLink<Names>;
  link.send({ ...message(data), properties: { to } }, data, { settled: false });
  server.push();
}

describe("the dialect", () => {
  test.each([
    [ARTEMIS, undefined, "artemis"],
    ["ActiveMQ", undefined, "activemq"],
    ["another", undefined, "amqp10"],
    ["another", "artemis", "artemis"],
    [ARTEMIS, "amqp10", "amqp10"],
  ] as const)("of %s, told %s, is %s", async (product, told, dialect) => {
    const { adapter } = await lab(product, told);
    expect(adapter.dialect).toBe(dialect);
    await adapter.close(undefined);
  });
});

describe("a queue on Artemis", () => {
  test("a group is a durable subscription that its members share, and that stays when they leave", async () => {
    const { adapter, server, receivers } = await lab(ARTEMIS);
    const queue = adapter.queue("orders", []);
    const first = await queue.consume({ ...CALL, prefetch: 8 });
    await queue.consume(CALL);
    await queue.consume({ ...CALL, group: "" });
    const names = ["orders.workers|1", "orders.workers|2", "orders.default|3"];
    const capabilities = ["topic", "shared", "global"];
    const source = { address: "orders", capabilities, durable: 2, expiryPolicy: "never" };
    expect(receivers).toMatchObject(names.map((name) => ({ name, source })));
    await until(() => server.link("orders.workers|1").credit === 8);
    await first.unsubscribe();
    expect(detached(server)).toEqual(["detach orders.workers|1 by link peer"]);
    await adapter.close(undefined);
    expect(detached(server)).toEqual(names.map((name) => `detach ${name} by link peer`));
  });

  test("what is published goes to the address, and may be delivered later", async () => {
    const { adapter, server } = await lab(ARTEMIS);
    const queue = adapter.queue("orders", []);
    const body = new Uint8Array([97]);
    const sent = queue.publish(body, undefined);
    body[0] = 98;
    await sent;
    await queue.publish("later", { deliverAfterMs: 500 });
    expect(published(server)).toEqual([
      ["orders", "a", undefined],
      ["orders", "later", typed("long", 500)],
    ]);
    expect(server.link().remote?.target).toMatchObject({ capabilities: ["topic"] });
    await adapter.close(undefined);
  });

  test("groups that a publisher names are there before its first message", async () => {
    const { adapter, server, receivers } = await lab(ARTEMIS);
    const queue = adapter.queue("orders", ["shipping", "billing"]);
    await Promise.all([queue.publish("1", undefined), queue.publish("2", undefined)]);
    const names = ["orders.shipping|1", "orders.billing|2"];
    expect(receivers.map((each) => each.name)).toEqual(names);
    expect(detached(server)).toEqual(names.map((name) => `detach ${name} by link peer`));
    expect(published(server).map(([, data]) => data)).toEqual(["1", "2"]);
    await adapter.close(undefined);
  });

  test("what is given back, or whose handler fails, counts as a failed delivery", async () => {
    const { adapter, server, outcomes, events } = await lab(ARTEMIS);
    const came: Delivery[] = [];
    await adapter.queue("orders", []).consume({
      ...CALL,
      ack: "manual",
      deliver: (each) => void came.push(each),
    });
    await deliver(server, "orders", "given back");
    await until(() => came.length === 1);
    expect([came[0]?.queue, came[0]?.topic]).toEqual(["orders", "$queue/orders"]);
    await came[0]?.nack();
    await adapter.queue("orders", []).consume({ ...CALL, deliver: () => Promise.reject(new Error("not yet")) });
    await deliver(server, "orders", "failed");
    await until(() => outcomes.length === 2);
    const modified = { type: "modified", deliveryFailed: true };
    expect(outcomes).toMatchObject([modified, modified]);
    expect(events).toMatchObject([{ type: "handlerError" }]);
    await adapter.close(undefined);
  });

  test.each(["a/b", "a.b", "a*", "#", "a|b", "a::b", ""])("a queue called %j is ERR_INVALID_TOPIC", async (name) => {
    const { adapter } = await lab(ARTEMIS);
    const refused = { code: "ERR_INVALID_TOPIC" };
    await expect(adapter.queue(name, []).publish("x", undefined)).rejects.toMatchObject(refused);
    await expect(adapter.queue(name, []).consume(CALL)).rejects.toMatchObject(refused);
    await adapter.close(undefined);
  });
});

describe("a queue on ActiveMQ Classic", () => {
  test("is a virtual topic, and a group is a queue of it", async () => {
    const { adapter, server, receivers } = await lab("ActiveMQ");
    const queue = adapter.queue("orders", ["shipping"]);
    await queue.consume(CALL);
    await queue.publish("x", undefined);
    const sources = ["workers", "shipping"].map((group) => `queue://Consumer.${group}.VirtualTopic.orders`);
    expect(receivers).toMatchObject(sources.map((address) => ({ source: { address, durable: 0 } })));
    expect(published(server)).toEqual([["topic://VirtualTopic.orders", "x", undefined]]);
    await adapter.close(undefined);
  });

  test("delays nothing, and has neither routing keys nor filters nor streams", async () => {
    const { adapter } = await lab("ActiveMQ");
    const unsupported = { code: "ERR_UNSUPPORTED" };
    const queue = adapter.queue("orders", []);
    await expect(queue.publish("x", { deliverAfterMs: 1 })).rejects.toMatchObject(unsupported);
    await expect(queue.publish("x", { routingKey: "eu" })).rejects.toMatchObject(unsupported);
    await expect(queue.consume({ ...CALL, filter: "eu/#" })).rejects.toMatchObject(unsupported);
    expect(() => adapter.stream("s")).toThrow(expect.objectContaining(unsupported));
    await adapter.close(undefined);
  });
});

describe("topics", () => {
  test.each([
    [ARTEMIS, "a.*.v1/0.#", "a.b.v1/0", "a.b.c"],
    ["ActiveMQ", "topic://a.*.v1/0.>", "topic://a.b.v1/0", "topic://a.b.c"],
  ] as const)("on %s have dots for slashes, and the server's wildcards", async (product, filter, topic, to) => {
    const { adapter, server, receivers } = await lab(product);
    const came: Delivery[] = [];
    await adapter.subscribe("a/+/v1.0/#", { ...CALL, deliver: (each) => void came.push(each) });
    expect(receivers).toMatchObject([{ source: { address: filter } }]);
    await deliver(server, to, "x");
    await until(() => came.length === 1);
    expect(came[0]?.topic).toBe("a/b/c");
    await adapter.publish("a/b/v1.0", "x", { qos: 1 });
    expect(published(server)).toEqual([[topic, "x", undefined]]);
    await expect(adapter.subscribe("a,b", CALL)).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
    await adapter.close(undefined);
  });
});
