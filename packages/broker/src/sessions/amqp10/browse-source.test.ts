import { expect, test } from "vitest";
import { Amqp10Scene, takeTexts } from "./scene.test-support.ts";

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

test("a reader with distribution mode copy leaves all messages in the queue (§3.5.9)", async () => {
  await using scene = await Amqp10Scene.open();
  const session = await scene.session();
  const sender = await session.createSender("$queue/q");
  for (const each of ["a", "b"]) await sender.send(bytes(each));
  const reader = await session.createReceiver("$queue/q", { source: { distributionMode: "copy" }, credit: "manual" });
  reader.issueCredit(10);
  expect(await takeTexts(reader, 2)).toEqual(["a", "b"]);
  await sender.send(bytes("c"));
  expect(await takeTexts(reader, 1)).toEqual(["c"]);
  await reader.drainCredit();
  expect(await takeTexts(await session.createReceiver("$queue/q"), 3)).toEqual(["a", "b", "c"]);
});

test("a stream is read by each such reader for itself", async () => {
  await using scene = await Amqp10Scene.open({ queues: [{ name: "s", kind: "stream" }] });
  const session = await scene.session();
  await (await session.createSender("$queue/s")).send(bytes("a"));
  const options = { source: { distributionMode: "copy" as const }, properties: { cursor: "first" } };
  const [one, two] = [
    await session.createReceiver("$queue/s", options),
    await session.createReceiver("$queue/s", options),
  ];
  expect([...(await takeTexts(one, 1)), ...(await takeTexts(two, 1))]).toEqual(["a", "a"]);
});
