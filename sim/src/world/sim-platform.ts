import { type Clock, type Platform, webText } from "polymq/transport";
import type { Network } from "./network.ts";
import type { Wire } from "./wire-tap.ts";
import type { World } from "./world.ts";

/** What a simulated client runs in. */
export interface SimClientParts {
  readonly world: World;
  readonly network: Network;
  /** The clock of its process. Default: the world's, for a client that is never killed. */
  readonly clock?: Clock;
}

/** The platform of a client of this name: the simulation's clock, randomness and network. */
export function simPlatform(name: string, wire: Wire, parts: SimClientParts): Platform {
  const { world, network, clock = world.clock } = parts;
  const { chance } = world;
  return {
    clock,
    text: webText(),
    kinds: ["tcp"],
    randomBytes: (count) => new Uint8Array(count).map(() => chance.integer(0, 255)),
    random: () => chance.next(),
    dial: (_endpoint, options, handler) => network.dial({ name, wire }, options, handler),
  };
}
