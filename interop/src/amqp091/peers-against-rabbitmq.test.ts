import { afterAll, beforeAll, describe, test } from "vitest";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";
import { allAmqp091Scenarios } from "./all-scenarios.ts";
import { amqpClientJsPeer } from "./amqp-client-js-peer.ts";
import { amqplibPeer } from "./amqplib-peer.ts";
import { rabbitmqClientPeer } from "./rabbitmq-client-peer.ts";
import { runScenario } from "./scenario.ts";

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl");

/** Shows that the scenarios are what RabbitMQ does: our broker is held to the same ones. */
describe.skipIf(tools.skip)(tools.title("AMQP 0-9-1 clients against RabbitMQ"), { concurrent: true }, () => {
  let server: Rabbitmq;

  beforeAll(async () => {
    server = await startRabbitmq({ plugins: [] });
  });

  afterAll(async () => {
    await server?.stop();
  });

  for (const peer of [amqplibPeer, amqpClientJsPeer, rabbitmqClientPeer]) {
    for (const scenario of allAmqp091Scenarios) {
      test(`${peer.name}: ${scenario.name}`, () =>
        runScenario(scenario, peer, `amqp://guest:guest@127.0.0.1:${server.ports.amqp}/%2F`));
    }
  }
});
