import { isMessagingError, type MqttMessage } from "polymq/mqtt";
import { lastingClient, untilDone } from "../run/actor-client.ts";
import type { Stage, Workload } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import type { SimClient } from "../world/sim-client.ts";
import { passed } from "../world/world.ts";
import { type Audience, TopicLedger } from "./topic-ledger.ts";

const FILTERS = ["t/#", "t/+/0", "t/pub0/#", "t/+/+"];

/** Publishers and subscribers with sessions that last, on plain topics at every QoS; one group shares its messages. */
export class TopicWorkload implements Workload {
  readonly name = "topics";
  readonly #stage: Stage;
  readonly #ledger = new TopicLedger();
  readonly #clients: SimClient[] = [];
  #publishersLeft = 0;
  #handlersFail: "sometimes" | "never" = "sometimes";

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  start(): void {
    const { chance } = this.#stage.world;
    const publishers = scaled(this.#stage.profile, chance.integer(1, 3));
    this.#publishersLeft = publishers;
    for (let i = 0; i < publishers; i++) void this.#publisher(`pub${i}`);
    for (let i = scaled(this.#stage.profile, chance.integer(1, 3)); i > 0; i--) this.#subscriber(`sub${i}`);
    if (chance.happens(0.5)) this.#group(chance.integer(1, 3));
  }

  heal(): void {
    this.#handlersFail = "never";
  }

  outstanding(): string[] {
    const left = this.#publishersLeft > 0 ? [`${this.#publishersLeft} publishers are at work`] : [];
    return [...left, ...this.#ledger.outstanding()];
  }

  check(): Promise<string[]> {
    return Promise.resolve(this.#ledger.check());
  }

  clients(): readonly SimClient[] {
    return this.#clients;
  }

  async #publisher(name: string): Promise<void> {
    const { world, profile } = this.#stage;
    const { chance } = world;
    const client = this.#client(name);
    await untilDone(this.#stage, `${name} connects`, () => client.connect());
    const bursts = scaled(profile, chance.integer(2, 12));
    for (let burst = 0; burst < bursts; burst++) {
      await passed(world, chance.integer(0, Math.ceil(profile.runMs / bursts)));
      for (let i = scaled(profile, chance.integer(1, 8)); i > 0; i--)
        this.#publish(client, `t/${name}/${chance.integer(0, 1)}`);
    }
    this.#publishersLeft--;
  }

  #publish(client: SimClient, topic: string): void {
    const { world } = this.#stage;
    const qos = world.chance.pick([0, 1, 1, 2, 2] as const);
    const sent = this.#ledger.publish(client.name, topic, qos);
    world.trace.note(client.name, `publishes ${sent.id} at QoS ${qos}`);
    const size = world.chance.pick([0, 10, 500]);
    const done = client.publish(topic, `${sent.id}|${"x".repeat(size)}`, { qos });
    world.promises.track(`publish of ${sent.id}`, done).then(
      () => {
        sent.state = "confirmed";
        world.trace.note(client.name, `${sent.id} is confirmed`);
      },
      (error: unknown) => {
        sent.state = "failed";
        if (!isMessagingError(error)) world.violations.push(`publish of ${sent.id}: an untyped error`);
      },
    );
  }

  #subscriber(name: string): void {
    const { chance } = this.#stage.world;
    const audience = this.#ledger.audience({
      name,
      filter: chance.pick(FILTERS),
      qos: chance.pick([1, 2] as const),
      kind: "client",
    });
    void this.#subscribe(name, audience.filter, audience).then(() => this.#ledger.subscribed(audience));
  }

  #group(members: number): void {
    const filter = this.#stage.world.chance.pick(FILTERS);
    const audience = this.#ledger.audience({ name: "group", filter, qos: 2, kind: "group" });
    const all = Array.from({ length: members }, (_, i) =>
      this.#subscribe(`member${i}`, `$share/g/${filter}`, audience),
    );
    void Promise.all(all).then(() => this.#ledger.subscribed(audience));
  }

  async #subscribe(name: string, filter: string, audience: Audience): Promise<void> {
    const client = this.#client(name);
    await untilDone(this.#stage, `${name} connects`, () => client.connect());
    const handler = (message: MqttMessage): Promise<void> => this.#handle(message, audience);
    await untilDone(this.#stage, `${name} subscribes`, () => client.subscribe(filter, { qos: audience.qos, handler }));
    const { world } = this.#stage;
    world.trace.note(name, `has subscribed to ${filter}`);
    client.on("connect", ({ sessionPresent }) => {
      if (!sessionPresent) world.violations.push(`${name} has subscribed, and its session is gone`);
    });
  }

  async #handle(message: MqttMessage, audience: Audience): Promise<void> {
    const { world } = this.#stage;
    const { chance } = world;
    const id = message.text().split("|")[0] ?? "";
    this.#ledger.arrived(audience, id, message.topic);
    if (chance.happens(0.3)) await passed(world, chance.integer(1, 300));
    if (this.#handlersFail === "sometimes" && chance.happens(0.03)) throw new Error("this handler fails");
    this.#ledger.handled(audience, id);
  }

  #client(name: string): SimClient {
    const client = lastingClient(name, this.#stage);
    this.#clients.push(client);
    return client;
  }
}
