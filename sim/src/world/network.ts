import type { Attach } from "@polymq/broker/testing";
import { MessagingError } from "polymq/internal";
import type { DialOptions, Transport, TransportHandler } from "polymq/transport";
import { Link, type LinkShape } from "./link.ts";
import type { Wire } from "./wire-tap.ts";
import type { World } from "./world.ts";

/** How dials go. */
export interface NetworkShape extends LinkShape {
  /** The probability that a dial is refused although the broker listens. */
  readonly refuses: number;
}

/** Who dials, and what it speaks. */
export interface Dialler {
  readonly name: string;
  readonly wire: Wire;
}

/** What lies between clients and the broker: every link of a run goes through here. */
export class Network {
  readonly #world: World;
  readonly #shape: NetworkShape;
  readonly #links = new Set<Link>();
  /** Where the broker takes connections, or null while there is none. */
  #door: ((attach: Attach) => void) | null = null;
  #count = 0;
  readonly #onPacket: ((link: Link) => void) | null;
  #refuses: number;

  /** @param onPacket asked before each packet that arrives anywhere */
  constructor(world: World, shape: NetworkShape, onPacket: ((link: Link) => void) | null = null) {
    this.#world = world;
    this.#shape = shape;
    this.#refuses = shape.refuses;
    this.#onPacket = onPacket;
  }

  /** Links that are not over on both ends. */
  get links(): Link[] {
    for (const link of this.#links) if (link.isOver) this.#links.delete(link);
    return [...this.#links];
  }

  /** The broker listens, or does not any more. */
  setDoor(door: ((attach: Attach) => void) | null): void {
    this.#door = door;
  }

  /** From now on only a missing broker refuses. */
  heal(): void {
    this.#refuses = 0;
  }

  /** A client's `Platform.dial`: connects after a while, or is refused. */
  dial(who: Dialler, options: DialOptions, handler: TransportHandler): Promise<Transport> {
    const { clock, chance } = this.#world;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(chance.integer(0, this.#shape.delayMsMax), () => {
        options.signal?.removeEventListener("abort", onAbort);
        const door = this.#door;
        if (door === null || chance.happens(this.#refuses)) {
          reject(new MessagingError("ERR_CONNECT_FAILED", "connection refused"));
        } else resolve(this.#connect(who, door, handler));
      });
      const onAbort = (): void => {
        timer.cancel();
        reject(new MessagingError("ERR_ABORTED", "the dial was given up"));
      };
      options.signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #connect({ name, wire }: Dialler, door: (attach: Attach) => void, handler: TransportHandler): Transport {
    const link = new Link({ name: `${name}#${this.#count++}`, wire }, this.#shape, this.#world, this.#onPacket);
    this.#links.add(link);
    this.#world.trace.note(link.name, "connected");
    door((server) => link.server.attach(server));
    return link.client.attach(handler);
  }
}
