import { connect } from "polymq/amqp10";
import { expect, test } from "vitest";
import { AmqpScene } from "./sessions/amqp091/scene.test-support.ts";

const BODY = new Uint8Array(10_240);

test("what no session has room for is refused to clients of AMQP as well, and reaches those who take it", async () => {
  await using scene = await AmqpScene.open({ sessions: { heldBytesMax: 80_000 } });
  const away = await scene.mqtt({ clientId: "away", cleanStart: false, sessionExpirySeconds: 3_600 });
  await away.subscribe("away/#", { qos: 1, handler: () => undefined });
  await away.close();
  const client = await scene.client();
  const channel = await client.channel();
  while (!scene.broker.hub.held.isTight) await channel.publish("", "away/a", BODY);
  await expect(channel.publish("", "away/a", BODY)).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });

  await using connection = await connect("amqp://memory", { dial: scene.broker.dial });
  const session = await connection.createSession();
  const sender = await session.createSender("away/a");
  await expect(sender.send(BODY)).rejects.toMatchObject({ scope: "message" });

  const here: string[] = [];
  await client.subscribe("away/#", { handler: (message) => void here.push(message.topic) });
  await channel.publish("", "away/a", BODY);
  await expect.poll(() => here).toEqual(["away/a"]);
});
