import { MessagingError } from "polymq/internal";
import type { MemoryPair } from "polymq/transport";
import type { ConnectionInspection } from "../sessions/connection-inspection.ts";
import type { FailedCommit, FaultyStore } from "./faulty-store.ts";
import type { LinkFaults, MemoryLinks } from "./memory-links.ts";

/** What was broken so far. */
export interface FaultStats {
  readonly connectionsCut: number;
  readonly connectionsSilenced: number;
  readonly connectionsRefused: number;
  readonly commitsDelayed: number;
  readonly commitsFailed: number;
}

/**
 * Breaks the links and the store of a broker in memory, as links and disks break: no message is lost, doubled or changed that polymq would not have to
 * cope with in earnest. Links are those of clients with the broker's `dial`.
 */
export interface BrokerFaults {
  /** Counts since the broker's start. */
  readonly stats: FaultStats;
  /**
   * Ends connections at once as a lost link does: what is on its way is lost, and both sides hear of it in a later turn.
   * @param clientId whose: MQTT's client id, AMQP 0-9-1's connection name, AMQP 1.0's container. Default: all, those included that have not said who they are
   * @returns how many
   */
  cutConnections(clientId?: string): number;
  /**
   * From now on nothing gets through on these connections and nobody is told, as when a cable is pulled out: only keep-alives and deadlines find out.
   * @param clientId as in {@link BrokerFaults.cutConnections}
   * @returns how many
   */
  silenceConnections(clientId?: string): number;
  /** Dials fail with ERR_CONNECT_FAILED from now on: the next `count`, a whole number from 0. Default: all until {@link BrokerFaults.heal}. */
  refuseConnections(count?: number): void;
  /** What is written from now on, by either side of every connection, arrives late or in pieces; nothing is reordered. `{}` ends it. */
  shapeLinks(faults: LinkFaults): void;
  /**
   * Commits begin so many ms late from now on, and nothing is acknowledged before they are done. 0 for no delay; one that waits goes on waiting.
   * @throws {MessagingError} ERR_UNSUPPORTED for a broker without a store, ERR_INVALID_ARGUMENT
   */
  delayCommits(ms: number): void;
  /** Commits wait from now on until {@link BrokerFaults.releaseCommits}. @throws {MessagingError} ERR_UNSUPPORTED for a broker without a store */
  holdCommits(): void;
  /** Commits wait no more, the one that does goes on now. */
  releaseCommits(): void;
  /**
   * The next commit fails with ERR_STORE_FAILED, after its delay. The broker ends by itself then, `closed` resolves with the error, and whoever waited for
   * an acknowledgement gets none. What was committed before, with `written` (default: `lost`) this batch too, is there for a broker that is started on the
   * same data again.
   * @throws {MessagingError} ERR_UNSUPPORTED for a broker without a store
   */
  failNextCommit(left?: FailedCommit): void;
  /** Nothing is refused, late or made to fail from now on. Connections that were cut or silenced stay so. `close` of the broker begins with it. */
  heal(): void;
}

/** What faults are injected into. */
export interface FaultTargets {
  readonly links: MemoryLinks;
  readonly store: FaultyStore | null;
  /** Connections of clients that have said who they are. */
  readonly connections: () => readonly ConnectionInspection[];
}

/** {@link BrokerFaults} of one broker. */
export class InjectedFaults implements BrokerFaults {
  readonly #targets: FaultTargets;
  #cut = 0;
  #silenced = 0;

  constructor(targets: FaultTargets) {
    this.#targets = targets;
  }

  get stats(): FaultStats {
    const { links, store } = this.#targets;
    return {
      connectionsCut: this.#cut,
      connectionsSilenced: this.#silenced,
      connectionsRefused: links.refusedCount,
      commitsDelayed: store?.delayedCount ?? 0,
      commitsFailed: store?.failedCount ?? 0,
    };
  }

  cutConnections(clientId?: string): number {
    const pairs = this.#pairsOf(clientId);
    for (const pair of pairs) pair.cut();
    this.#cut += pairs.length;
    return pairs.length;
  }

  silenceConnections(clientId?: string): number {
    const pairs = this.#pairsOf(clientId);
    for (const pair of pairs) pair.silence();
    this.#silenced += pairs.length;
    return pairs.length;
  }

  refuseConnections(count: number = Number.POSITIVE_INFINITY): void {
    if (count !== Number.POSITIVE_INFINITY) wholeNumber("count", count, 0);
    this.#targets.links.refuse(count);
  }

  shapeLinks(faults: LinkFaults): void {
    if (faults.delayMs !== undefined) wholeNumber("delayMs", faults.delayMs, 0);
    if (faults.chunkBytes !== undefined) wholeNumber("chunkBytes", faults.chunkBytes, 1);
    this.#targets.links.shape({ ...faults });
  }

  delayCommits(ms: number): void {
    wholeNumber("ms", ms, 0);
    this.#store().delay(ms);
  }

  holdCommits(): void {
    this.#store().delay(Number.POSITIVE_INFINITY);
  }

  releaseCommits(): void {
    this.#targets.store?.release();
  }

  failNextCommit(left: FailedCommit = "lost"): void {
    this.#store().fail(left);
  }

  heal(): void {
    const { links, store } = this.#targets;
    links.refuse(0);
    links.shape({});
    store?.fail(null);
    store?.release();
  }

  #store(): FaultyStore {
    const { store } = this.#targets;
    if (store !== null) return store;
    throw new MessagingError("ERR_UNSUPPORTED", "this broker commits nothing: start it with a store");
  }

  #pairsOf(clientId: string | undefined): MemoryPair[] {
    const { links, connections } = this.#targets;
    const ports =
      clientId === undefined
        ? links.ports
        : connections()
            .filter((each) => each.clientId === clientId)
            .map((each) => each.remotePort);
    return ports.map((port) => links.pair(port)).filter((pair) => pair !== undefined);
  }
}

function wholeNumber(name: string, value: number, from: number): void {
  if (Number.isInteger(value) && value >= from && value <= 0x7fff_ffff) return;
  throw new MessagingError("ERR_INVALID_ARGUMENT", `${name} must be a whole number from ${from} to 2,147,483,647`);
}
