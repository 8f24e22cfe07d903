import { typed } from "../../../amqp10/codec/values.ts";
import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import { MessagingError } from "../../../base/errors.ts";
import type { ConsumeCall, QueueAdapter, Source } from "../../adapter.ts";
import { unsupported } from "../../delivery.ts";
import type { QueuePublishOptions } from "../../options.ts";
import { messageOf } from "./amqp10-options.ts";
import { DEFAULT_GROUP, type QueueHost } from "./amqp10-queues.ts";
import type { GroupWays } from "./amqp10-ways.ts";

/**
 * A queue with groups on ActiveMQ: an address whose messages go to each group, which keeps them. A group has what was published since its first member, or since a
 * publisher that named it in `groups`; what is published while there is none is gone.
 */
export class ActiveMqQueue implements QueueAdapter {
  readonly #host: QueueHost;
  readonly #ways: GroupWays;
  readonly #name: string;
  readonly #groups: readonly string[];
  #ready: Promise<unknown> | null = null;

  /** @param groups groups that are to have what is published from the first message on */
  constructor(host: QueueHost, ways: GroupWays, name: string, groups: readonly string[]) {
    this.#host = host;
    this.#ways = ways;
    this.#name = name;
    this.#groups = groups;
  }

  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    return this.#host.underWay.counted(this.#publish(payload, options));
  }

  async #publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown> {
    if ((options?.routingKey ?? "") !== "") throw unsupported("routing keys within a queue");
    const delayMs = options?.deliverAfterMs ?? 0;
    if (!Number.isSafeInteger(delayMs) || delayMs < 0) {
      throw new MessagingError("ERR_INVALID_ARGUMENT", "deliverAfterMs must be a whole number of ms, 0 or more");
    }
    if (delayMs > 0 && !this.#ways.delays) throw unsupported("messages that are delivered later");
    const delay = delayMs === 0 ? {} : { messageAnnotations: { "x-opt-delivery-delay": typed("long", delayMs) } };
    const message = { ...messageOf(payload, options), ...delay };
    const target = this.#ways.target(this.#name);
    throwIfAborted(options?.signal);
    await raceAbort(this.#ensure(), options?.signal);
    return await this.#host.publisher.send(target, message, { settled: false, signal: options?.signal });
  }

  async consume(call: ConsumeCall): Promise<Source> {
    if (call.filter !== "") throw unsupported("filters within a queue");
    const group = call.group === "" ? DEFAULT_GROUP : call.group;
    return await this.#host.receive(this.#ways.source(this.#name, group), { ...call, qos: 1 }, this.#name);
  }

  #ensure(): Promise<unknown> {
    this.#ready ??= Promise.all(this.#groups.map((group) => this.#make(group)));
    this.#ready.catch(() => {
      this.#ready = null;
    });
    return this.#ready;
  }

  /** A member that asks for nothing and leaves: the group is there from now on. */
  async #make(group: string): Promise<void> {
    const call = { prefetch: "none" } as const;
    const member = await this.#host.attach(this.#ways.source(this.#name, group), call);
    await member.detach();
    await member.session.close();
  }
}
