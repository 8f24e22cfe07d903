import { isMessagingError } from "polymq/mqtt";
import { lastingClient, untilDone } from "../run/actor-client.ts";
import type { Stage } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import type { SimClient } from "../world/sim-client.ts";
import { passed } from "../world/world.ts";
import type { QueueLedger } from "./queue-ledger.ts";
import { capturedTopic, type QueuePlan } from "./queue-plan.ts";

/** A client that publishes to queues: at QoS 2 once into the queue, at QoS 1 once or more. */
export class MqttProducer {
  readonly client: SimClient;
  readonly #stage: Stage;
  readonly #ledger: QueueLedger;
  #count = 0;

  constructor(name: string, stage: Stage, ledger: QueueLedger) {
    this.#stage = stage;
    this.#ledger = ledger;
    this.client = lastingClient(name, stage);
  }

  /** Connects, and publishes now and then; resolves after the last call, whatever becomes of it. */
  async run(plans: readonly QueuePlan[], ready: Promise<unknown>): Promise<void> {
    const { world, profile } = this.#stage;
    const { chance } = world;
    await untilDone(this.#stage, `${this.client.name} connects`, () => this.client.connect());
    await ready;
    const bursts = scaled(profile, chance.integer(2, 10));
    for (let burst = 0; burst < bursts; burst++) {
      await passed(world, chance.integer(0, Math.ceil((2 * profile.runMs) / bursts)));
      for (let i = scaled(profile, chance.integer(1, 8)); i > 0; i--) this.#publish(chance.pick(plans));
    }
  }

  #publish(plan: QueuePlan): void {
    const { world } = this.#stage;
    const { chance } = world;
    const isCaptured = chance.happens(0.2);
    const key = isCaptured ? "" : chance.pick(plan.keys);
    const qos = chance.pick([1, 2, 2] as const);
    const id = `${this.client.name}-${this.#count++}`;
    const guarantee = qos === 2 ? "exactly" : "at least";
    const queued = this.#ledger.publish({ id, queue: plan.name, key, guarantee });
    world.trace.note(this.client.name, `queues ${id} in ${plan.name} under "${key}" at QoS ${qos}`);
    const payload = `${id}|${"x".repeat(chance.pick([0, 10, 400]))}`;
    const done = isCaptured
      ? this.client.publish(capturedTopic(plan.name), payload, { qos })
      : this.client.publishToQueue(plan.name, payload, { qos, ...(key === "" ? {} : { routingKey: key }) });
    world.promises.track(`publish of ${id}`, done).then(
      () => {
        queued.state = "confirmed";
        world.trace.note(this.client.name, `${id} is confirmed`);
      },
      (error: unknown) => {
        queued.state = "unknown";
        world.trace.note(this.client.name, `${id} failed: ${String(error)}`);
        if (!isMessagingError(error)) world.violations.push(`publish of ${id}: an untyped error`);
      },
    );
  }
}
