import { onAbort, raceAbort } from "../../../base/abort.ts";
import { MessagingError } from "../../../base/errors.ts";
import type { LinkQuirks } from "../client-link.ts";
import type { ConnectionCore } from "../connection-core.ts";
import { AmqpReceiver } from "../receiver.ts";
import { AmqpRelay } from "../relay.ts";
import { sessionSettings } from "../session.ts";
import {
  type AmqpQueuePublishOptions,
  type AmqpQueueSubscribeOptions,
  attachProperties,
  type CheckedQueue,
  checkPublish,
  checkQueue,
  checkServer,
  type QueueServer,
  queueServer,
} from "./queue-options.ts";
import { AmqpQueueSubscription, type QueueHost } from "./queue-subscription.ts";

/** Messages that FluxMQ may have on their way: it drops what credit or window do not allow, until the visibility timeout. */
const FLUXMQ_CREDIT = 65_535;
const FLUXMQ_WINDOW = 1_000_000;

/** The queue side of a connection: one session for all that is published, and one for each subscription. */
export class Queues implements QueueHost {
  readonly #core: ConnectionCore;
  readonly #subscriptions = new Set<AmqpQueueSubscription>();
  #relay: Promise<AmqpRelay> | null = null;

  constructor(core: ConnectionCore) {
    this.#core = core;
  }

  get server(): QueueServer {
    return queueServer(this.#core.peer);
  }

  /** See `AmqpConnection.publishToQueue`. */
  async publish(queue: string, payload: string | Uint8Array, options: AmqpQueuePublishOptions): Promise<void> {
    const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    if (!(data instanceof Uint8Array)) throw new MessagingError("ERR_INVALID_MESSAGE", "a payload is text or bytes");
    const { address, message, ackTimeoutMs } = checkPublish(queue, data, options);
    const { signal } = options;
    const relay = await this.#publisher();
    const receipt = await relay.sendWithReceipt(address, message, signal === undefined ? {} : { signal });
    if (ackTimeoutMs === 0) return void (await receipt.wait(signal === undefined ? {} : { signal }));
    const late = new AbortController();
    const timer = this.#core.clock.setTimer(ackTimeoutMs, () => late.abort());
    const release = onAbort(signal, () => late.abort());
    try {
      await raceAbort(receipt.wait(signal === undefined ? {} : { signal }), late.signal);
    } catch (error) {
      if (!late.signal.aborted || signal?.aborted) throw error;
      throw new MessagingError("ERR_TIMEOUT", `no outcome within ${ackTimeoutMs} ms: the queue may have the message`);
    } finally {
      timer.cancel();
      release();
    }
  }

  /** See `AmqpConnection.subscribeToQueue`. */
  async subscribe(queue: string, group: string, options: AmqpQueueSubscribeOptions): Promise<AmqpQueueSubscription> {
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

  /** The relay that publishes; made anew when its session is over. */
  #publisher(): Promise<AmqpRelay> {
    this.#relay ??= this.#makeRelay();
    return this.#relay;
  }

  async #makeRelay(): Promise<AmqpRelay> {
    try {
      const session = await this.#core.createSession(() => sessionSettings({}), undefined);
      void session.closed.then(() => {
        this.#relay = null;
      });
      // FluxMQ has an anonymous terminus without saying so, gives 100 credits once, and takes more than those.
      const fluxmq = this.server === "fluxmq";
      const relay = new AmqpRelay(session, fluxmq ? { mode: "anonymous" } : {});
      return await relay.open({ ownCredit: fluxmq });
    } catch (error) {
      this.#relay = null;
      throw error;
    }
  }
}
