import type { Stage } from "../run/workload.ts";
import type { Wire } from "../world/wire-tap.ts";
import { Amqp10Actor } from "./amqp10-actor.ts";
import { Amqp091Actor } from "./amqp091-actor.ts";
import { MqttActor } from "./mqtt-actor.ts";
import type { QueueActor } from "./queue-actor.ts";

/** Makes a client for queues that speaks one of the run's protocols. */
export function makeActor(name: string, stage: Stage, role: "producer" | "consumer"): QueueActor {
  const { world, profile } = stage;
  const [only, ...others] = profile.queueWires;
  // A run of one protocol draws nothing, so that adding protocols changes no run without them.
  const wire: Wire = others.length === 0 ? only : world.chance.pick(profile.queueWires);
  switch (wire) {
    case "mqtt":
      return new MqttActor(name, stage, role);
    case "amqp091":
      return new Amqp091Actor(name, stage);
    case "amqp10":
      return new Amqp10Actor(name, stage, role);
  }
}
