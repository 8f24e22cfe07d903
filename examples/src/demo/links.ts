import { type FaultProxy, faultProxy } from "polymq/testing";

/** Random pieces in which bytes pass, so that a cut falls into the middle of a packet. */
const PIECE_BYTES = [200, 16_384] as const;

/** Time for which new connections are refused after some cuts. */
const REFUSE_MS = 400;

/** Which link is cut and how, one after the other. */
const PLAN = [
  { link: "publishers", how: "rst" },
  { link: "workers", how: "fin" },
  { link: "publishers", how: "toServer" },
  { link: "workers", how: "toServer" },
  { link: "both", how: "rst" },
  { link: "publishers", how: "toClient" },
  { link: "workers", how: "toClient" },
  { link: "both", how: "refused" },
] as const;

const HOW = {
  rst: "reset",
  fin: "ended in the middle",
  toServer: "half closed towards the broker",
  toClient: "half closed towards the clients",
  refused: `reset, and refused for ${REFUSE_MS} ms`,
} as const;

/** The two links of the demo, and the cuts made so far. */
export class Links {
  readonly publishers: FaultProxy;
  readonly workers: FaultProxy;
  #cuts = 0;
  #broken = 0;

  private constructor(publishers: FaultProxy, workers: FaultProxy) {
    this.publishers = publishers;
    this.workers = workers;
  }

  static async open(brokerPort: number): Promise<Links> {
    const target = { host: "127.0.0.1", port: brokerPort };
    const faults = { pieceBytes: PIECE_BYTES };
    return new Links(await faultProxy({ target, faults, seed: 1 }), await faultProxy({ target, faults, seed: 2 }));
  }

  get cuts(): number {
    return this.#cuts;
  }

  /** Connections that the cuts broke. */
  get broken(): number {
    return this.#broken;
  }

  /** Makes the next cut of the plan; returns what it was. */
  cutNext(): string {
    const { link, how } = PLAN[this.#cuts % PLAN.length] ?? PLAN[0];
    this.#cuts++;
    const proxies = link === "both" ? [this.publishers, this.workers] : [this[link]];
    for (const proxy of proxies) {
      this.#broken += proxy.stats.liveConnections;
      cut(proxy, how);
    }
    return `cut ${this.#cuts}: ${link === "both" ? "all links" : `the ${link}' link`} ${HOW[how]}`;
  }

  async close(): Promise<void> {
    await Promise.all([this.publishers.close(), this.workers.close()]);
  }
}

function cut(proxy: FaultProxy, how: keyof typeof HOW): void {
  if (how === "toServer" || how === "toClient") proxy.halfClose(how);
  else proxy.cut(how === "fin" ? "fin" : "rst");
  // The refusal ends by itself.
  if (how === "refused") proxy.refuse(REFUSE_MS).catch(() => undefined);
}
