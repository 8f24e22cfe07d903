import { mosquittoToolScenarios } from "./mosquitto-tools.ts";
import { mqttJsScenarios } from "./mqtt-js.ts";
import { pahoPythonScenarios } from "./paho-python.ts";
import type { Scenario } from "./scenario.ts";

/** Every scenario of every peer. Names are unique. */
export const allScenarios: readonly Scenario[] = [
  ...mqttJsScenarios,
  ...mosquittoToolScenarios,
  ...pahoPythonScenarios,
];
