import { type AmqpConnection, type AmqpQueueMessage, type AmqpSender, isMessagingError } from "polymq/amqp10";
import { untilDone } from "../run/actor-client.ts";
import type { Actor, Stage } from "../run/workload.ts";
import { passed } from "../world/world.ts";
import { openAmqp10 } from "./amqp10-connection.ts";
import { idOf } from "./queue-watch.ts";
import type { StreamLedger } from "./stream-ledger.ts";
import { StreamSight } from "./stream-sight.ts";

/**
 * A reader of a stream over AMQP 1.0. In a manual group it commits what it has worked on, over a link of its own; where the group commits what is settled it acknowledges
 * each message, gives it back, or dies with it.
 */
export class Amqp10StreamReader implements Actor {
  readonly name: string;
  readonly #stage: Stage;
  readonly #ledger: StreamLedger;
  #connection: AmqpConnection | null = null;
  #commits: AmqpSender | null = null;
  #isPeace = false;

  constructor(name: string, stage: Stage, ledger: StreamLedger) {
    this.name = name;
    this.#stage = stage;
    this.#ledger = ledger;
  }

  /** Joins its group, however long that takes. */
  async start(): Promise<void> {
    const connection = await untilDone(this.#stage, `${this.name} connects`, () => openAmqp10(this.name, this.#stage));
    this.#connection = connection;
    if (this.#ledger.commit === "manual") {
      const make = (): Promise<AmqpSender> => this.#committer(connection);
      this.#commits = await untilDone(this.#stage, `${this.name} can commit`, make);
    }
    await untilDone(this.#stage, `${this.name} subscribes`, () => this.#subscribe(connection));
    this.#stage.world.trace.note(this.name, `reads ${this.#ledger.name}`);
  }

  /** Nobody dies any more, and nothing is given back. */
  heal(): void {
    this.#isPeace = true;
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  async #committer(connection: AmqpConnection): Promise<AmqpSender> {
    const session = await connection.createSession();
    try {
      return await session.createSender(`$queue/${this.#ledger.queue}/$commit`);
    } catch (error) {
      void session.close();
      throw error;
    }
  }

  async #subscribe(connection: AmqpConnection): Promise<void> {
    const { chance } = this.#stage.world;
    const sight = new StreamSight();
    connection.on("connectionLost", () => sight.connectionLost());
    const { queue, group, commit } = this.#ledger;
    await connection.subscribeToQueue(queue, group, {
      ack: "manual",
      autoCommit: commit !== "manual",
      prefetch: chance.pick([1, 4, 100]),
      handler: async (message) => {
        this.#look(message, sight);
        if (chance.happens(0.5)) await passed(this.#stage.world, chance.integer(0, 300));
        if (this.#connection === connection) await this.#work(message);
      },
    });
  }

  #look(message: AmqpQueueMessage, sight: StreamSight): void {
    const { world } = this.#stage;
    const { offset, streamOffset, groupId, deliveryCount } = message;
    const { name, group, commit } = this.#ledger;
    const id = idOf(message.payload);
    world.trace.note(this.name, `has ${id} at ${offset} of ${name}`);
    const wrong = (what: string): void => void world.violations.push(`${this.name} in ${name}: ${what}`);
    if (groupId !== group) wrong(`a message of ${groupId}`);
    if (streamOffset !== offset) wrong(`stream offset ${streamOffset} at ${offset}`);
    if (this.#ledger.idAt(offset) !== id) wrong(`${id} at ${offset}, where ${this.#ledger.idAt(offset)} is`);
    // What members gave back comes between.
    if (commit === "settled" && deliveryCount > 0) return;
    const order = sight.fresh(offset, commit === "manual" ? "next" : "later");
    if (order !== null) wrong(order);
  }

  async #work(message: AmqpQueueMessage): Promise<void> {
    const { chance } = this.#stage.world;
    const { offset } = message;
    if (this.#ledger.commit === "manual") {
      await this.#tracked(`acknowledgement of ${offset}`, message.ack());
      if (chance.happens(0.3)) await this.#commit(this.#ledger.commitFor(offset));
      return;
    }
    const isTrouble = !this.#isPeace;
    if (isTrouble && chance.happens(0.03)) return void this.#die();
    if (!isTrouble || !chance.happens(0.1)) {
      this.#ledger.ackSaid(offset);
      return await this.#tracked(`acknowledgement of ${offset}`, message.ack());
    }
    const delayMs = chance.pick([0, 0, 200]);
    await this.#tracked(`return of ${offset}`, message.nack({ delayMs }));
  }

  /** What the broker says is committed is so for good: a group never goes back behind it. */
  async #commit(offset: number): Promise<void> {
    const { group } = this.#ledger;
    const applicationProperties = { "x-group-id": group, "x-offset": `${offset}` };
    const message = { applicationProperties, body: { type: "data", data: new Uint8Array(0) } } as const;
    const sending = this.#commits?.send(message) ?? Promise.reject(new Error("there is no link to commit over"));
    await this.#tracked(
      `commit of ${offset}`,
      sending.then(() => this.#ledger.promised(offset)),
    );
  }

  async #tracked(what: string, done: Promise<void>): Promise<void> {
    const { world } = this.#stage;
    try {
      await world.promises.track(`${this.name}: ${what}`, done);
    } catch (error) {
      world.trace.note(this.name, `${what} failed: ${String(error)}`);
      if (!isMessagingError(error)) world.violations.push(`${this.name}: ${what}: an untyped error: ${String(error)}`);
    }
  }

  /** The process dies with all it has in hand, and another one comes for it. */
  async #die(): Promise<void> {
    const { world } = this.#stage;
    world.trace.note(this.name, "dies");
    this.#connection?.destroy();
    this.#connection = null;
    await passed(world, world.chance.integer(0, 500));
    await this.start();
  }
}
