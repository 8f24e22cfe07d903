import { describe, expect, test } from "vitest";
import {
  type LabServer,
  labPlatform,
  quiet,
  textOfBytes,
  until,
} from "../../../amqp10/client/client-lab.test-support.ts";
import { connectOver } from "../../../amqp10/client/connect.ts";
import { MessageView } from "../../../amqp10/codec/message-view.ts";
import { text } from "../../../amqp10/engine/engine.test-support.ts";
import type { ReceiverLink } from "../../../amqp10/engine/receiver-link.ts";
import type { Adapter, ReadCall } from "../../adapter.ts";
import { targetOf } from "../../target.ts";
import { connectAmqp10 } from "./amqp10-adapter.ts";

/** An adapter on a server that has an anonymous terminus, as polymq's broker. */
async function lab(
  prepare: (server: LabServer) => void = () => undefined,
  containerId = "x",
): Promise<[Adapter, LabServer]> {
  const servers: LabServer[] = [];
  const product = containerId === "x" ? "polymq" : "other";
  const open = { containerId, properties: { product }, offeredCapabilities: ["ANONYMOUS-RELAY"] };
  const platform = labPlatform({ open }, (server) => {
    servers.push(server);
    prepare(server);
  });
  const dial: Parameters<typeof connectAmqp10>[0] = (urls, options) => connectOver(platform, urls, options);
  const adapter = await connectAmqp10(
    dial,
    targetOf("amqp10://h", { reconnect: false }, () => "id"),
    () => undefined,
  );
  return [adapter, servers[0] as LabServer];
}

/** Where messages went, whether they are durable, and what they say. */
function published(server: LabServer): unknown[] {
  return server.deliveries.map(({ payload }) => {
    const { header, properties, data } = new MessageView(text, payload);
    return [properties?.to, header?.durable, textOfBytes(data)];
  });
}

const ACKNOWLEDGED = { qos: 1 } as const;

describe("readers of a stream that name no group", () => {
  const groupOf = async (containerId: string): Promise<unknown> => {
    const [adapter, server] = await lab(undefined, containerId);
    const call = { from: "first", group: "", commit: "auto", prefetch: undefined, signal: undefined };
    await adapter.stream("s").read(call as unknown as ReadCall);
    const group = server.link().remote?.properties?.get("consumer-group");
    adapter.destroy();
    return group;
  };

  test("read each by itself on FluxMQ, which would take them for members of one", async () => {
    const [first, second] = [await groupOf("fluxmq"), await groupOf("fluxmq")];
    expect([typeof first, typeof second, first === second]).toEqual(["string", "string", false]);
  });

  test("name none elsewhere", async () => {
    expect(await groupOf("x")).toBeUndefined();
  });
});

describe("publishes to topics over AMQP 1.0", () => {
  test("say the same on the way that is ready as on the first one, in their order", async () => {
    const [adapter, server] = await lab();
    await adapter.publish("a/b", "1", ACKNOWLEDGED);
    await Promise.all([
      adapter.publish("a/b", "2", ACKNOWLEDGED),
      adapter.publish("c", new TextEncoder().encode("3"), undefined),
      adapter.publish("c", "4", { qos: 1, contentType: "text/plain" }),
      adapter.publish("a/b", "5", undefined),
    ]);
    await until(() => server.deliveries.length === 5);
    expect(published(server)).toEqual([
      ["a/b", true, "1"],
      ["a/b", true, "2"],
      ["c", true, "3"],
      ["c", true, "4"],
      ["a/b", true, "5"],
    ]);
    await adapter.close(undefined);
  });

  test("are sent as their bytes were at the call, though they wait for credit", async () => {
    const [adapter, server] = await lab((made) => {
      made.credit = 1;
    });
    await adapter.publish("t", "first", ACKNOWLEDGED);
    const data = new TextEncoder().encode("mine");
    const sending = adapter.publish("t", data, ACKNOWLEDGED);
    data.fill(0);
    (server.link() as ReceiverLink<never>).setCredit(1);
    server.push();
    await sending;
    expect(published(server)[1]).toEqual(["t", true, "mine"]);
    await adapter.close(undefined);
  });

  test("are waited for by close until the server has said what became of them", async () => {
    const [adapter, server] = await lab();
    await adapter.publish("t", "first", ACKNOWLEDGED);
    server.outcome = null;
    const told: string[] = [];
    const sending = Promise.resolve(adapter.publish("t", "second", ACKNOWLEDGED)).then(() => told.push("accepted"));
    const closing = adapter.close(undefined).then(() => told.push("closed"));
    await until(() => server.deliveries.length === 2);
    await quiet();
    expect(told).toEqual([]);
    const delivery = server.deliveries[1];
    delivery?.link.settle(delivery, { type: "accepted" });
    server.push();
    await Promise.all([sending, closing]);
    expect(told).toEqual(["accepted", "closed"]);
  });

  test.each([[""], ["a/+"], ["#"], [7 as unknown as string]])("refuse the topic %j each time", async (topic) => {
    const [adapter] = await lab();
    for (let i = 0; i < 2; i++) {
      expect(() => adapter.publish(topic, "x", undefined)).toThrow(
        expect.objectContaining({ code: "ERR_INVALID_TOPIC" }),
      );
    }
    adapter.destroy();
  });
});
