import { type Broker, startBroker } from "@polymq/broker";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allAmqp10Scenarios } from "../amqp10/all-scenarios.test-support.ts";
import { rheaPeer } from "../amqp10/rhea-peer.ts";
import { rheaPromisePeer } from "../amqp10/rhea-promise-peer.ts";

const LOGIN = { username: "ada", password: "lovelace" };

describe("AMQP 1.0 clients against the polymq broker", { concurrent: true }, () => {
  let broker: Broker;
  let guarded: Broker;
  let count = 0;

  beforeAll(async () => {
    broker = await startBroker({ port: 0 });
    guarded = await startBroker({ port: 0, users: [LOGIN] });
  });

  afterAll(async () => {
    await broker?.close();
    await guarded?.close();
  });

  for (const peer of [rheaPeer, rheaPromisePeer]) {
    for (const scenario of allAmqp10Scenarios) {
      test(`${peer.name}: ${scenario.name}`, async () => {
        const connection = await peer.connect({ port: broker.port });
        try {
          await scenario.run({ peer, connection, port: broker.port, name: `q${++count}` });
        } finally {
          await connection.close();
        }
      });
    }

    test(`${peer.name}: logs in with its password, and with no other`, async () => {
      const connection = await peer.connect({ port: guarded.port, ...LOGIN });
      expect(await connection.send("$queue/q", { body: "x" })).toBe("accepted");
      await connection.close();
      await expect(peer.connect({ port: guarded.port, ...LOGIN, password: "wrong" })).rejects.toThrowError();
    });
  }
});
