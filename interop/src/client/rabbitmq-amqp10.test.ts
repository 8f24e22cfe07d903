import { connect, saslPlain } from "polymq/amqp10";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";
import { brokerScenarios } from "./amqp10-broker.test-support.ts";

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl");

describe.skipIf(tools.skip)(tools.title("the AMQP 1.0 client and RabbitMQ's plugin"), () => {
  let broker: Rabbitmq;

  beforeAll(async () => {
    broker = await startRabbitmq({ plugins: ["rabbitmq_amqp1_0"] });
  });

  afterAll(async () => {
    await broker?.stop();
  });

  brokerScenarios(() => ({
    url: `amqp://guest:guest@127.0.0.1:${broker.ports.amqp}`,
    address: (name) => `/queue/${name}`,
  }));

  test("a wrong password is ERR_AUTH_FAILED with SASL's code", async () => {
    const attempt = connect(`amqp://127.0.0.1:${broker.ports.amqp}`, { sasl: saslPlain("guest", "wrong") });
    await expect(attempt).rejects.toMatchObject({ code: "ERR_AUTH_FAILED", peer: { code: 1 } });
  });
});
