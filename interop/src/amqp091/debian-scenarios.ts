import { amqpToolsScenarios } from "./amqp-tools-scenarios.ts";
import type { DebianScenario } from "./debian-target.ts";
import { kombuScenarios, pikaScenarios } from "./python-scenarios.ts";

/** What the scenarios need on this machine, for `requireOrSkip`. */
export const debianPrograms: readonly string[] = ["amqp-publish", "amqp-consume", "python:pika", "python:kombu"];

/** Everything that Debian's AMQP 0-9-1 clients are made to do with a server. */
export const allDebianScenarios: readonly DebianScenario[] = [
  ...pikaScenarios,
  ...kombuScenarios,
  ...amqpToolsScenarios,
];
