// Hot path: deliveries and settlements pass through here. No closure, promise, spread, iterator or regex in `deliver`, `take` and `settle`.
import { isMessagingError } from "polymq/internal";
import type { GroupSubscription } from "../queues/group-subscription.ts";
import { Member } from "../queues/members.ts";
import { checkGroupName } from "../queues/queue-address.ts";
import type { QueueDirectory } from "../queues/queue-directory.ts";
import type {
  CancelReason,
  GroupMode,
  QueueConsumer,
  QueueDelivery,
  QueueSubscribeRequest,
  SettleOutcome,
  SettleResult,
} from "../queues/queue-port.ts";
import { WorkGroup } from "../queues/work-group.ts";
import { type HostedQueue, messagesWaiting } from "./hosted-queue.ts";
import {
  type ConsumeRequest,
  type ConsumeResult,
  type GetterResult,
  type HostedSubscription,
  type QueueGetter,
  type QueueOwner,
  SHARED_GROUP,
} from "./topology-port.ts";

/** Makes consumers of queues that were found and are not locked. */
export class HostedConsumers {
  readonly #directory: QueueDirectory;
  /** For the names of streams' own groups. */
  #count = 0;

  constructor(directory: QueueDirectory) {
    this.#directory = directory;
  }

  consume(hosted: HostedQueue, request: ConsumeRequest, owner: QueueOwner): ConsumeResult {
    const { queue } = hosted;
    const isAlone = request.access === "alone";
    if (hosted.alone !== null || (isAlone && queue.consumerCount > 0)) return { is: "alone" };
    const automatic = request.acknowledge === "automatic" ? new AutomaticConsumer(request.consumer) : null;
    const consumer = automatic ?? request.consumer;
    try {
      if (request.group !== undefined && request.group !== SHARED_GROUP) checkGroupName(request.group);
      if (request.besideShared === true) this.#directory.findOrCreateGroup(queue, SHARED);
      const joined = this.#directory.join(queue, { ...this.#groupFor(hosted, request, owner), consumer });
      const subscription = new HostedMember(joined, hosted, isAlone);
      automatic?.start(subscription);
      return { is: "consuming", subscription };
    } catch (error) {
      return consumeFault(error, this.#directory.limits);
    }
  }

  getter(hosted: HostedQueue, owner: QueueOwner): GetterResult {
    if (hosted.queue.settings.kind === "stream") return { is: "wrong-kind" };
    return { is: "getter", getter: new SharedGetter(this.#directory, hosted, owner.id) };
  }

  #groupFor(hosted: HostedQueue, request: ConsumeRequest, owner: QueueOwner): Omit<QueueSubscribeRequest, "consumer"> {
    const {
      access: _access,
      acknowledge: _acknowledge,
      consumer: _consumer,
      besideShared: _beside,
      ...asked
    } = request;
    if (request.group !== undefined) return { ...asked, group: request.group };
    if (hosted.queue.settings.kind === "classic") return { ...asked, group: SHARED_GROUP };
    const group = `${owner.id}#${++this.#count}`;
    return { lifetime: "members", from: { at: "next" }, ...asked, group };
  }
}

function consumeFault(error: unknown, limits: QueueDirectory["limits"]): ConsumeResult {
  if (!isMessagingError(error)) throw error;
  switch (error.code) {
    case "ERR_QUEUE_MODE_MISMATCH":
      return { is: "mode-mismatch" };
    case "ERR_QUEUE_LIMIT":
      return { is: "limit", what: "consumers or groups", countMax: limits.membersPerGroupMax };
    case "ERR_INVALID_TOPIC":
      return { is: "invalid", field: "filter", why: error.message };
    case "ERR_INVALID_ARGUMENT":
      return { is: "invalid", field: "group", why: error.message };
    default:
      throw error;
  }
}

/** A consumer's membership, with what it has of the queue besides. */
class HostedMember implements HostedSubscription {
  readonly #joined: GroupSubscription;
  readonly #hosted: HostedQueue;

  constructor(joined: GroupSubscription, hosted: HostedQueue, isAlone: boolean) {
    this.#joined = joined;
    this.#hosted = hosted;
    if (isAlone) hosted.alone = this;
  }

  get queue(): string {
    return this.#joined.queue;
  }

  get groupId(): string {
    return this.#joined.groupId;
  }

  get mode(): GroupMode {
    return this.#joined.mode;
  }

  wake(): void {
    this.#joined.wake();
  }

  settle(offset: number, outcome: SettleOutcome, ticket?: number): SettleResult {
    return this.#joined.settle(offset, outcome, ticket);
  }

  recover(): void {
    this.#joined.recover();
  }

  holds(offset: number): boolean {
    return this.#joined.holds(offset);
  }

  close(): void {
    if (this.#hosted.alone === this) this.#hosted.alone = null;
    this.#joined.close();
  }
}

/** Acknowledges what it has handed on. */
class AutomaticConsumer implements QueueConsumer {
  readonly #consumer: QueueConsumer;
  #subscription: HostedSubscription | null = null;

  constructor(consumer: QueueConsumer) {
    this.#consumer = consumer;
  }

  get id(): string {
    return this.#consumer.id;
  }

  get credit(): number {
    return this.#consumer.credit;
  }

  /** Set once, before the first delivery. */
  start(subscription: HostedSubscription): void {
    this.#subscription = subscription;
  }

  deliver(delivery: QueueDelivery): void {
    this.#consumer.deliver(delivery);
    this.#subscription?.settle(delivery.offset, ACK);
  }

  onCancelled(reason: CancelReason): void {
    this.#consumer.onCancelled(reason);
  }
}

/** Holds the one message that it was just given. */
class OneDelivery implements QueueConsumer {
  readonly id: string;
  readonly credit = 0;
  delivery: QueueDelivery | null = null;

  constructor(id: string) {
    this.id = id;
  }

  deliver(delivery: QueueDelivery): void {
    this.delivery = delivery;
  }

  onCancelled(): void {
    // Whoever holds it learns when it settles.
  }
}

/** Takes messages out of the shared group without being a consumer of it. */
class SharedGetter implements QueueGetter {
  readonly #directory: QueueDirectory;
  readonly #hosted: HostedQueue;
  readonly #taken: OneDelivery;
  readonly #member: Member;
  /** The group that it takes from; made with the first message that is asked for. */
  #group: WorkGroup | null = null;

  constructor(directory: QueueDirectory, hosted: HostedQueue, id: string) {
    this.#directory = directory;
    this.#hosted = hosted;
    this.#taken = new OneDelivery(id);
    this.#member = new Member(this.#taken);
  }

  get messages(): number {
    return messagesWaiting(this.#hosted.queue);
  }

  take(acknowledge: "explicit" | "automatic"): QueueDelivery | null {
    const group = this.#sharedGroup();
    if (group === null || this.#member.isGone || !group.deliverTo(this.#member)) return null;
    const { delivery } = this.#taken;
    this.#taken.delivery = null;
    if (delivery !== null && acknowledge === "automatic") group.settle(delivery.offset, ACK);
    return delivery;
  }

  settle(offset: number, outcome: SettleOutcome): SettleResult {
    const group = this.#group;
    // As of a consumer: what is with somebody else by now cannot be given back.
    if (group === null || (outcome.is === "nack" && !group.holds(this.#member, offset))) return "not-pending";
    return group.settle(offset, outcome);
  }

  recover(): void {
    this.#group?.giveBack(this.#member);
  }

  close(): void {
    if (this.#member.isGone) return;
    this.#member.isGone = true;
    this.#group?.leave(this.#member);
  }

  #sharedGroup(): WorkGroup | null {
    const { queue } = this.#hosted;
    if (this.#directory.get(queue.name) !== queue) return null;
    this.#directory.used(queue);
    try {
      const group = this.#directory.findOrCreateGroup(queue, SHARED);
      this.#group = group instanceof WorkGroup ? group : null;
    } catch (error) {
      if (!isMessagingError(error)) throw error;
      this.#group = null; // the queue has as many groups as it may have: there is nothing for this one
    }
    return this.#group;
  }
}

const SHARED = { name: SHARED_GROUP, filter: "", mode: "work", commit: "auto", lifetime: "lasting" } as const;

const ACK: SettleOutcome = Object.freeze({ is: "ack" });
