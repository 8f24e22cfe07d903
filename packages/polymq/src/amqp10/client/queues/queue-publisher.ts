import { raceAbort, throwIfAborted } from "../../../base/abort.ts";
import { MessagingError } from "../../../base/errors.ts";
import { copyOf } from "../../../bytes/copy.ts";
import type { ConnectionCore } from "../connection-core.ts";
import { AmqpRelay } from "../relay.ts";
import type { SendReceipt } from "../send-receipt.ts";
import { sessionSettings } from "../session.ts";
import { untilConnected } from "../until-connected.ts";
import { type AmqpQueuePublishOptions, checkPublish, queueServer } from "./queue-options.ts";

/** What may wait until the relay is there; a sender has the same bounds. */
const WAITING_MESSAGES_MAX = 10_000;
const WAITING_BYTES_MAX = 67_108_864;

/** Publishes to queues: one session with a relay for all of a connection. */
export class QueuePublisher {
  readonly #core: ConnectionCore;
  #relay: Promise<AmqpRelay> | null = null;
  #isReady = false;
  readonly #waiting = { messages: 0, bytes: 0 };

  constructor(core: ConnectionCore) {
    this.#core = core;
  }

  /** See `AmqpConnection.publishToQueue`. */
  async publish(queue: string, payload: string | Uint8Array, options: AmqpQueuePublishOptions): Promise<void> {
    if (typeof payload !== "string" && !(payload instanceof Uint8Array)) {
      throw new MessagingError("ERR_INVALID_MESSAGE", "a payload is text or bytes");
    }
    // It is written a moment later: what the caller does to its buffer then must not matter.
    const data = typeof payload === "string" ? new TextEncoder().encode(payload) : copyOf(payload);
    throwIfAborted(options.signal);
    // With a signal or without, all take the same steps: they leave in the order of the calls.
    await raceAbort(this.#publish(queue, data, options), options.signal);
  }

  async #publish(queue: string, data: Uint8Array, options: AmqpQueuePublishOptions): Promise<void> {
    const { address, message, ackTimeoutMs } = checkPublish(queue, data, options);
    const { signal } = options;
    const relay = await this.#whenReady(data.length);
    throwIfAborted(signal);
    const receipt = await relay.sendWithReceipt(address, message, signal === undefined ? {} : { signal });
    await this.#outcome(receipt, ackTimeoutMs, signal);
  }

  async #outcome(receipt: SendReceipt, ackTimeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const late = new AbortController();
    const timer = ackTimeoutMs === 0 ? null : this.#core.clock.setTimer(ackTimeoutMs, () => late.abort());
    try {
      await raceAbort(receipt.wait(signal === undefined ? {} : { signal }), late.signal);
    } catch (error) {
      if (!late.signal.aborted || signal?.aborted) throw error;
      throw new MessagingError("ERR_TIMEOUT", `no outcome within ${ackTimeoutMs} ms: the queue may have the message`);
    } finally {
      timer?.cancel();
    }
  }

  /** The relay. Who waits until it is there counts. @throws {MessagingError} ERR_OUTBOUND_BACKPRESSURE */
  async #whenReady(bytes: number): Promise<AmqpRelay> {
    if (this.#isReady && this.#relay !== null) return await this.#relay;
    const waiting = this.#waiting;
    if (waiting.messages >= WAITING_MESSAGES_MAX || waiting.bytes >= WAITING_BYTES_MAX) {
      throw new MessagingError("ERR_OUTBOUND_BACKPRESSURE", `${waiting.messages} messages wait for the connection`);
    }
    waiting.messages++;
    waiting.bytes += bytes;
    try {
      this.#relay ??= this.#make();
      return await this.#relay;
    } finally {
      waiting.messages--;
      waiting.bytes -= bytes;
    }
  }

  async #make(): Promise<AmqpRelay> {
    try {
      return await untilConnected(this.#core, () => this.#open());
    } catch (error) {
      this.#relay = null;
      throw error;
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
    this.#isReady = true;
    void Promise.race([session.closed, relay.lost]).then(() => {
      this.#isReady = false;
      this.#relay = null;
      void session.close();
    });
    return relay;
  }
}
