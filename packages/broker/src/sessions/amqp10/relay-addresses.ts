// Hot path: `at` runs per message to the anonymous relay. No closure, promise, spread, iterator or regex on its usual way.
import { hostedName, PLAIN_HOST } from "../../core/queues/hosted-name.ts";
import { type TargetAddress, targetAddress } from "./addresses.ts";

/** Addresses that are remembered. */
const KNOWN_MAX = 1_024;

/** Longest one, in UTF-16 units: with their number it bounds the memory of a connection. */
const KNOWN_UNITS_MAX = 512;

/** What an address meant. */
interface Known {
  readonly address: TargetAddress;
  /** The queue whose being there decided; null where none did. */
  readonly queue: string | null;
  readonly wasThere: boolean;
}

/** What `to` of a message means to the anonymous relay, remembered: finding out anew took a quarter of the time of a message. */
export class RelayAddresses {
  readonly #host: string;
  readonly #queues: { has(name: string): boolean };
  readonly #known = new Map<string, Known>();
  /** The address of the last message, for most are like it. */
  #lastText = "";
  #last: Known | null = null;

  /** @param queues all queues, by their names among all virtual hosts */
  constructor(host: string, queues: { has(name: string): boolean }) {
    this.#host = host;
    this.#queues = queues;
  }

  /** Where a message goes. @throws {Refused} */
  at(text: string): TargetAddress {
    let known = text === this.#lastText ? this.#last : this.#known.get(text);
    if (known === undefined || known === null || !this.#holds(known)) known = this.#find(text);
    this.#lastText = text;
    this.#last = known;
    return known.address;
  }

  #holds({ queue, wasThere }: Known): boolean {
    return queue === null || this.#queues.has(queue) === wasThere;
  }

  #find(text: string): Known {
    let queue: string | null = null;
    let wasThere = false;
    const hasQueue = (name: string): boolean => {
      queue = hostedName(this.#host, name);
      wasThere = this.#queues.has(queue);
      return wasThere;
    };
    const address = targetAddress(text, { hasTopics: this.#host === PLAIN_HOST, hasQueue, capabilities: [] });
    const known = { address, queue, wasThere };
    if (text.length > KNOWN_UNITS_MAX) return known;
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(text, known);
    return known;
  }
}
