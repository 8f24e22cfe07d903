import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import { MessagingError } from "../../../base/errors.ts";
import type { LinkQuirks } from "../client-link.ts";
import type { ConnectionCore } from "../connection-core.ts";
import { AmqpReceiver } from "../receiver.ts";
import { sessionSettings } from "../session.ts";
import {
  type AmqpQueueSubscribeOptions,
  attachProperties,
  type CheckedQueue,
  checkQueue,
  checkServer,
  type QueueServer,
  queueServer,
} from "./queue-options.ts";
import { AmqpQueueSubscription, type QueueHost } from "./queue-subscription.ts";

/** Messages that FluxMQ may have on their way: it drops what credit or window do not allow, until the visibility timeout. */
const FLUXMQ_CREDIT = 65_535;
const FLUXMQ_WINDOW = 1_000_000;

/** Subscriptions of a connection to queues: a session for each. */
export class Queues implements QueueHost {
  readonly #core: ConnectionCore;
  readonly #subscriptions = new Set<AmqpQueueSubscription>();

  constructor(core: ConnectionCore) {
    this.#core = core;
  }

  get server(): QueueServer {
    return queueServer(this.#core.peer);
  }

  /** See `AmqpConnection.subscribeToQueue`. */
  async subscribe(queue: string, group: string, options: AmqpQueueSubscribeOptions): Promise<AmqpQueueSubscription> {
    throwIfAborted(options.signal);
    const call = checkQueue(queue, group, options);
    checkServer(call, this.server);
    this.#checkAgainstOthers(call);
    const subscription = new AmqpQueueSubscription(call, this);
    this.#subscriptions.add(subscription);
    try {
      await raceAbort(subscription.open(), options.signal);
    } catch (error) {
      this.#subscriptions.delete(subscription);
      // One that is opened all the same is of no use to anybody.
      void subscription.unsubscribe();
      throw error;
    }
    return subscription;
  }

  /** See `AmqpConnection.unsubscribeFromQueue`. */
  async unsubscribe(queue: string, group: string | undefined, filter: string | undefined): Promise<void> {
    const { address } = checkQueue(queue, "", filter === undefined ? {} : { filter });
    const chosen = [...this.#subscriptions].filter(
      ({ call }) =>
        call.address.queue === address.queue &&
        (group === undefined || call.group === group) &&
        (address.rest === "" || call.address.rest === address.rest),
    );
    await Promise.all(chosen.map((subscription) => subscription.unsubscribe()));
  }

  async attach(call: CheckedQueue, when: "first" | "again"): Promise<AmqpReceiver> {
    const { server } = this;
    const fluxmq = server === "fluxmq";
    const session = await this.#core.createSession(
      () => sessionSettings(fluxmq ? { incomingWindow: FLUXMQ_WINDOW } : {}),
      undefined,
    );
    // FluxMQ compares the address itself with that of each delivery: only with a wildcard does it take those with routing keys.
    const address = fluxmq && call.address.rest === "" ? `${call.address.address}/#` : call.address.address;
    const options = {
      credit: fluxmq ? FLUXMQ_CREDIT : call.prefetch,
      properties: attachProperties(call, server, when),
    };
    const quirks: LinkQuirks = { propertiesAgain: attachProperties(call, server, "again"), lenient: fluxmq };
    try {
      return await session.open(undefined, () => new AmqpReceiver(session, address, options, quirks));
    } catch (error) {
      void session.close();
      throw error;
    }
  }

  handlerFailed({ queue, group }: AmqpQueueSubscription, error: unknown): void {
    this.#core.events.emit({ type: "handlerError", error, queue, group });
  }

  unsettled(error: unknown): void {
    this.#core.warn("a message of a queue could not be settled and will be delivered again", error);
  }

  ended(subscription: AmqpQueueSubscription): void {
    this.#subscriptions.delete(subscription);
  }

  /** FluxMQ delivers what two subscriptions of one connection match to both of them. */
  #checkAgainstOthers({ address, group }: CheckedQueue): void {
    for (const { call } of this.#subscriptions) {
      if (call.address.queue !== address.queue) continue;
      if (this.server === "fluxmq") {
        throw new MessagingError(
          "ERR_UNSUPPORTED",
          `this server takes one subscription to ${address.queue} for each connection: make another connection`,
        );
      }
      if (call.address.address !== address.address || call.group !== group) continue;
      throw new MessagingError(
        "ERR_INVALID_SUBSCRIBE_OPTION",
        `${address.address} is subscribed to for this group already`,
      );
    }
  }
}
