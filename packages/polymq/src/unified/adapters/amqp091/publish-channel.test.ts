import { expect, test } from "vitest";
import { connected } from "../../../amqp091/client/fake-broker.test-support.ts";
import { PublishChannel } from "./publish-channel.ts";

test("the channel stays the same until the server closes it, or goes on refusing on it", async () => {
  const { broker, client } = await connected();
  const publishing = new PublishChannel(client);
  expect(publishing.current).toBeNull();
  const first = await broker.now(publishing.get());
  expect([publishing.current, await broker.now(publishing.get())]).toEqual([first, first]);
  broker.link.closeChannel(403, "ACCESS_REFUSED");
  await broker.clock.settle();
  expect(publishing.current).toBeNull();

  const second = await broker.now(publishing.get());
  await broker.clock.advance(1_000);
  broker.confirms = "refuse";
  await expect(broker.now(second.publish("orders", "", "x"))).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
  expect(publishing.current).toBeNull();
  broker.confirms = "at once";
  const third = await broker.now(publishing.get());
  expect(third).not.toBe(second);
  await broker.now(third.publish("orders", "", "x"));
  expect(publishing.current).toBe(third);
  await broker.clock.settle();
  expect([second.over, third.over]).toEqual([true, false]);
});
