import { MqttClientBase, type MqttClientOptions } from "polymq/mqtt";
import { type Clock, type Platform, webText } from "polymq/transport";
import type { Network } from "./network.ts";
import type { World } from "./world.ts";

/** The shipped MQTT client, on the simulation's clock and network. */
export class SimClient extends MqttClientBase {
  readonly name: string;

  constructor(name: string, options: Omit<MqttClientOptions, "servers" | "clientId">, parts: SimClientParts) {
    super({ servers: "mqtt://broker", clientId: name, ...options }, simPlatform(name, parts));
    this.name = name;
  }
}

/** What a {@link SimClient} runs in. */
export interface SimClientParts {
  readonly world: World;
  readonly network: Network;
  /** The clock of its process. Default: the world's, for a client that is never killed. */
  readonly clock?: Clock;
}

function simPlatform(name: string, { world, network, clock = world.clock }: SimClientParts): Platform {
  const { chance } = world;
  return {
    clock,
    text: webText(),
    kinds: ["tcp"],
    randomBytes: (count) => new Uint8Array(count).map(() => chance.integer(0, 255)),
    random: () => chance.next(),
    dial: (_endpoint, options, handler) => network.dial(name, options, handler),
  };
}
