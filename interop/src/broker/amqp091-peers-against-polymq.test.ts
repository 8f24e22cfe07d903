import { type Broker, startBroker } from "@polymq/broker";
import { afterAll, beforeAll, describe, test } from "vitest";
import { allAmqp091Scenarios } from "../amqp091/all-scenarios.ts";
import { amqpClientJsPeer, amqpClientJsWebPeer } from "../amqp091/amqp-client-js-peer.ts";
import { amqplibPeer } from "../amqp091/amqplib-peer.ts";
import { rabbitmqClientPeer } from "../amqp091/rabbitmq-client-peer.ts";
import { runScenario } from "../amqp091/scenario.ts";

// They wait far more than they compute, and share nothing but the broker.
describe("AMQP 0-9-1 clients against the polymq broker", { concurrent: true }, () => {
  let broker: Broker;

  beforeAll(async () => {
    broker = await startBroker({ port: 0 });
  });

  afterAll(async () => {
    await broker?.close();
  });

  for (const peer of [amqplibPeer, amqpClientJsPeer, amqpClientJsWebPeer, rabbitmqClientPeer]) {
    for (const scenario of allAmqp091Scenarios) {
      test(`${peer.name}: ${scenario.name}`, () =>
        runScenario(scenario, peer, `amqp://guest:guest@127.0.0.1:${broker.port}/%2F`));
    }
  }
});
