import { type Client, connect, text } from "polymq";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Amqp10Server } from "../harness/amqp10-server.ts";
import { activemq, startActivemq } from "../harness/start-activemq.ts";
import { artemis, startArtemis } from "../harness/start-artemis.ts";

/*
 * What the contract does not ask of every server: groups on Artemis and ActiveMQ keep their messages while no member is there and the server is killed.
 */

const SLOW_MS = 400_000;
const subjects = [
  { name: "Artemis", broker: artemis(), start: startArtemis, dialect: "artemis" },
  { name: "ActiveMQ Classic", broker: activemq(), start: startActivemq, dialect: "activemq" },
] as const;

describe.each(subjects)("groups of the unified client on $name", ({ broker, start, dialect }) => {
  const title = broker.missing === null ? "is here" : `(skipped: ${broker.missing})`;
  describe.skipIf(broker.missing !== null)(title, () => {
    let server: Amqp10Server;

    beforeAll(async () => {
      server = await start();
    }, SLOW_MS);

    afterAll(async () => {
      await server?.stop();
    });

    const dial = (): Promise<Client<"amqp10">> =>
      connect(server.url.replace("amqp:", "amqp10:") as `amqp10://${string}`);

    async function take(group: string, count: number): Promise<string[]> {
      await using client = await dial();
      const taken: string[] = [];
      for await (const message of await client.queue("orders", { codec: text }).consume({ group, prefetch: 1 })) {
        taken.push(message.value);
        await message.ack();
        if (taken.length === count) break;
      }
      return taken;
    }

    test(
      "each group has all, whoever was there, and goes on where it stood after the server was killed",
      async () => {
        await using publisher = await dial();
        expect(publisher.dialect).toBe(dialect);
        const orders = publisher.queue("orders", { codec: text, groups: ["shipping", "billing"] });
        for (const each of ["1", "2", "3"]) await orders.publish(each);
        expect(await take("shipping", 1)).toEqual(["1"]);
        await server.restart("kill");
        expect(await take("shipping", 2)).toEqual(["2", "3"]);
        expect(await take("billing", 3)).toEqual(["1", "2", "3"]);
        await orders.publish("4");
        expect([await take("shipping", 1), await take("billing", 1)]).toEqual([["4"], ["4"]]);
      },
      SLOW_MS,
    );
  });
});
