import { exchangeScenarios } from "./exchange-scenarios.ts";
import { messageScenarios } from "./message-scenarios.ts";
import { queueScenarios } from "./queue-scenarios.ts";
import type { AmqpScenario } from "./scenario.ts";

/** Everything that clients are made to do over AMQP 0-9-1. Names are unique. */
export const allAmqp091Scenarios: readonly AmqpScenario[] = [
  ...queueScenarios,
  ...exchangeScenarios,
  ...messageScenarios,
];
