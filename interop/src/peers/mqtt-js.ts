import { mqttJsMessageScenarios } from "./mqtt-js-messages.ts";
import { mqttJsSessionScenarios } from "./mqtt-js-sessions.ts";
import { mqttJsTransportScenarios } from "./mqtt-js-transports.ts";
import { mqttJsV5MessageScenarios } from "./mqtt-js-v5-messages.ts";
import { mqttJsV5SessionScenarios } from "./mqtt-js-v5-sessions.ts";
import { mqttJsV5SubscriptionScenarios } from "./mqtt-js-v5-subscriptions.ts";
import type { Scenario } from "./scenario.ts";

/** Everything that MQTT.js is made to do with a broker. */
export const mqttJsScenarios: readonly Scenario[] = [
  ...mqttJsMessageScenarios,
  ...mqttJsSessionScenarios,
  ...mqttJsV5MessageScenarios,
  ...mqttJsV5SubscriptionScenarios,
  ...mqttJsV5SessionScenarios,
  ...mqttJsTransportScenarios,
];
