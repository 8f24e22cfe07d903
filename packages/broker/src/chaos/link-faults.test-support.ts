import { type FaultProxy, type Faults, randomInteger, seededRandom } from "polymq/testing";

/** Does something bad to links again and again, the same for the same seed. */
export class FaultSchedule {
  readonly #proxies: readonly FaultProxy[];
  readonly #random: () => number;
  readonly #counts = new Map<string, number>();

  constructor(proxies: readonly FaultProxy[], seed: number) {
    this.#proxies = proxies;
    this.#random = seededRandom(seed);
  }

  /** What was done so far, and how often. */
  get summary(): string {
    return [...this.#counts].map(([what, count]) => `${count} ${what}`).join(", ");
  }

  /** One more fault, on a link chosen at random, and other delays and sizes of pieces on that link from now on. */
  strike(): void {
    const proxy = this.#proxies[this.#upTo(this.#proxies.length - 1)];
    const fault = FAULTS[this.#upTo(FAULTS.length - 1)];
    if (proxy === undefined || fault === undefined) return;
    this.#counts.set(fault.name, (this.#counts.get(fault.name) ?? 0) + 1);
    fault.strike(proxy, (most) => this.#upTo(most));
    proxy.setFaults(this.#weather());
  }

  #weather(): Faults {
    const delays = [0, 0, 1, 5] as const;
    const pieces = [200, 2_000, 20_000] as const;
    return {
      delayMs: [0, delays[this.#upTo(delays.length - 1)] ?? 0],
      pieceBytes: [1, pieces[this.#upTo(pieces.length - 1)] ?? 1],
    };
  }

  #upTo(most: number): number {
    return randomInteger(this.#random, 0, most);
  }
}

interface Fault {
  readonly name: string;
  strike(proxy: FaultProxy, upTo: (most: number) => number): void;
}

const FAULTS: readonly Fault[] = [
  { name: "resets", strike: (proxy) => proxy.cut("rst") },
  { name: "ends", strike: (proxy) => proxy.cut("fin") },
  { name: "half closes towards the broker", strike: (proxy) => proxy.halfClose("toServer") },
  { name: "half closes towards the clients", strike: (proxy) => proxy.halfClose("toClient") },
  {
    name: "refusals",
    strike: (proxy, upTo) => {
      proxy.refuse(50 + upTo(200)).catch(() => undefined);
      proxy.cut("rst");
    },
  },
  {
    // Small counts fall into CONNECT and CONNACK of the next connections.
    name: "cuts at a byte",
    strike: (proxy, upTo) => {
      proxy.cutAfter({
        direction: upTo(1) === 0 ? "toServer" : "toClient",
        unit: "bytes",
        count: 1 + upTo(upTo(1) === 0 ? 100 : 200_000),
        mode: upTo(1) === 0 ? "fin" : "rst",
      });
      if (upTo(1) === 0) proxy.cut("rst");
    },
  },
];
