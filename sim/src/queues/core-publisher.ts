import type { Stage } from "../run/workload.ts";
import type { Queued, QueueLedger } from "./queue-ledger.ts";
import { orStoreFailed } from "./store-failure.ts";

/** Publishes into the queue core from inside the broker's process, as a session does: confirmed when the commit is durable. */
export class CorePublisher {
  readonly #stage: Stage;
  readonly #ledger: QueueLedger;
  #count = 0;

  constructor(stage: Stage, ledger: QueueLedger) {
    this.#stage = stage;
    this.#ledger = ledger;
  }

  /** Queues a message, or does nothing while there is no broker. */
  publish(queue: string, key: string, priorityMax = 0): void {
    const { world, host } = this.#stage;
    const hub = host.broker?.hub;
    if (hub === undefined) return;
    const { chance } = world;
    const number = this.#count++;
    // Some are delayed, and overtaken.
    const facts = { queue, key, guarantee: "exactly", from: null, number } as const;
    const queued = this.#ledger.publish({ id: `${queue}-${number}`, ...facts });
    const payload = new TextEncoder().encode(`${queued.id}|${"x".repeat(chance.pick([0, 10, 400]))}`);
    const topic = `$queue/${queue}${key === "" ? "" : `/${key}`}`;
    const deliverAfterMs = chance.happens(0.1) ? chance.integer(1, 3_000) : 0;
    const priority = chance.integer(0, priorityMax);
    const message = hub.makeMessage({ topic, payload, guarantee: 1 });
    const refusal = orStoreFailed(() => hub.queues.publish(message, { deliverAfterMs, priority }));
    if (refusal === "store failed") {
      queued.state = "unknown";
      return;
    }
    if (refusal !== null) {
      world.violations.push(`${queued.id} was refused: ${refusal.message}`);
      queued.state = "refused";
      return;
    }
    world.trace.note("publisher", `queues ${queued.id} under "${key}"`);
    hub.committer.whenDurable({ onDurable: () => this.#confirm(queued), onCommitFailed: () => undefined }, 0);
  }

  #confirm(queued: Queued): void {
    queued.state = "confirmed";
    this.#stage.world.trace.note("publisher", `${queued.id} is confirmed`);
  }
}
