import type { Stage } from "../run/workload.ts";
import type { Wire } from "../world/wire-tap.ts";
import { Amqp091Actor } from "./amqp091-actor.ts";
import { MqttActor } from "./mqtt-actor.ts";
import type { QueueActor } from "./queue-actor.ts";

/** Makes a client for queues that speaks one of the run's protocols. */
export function makeActor(name: string, stage: Stage, role: "producer" | "consumer"): QueueActor {
  const { world, profile } = stage;
  const [only, ...others] = profile.queueWires;
  // A run of one protocol draws nothing, so that adding protocols changes no run without them.
  const wire: Wire = others.length === 0 ? only : world.chance.pick(profile.queueWires);
  return wire === "mqtt" ? new MqttActor(name, stage, role) : new Amqp091Actor(name, stage);
}
