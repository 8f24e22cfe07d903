import { lastingClient, untilDone } from "../run/actor-client.ts";
import type { Stage, Workload } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import { SimClient } from "../world/sim-client.ts";
import { passed } from "../world/world.ts";

const TOPICS = ["r/a", "r/b", "r/c"];
/** Time in which a new subscriber gets all that is retained. */
const LISTEN_MS = 30_000;

/** A text that was published to be retained; "" clears its topic. */
interface Value {
  readonly text: string;
  isConfirmed: boolean;
}

/** One publisher retains rising values and clears them; in the end a newcomer gets the last confirmed one of each topic, or a later one. */
export class RetainedWorkload implements Workload {
  readonly name = "retained";
  readonly #stage: Stage;
  readonly #clients: SimClient[] = [];
  /** By topic, in the order of publishing; at first nothing is retained. */
  readonly #values = new Map<string, Value[]>(TOPICS.map((topic) => [topic, [{ text: "", isConfirmed: true }]]));
  #state: "working" | "done" = "working";

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  start(): void {
    void this.#publish();
  }

  heal(): void {}

  outstanding(): string[] {
    return this.#state === "working" ? ["the publisher of retained messages is at work"] : [];
  }

  clients(): readonly SimClient[] {
    return this.#clients;
  }

  async check(): Promise<string[]> {
    const found = await this.#listen();
    return TOPICS.flatMap((topic) => {
      const values = this.#values.get(topic) ?? [];
      const possible = values.slice(values.findLastIndex((value) => value.isConfirmed)).map(({ text }) => text);
      const text = found.get(topic) ?? "";
      return possible.includes(text) ? [] : [`${topic} retains "${text}", which "${possible[0]}" has replaced`];
    });
  }

  async #publish(): Promise<void> {
    const { world, profile } = this.#stage;
    const { chance } = world;
    const client = lastingClient("retainer", this.#stage);
    this.#clients.push(client);
    await untilDone(this.#stage, "retainer connects", () => client.connect());
    // One for all: a repetition at QoS 1 may come after a later message of QoS 2 that was taken the first time.
    const qos = chance.pick([1, 2] as const);
    const count = scaled(profile, chance.integer(3, 30));
    for (let i = 0; i < count; i++) {
      await passed(world, chance.integer(0, Math.ceil((profile.runMs * 2) / count)));
      this.#retain(client, qos, { topic: chance.pick(TOPICS), text: chance.happens(0.2) ? "" : `value ${i}` });
    }
    this.#state = "done";
  }

  #retain(client: SimClient, qos: 1 | 2, { topic, text }: { readonly topic: string; readonly text: string }): void {
    const { world } = this.#stage;
    const value: Value = { text, isConfirmed: false };
    this.#values.get(topic)?.push(value);
    world.promises.track(`retaining ${text}`, client.publish(topic, text, { qos, retain: true })).then(
      () => {
        value.isConfirmed = true;
      },
      () => undefined,
    );
  }

  async #listen(): Promise<Map<string, string>> {
    const { world, network } = this.#stage;
    const found = new Map<string, string>();
    const newcomer = new SimClient("newcomer", { protocolVersion: 5 }, { world, network });
    this.#clients.push(newcomer);
    await untilDone(this.#stage, "newcomer connects", () => newcomer.connect());
    const handler = (message: { readonly topic: string; text(): string }): void => {
      found.set(message.topic, message.text());
    };
    await untilDone(this.#stage, "newcomer subscribes", () => newcomer.subscribe("r/#", { qos: 2, handler }));
    await passed(world, LISTEN_MS);
    return found;
  }
}
