import { afterAll, beforeAll, describe } from "vitest";
import type { Amqp10Server } from "../harness/amqp10-server.ts";
import type { JavaBroker } from "../harness/java-broker.ts";
import { activemq, startActivemq } from "../harness/start-activemq.ts";
import { artemis, startArtemis } from "../harness/start-artemis.ts";
import { brokerJ, startBrokerJ } from "../harness/start-broker-j.ts";
import { brokerScenarios, durableSubscriptionScenario, transactionScenario } from "./amqp10-broker.test-support.ts";

/** A start takes seconds at rest, and as many minutes on a machine that has much else to do. */
const SLOW_MS = 200_000;

/** Where the broker has a queue and a topic of a name. */
interface Subject {
  readonly name: string;
  readonly broker: JavaBroker;
  readonly start: () => Promise<Amqp10Server>;
  readonly queue: (name: string) => string;
  readonly topic: string;
  readonly capabilities: readonly string[];
  readonly refuses: boolean;
}

const subjects: readonly Subject[] = [
  {
    name: "ActiveMQ Classic",
    broker: activemq(),
    start: startActivemq,
    queue: (name) => `queue://${name}`,
    topic: "topic://events",
    capabilities: [],
    // It makes a queue of any name.
    refuses: false,
  },
  {
    name: "ActiveMQ Artemis",
    broker: artemis(),
    start: startArtemis,
    queue: (name) => `queues.${name}`,
    topic: "events",
    capabilities: ["topic"],
    refuses: true,
  },
  {
    name: "Qpid Broker-J",
    broker: brokerJ(),
    start: startBrokerJ,
    queue: (name) => name,
    topic: "amq.topic/events",
    capabilities: [],
    refuses: true,
  },
];

describe.each(subjects)("the AMQP 1.0 client and $name", ({ broker, start, queue, topic, capabilities, refuses }) => {
  const title = broker.missing === null ? "is here" : `(skipped: ${broker.missing})`;
  describe.skipIf(broker.missing !== null)(title, () => {
    let server: Amqp10Server;

    beforeAll(async () => {
      server = await start();
    }, SLOW_MS);

    afterAll(async () => {
      await server?.stop();
    });

    brokerScenarios(() => ({ url: server.url, address: queue }), { refuses });
    transactionScenario(() => ({ url: server.url, address: queue }));
    durableSubscriptionScenario(() => ({
      url: server.url,
      address: topic,
      capabilities,
      restart: () => server.restart("kill"),
    }));
  });
});
