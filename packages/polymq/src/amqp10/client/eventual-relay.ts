// Hot path: `send` runs per message. No closure, spread, iterator or regex on its usual way.
import { abortedError, onAbort, throwIfAborted } from "../../base/abort.ts";
import { Deque } from "../../base/deque.ts";
import { MessagingError } from "../../base/errors.ts";
import { noop } from "../../base/noop.ts";
import { type MessageInput, messageBytesMax } from "../codec/message.ts";
import type { ConnectionCore } from "./connection-core.ts";
import type { Outcome } from "./outcomes.ts";
import { queueServer } from "./queues/queue-options.ts";
import { AmqpRelay, withOwnBytes } from "./relay.ts";
import type { SendOptions } from "./send-options.ts";
import { sessionSettings } from "./session.ts";
import { untilConnected } from "./until-connected.ts";

/** What may wait until the relay is there; a sender has the same bounds. */
const WAITING_MESSAGES_MAX = 10_000;
const WAITING_BYTES_MAX = 67_108_864;

/** A message that waits for the relay. */
interface Waiting {
  readonly address: string;
  readonly message: MessageInput;
  readonly bytes: number;
  readonly options: SendOptions;
  readonly resolve: (sent: Promise<Outcome | null>) => void;
  readonly reject: (error: unknown) => void;
  readonly release: () => void;
}

/** One session with a relay for all of a connection, made when it is first needed, and anew when it is over. */
export class EventualRelay {
  readonly #core: ConnectionCore;
  #relay: AmqpRelay | null = null;
  #isMaking = false;
  /** In the order of the calls; empty whenever the relay is there. */
  readonly #line = new Deque<Waiting>();
  #lineBytes = 0;

  constructor(core: ConnectionCore) {
    this.#core = core;
  }

  /** As `AmqpRelay.send`; what comes before the relay is there waits for it, within bounds, in the order of the calls. */
  send(address: string, message: MessageInput, options: SendOptions): Promise<Outcome | null> {
    try {
      throwIfAborted(options.signal);
      return this.#relay === null ? this.#wait(address, message, options) : this.#relay.send(address, message, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `AmqpRelay.sendData`; null while the relay is not there. */
  sendData(address: string, data: Uint8Array, options: SendOptions): Promise<Outcome | null> | null {
    const relay = this.#relay;
    return relay === null ? null : relay.sendData(address, data, options);
  }

  /** Resolves once every message of `sendData` has its outcome. */
  idle(): Promise<void> {
    return this.#relay === null ? Promise.resolve() : this.#relay.idle();
  }

  /** Keeps a copy until the relay is there. @throws {MessagingError} ERR_OUTBOUND_BACKPRESSURE */
  #wait(address: string, given: MessageInput, options: SendOptions): Promise<Outcome | null> {
    if (this.#line.length >= WAITING_MESSAGES_MAX || this.#lineBytes >= WAITING_BYTES_MAX) {
      throw new MessagingError("ERR_OUTBOUND_BACKPRESSURE", `${this.#line.length} messages wait for the connection`);
    }
    const message = withOwnBytes(given) as MessageInput;
    const bytes = messageBytesMax(message);
    const waiting = new Promise<Outcome | null>((resolve, reject) => {
      const release = options.signal === undefined ? noop : onAbort(options.signal, () => this.#giveUp(entry));
      const entry: Waiting = { address, message, bytes, options, resolve, reject, release };
      this.#line.push(entry);
      this.#lineBytes += bytes;
    });
    if (!this.#isMaking) void this.#make();
    return waiting;
  }

  #giveUp(entry: Waiting): void {
    if (this.#line.remove((other) => other === entry) === undefined) return;
    this.#lineBytes -= entry.bytes;
    entry.reject(abortedError(entry.options.signal as AbortSignal));
  }

  async #make(): Promise<void> {
    this.#isMaking = true;
    try {
      const relay = await untilConnected(this.#core, () => this.#open());
      this.#relay = relay;
      void relay.over.then(() => {
        if (this.#relay === relay) this.#relay = null;
      });
      this.#empty((one) => one.resolve(relay.send(one.address, one.message, one.options)));
    } catch (error) {
      this.#empty((one) => one.reject(error));
    } finally {
      this.#isMaking = false;
    }
  }

  #empty(take: (entry: Waiting) => void): void {
    this.#lineBytes = 0;
    for (let entry = this.#line.shift(); entry !== undefined; entry = this.#line.shift()) {
      entry.release();
      take(entry);
    }
  }

  async #open(): Promise<AmqpRelay> {
    const session = await this.#core.createSession(() => sessionSettings({}), undefined);
    // FluxMQ has an anonymous terminus without saying so, gives 100 credits once, and takes more than those.
    const fluxmq = queueServer(this.#core.peer) === "fluxmq";
    const relay = new AmqpRelay(session, fluxmq ? { mode: "anonymous" } : {});
    try {
      await relay.open({ ownCredit: fluxmq });
    } catch (error) {
      void session.close();
      throw error;
    }
    void relay.over.then(() => session.close());
    return relay;
  }
}
