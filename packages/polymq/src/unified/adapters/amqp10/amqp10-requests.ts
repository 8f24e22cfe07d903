import type { AmqpConnection } from "../../../amqp10/client/connection.ts";
import type { AmqpRequester } from "../../../amqp10/client/requests/requester.ts";
import type { MessageInput } from "../../../amqp10/codec/message.ts";
import type { MessageView } from "../../../amqp10/codec/message-view.ts";
import { abortedError, onAbort, throwIfAborted } from "../../../base/abort.ts";
import { deferred } from "../../../base/deferred.ts";
import { isMessagingError, MessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import { checkedOptions } from "../../../base/option-rules.ts";
import { systemClock } from "../../../base/system-clock.ts";
import { answerOf, type Ending } from "../../adapter.ts";
import { type Delivery, unsupported } from "../../delivery.ts";
import type { ClientAnswer, ClientRequestOptions } from "../../options.ts";
import type { UnderWay } from "../under-way.ts";
import { Amqp10RequestDelivery } from "./amqp10-delivery.ts";
import { messageOf } from "./amqp10-options.ts";
import { type Node, sourceFor, type Ways } from "./amqp10-ways.ts";

/** Requests and answers of one connection: a requester for each address that is asked. */
export class Amqp10Requests {
  readonly #native: AmqpConnection;
  readonly #ways: Ways;
  readonly #underWay: UnderWay;
  readonly #requesters = new Map<string, Promise<AmqpRequester>>();

  constructor(native: AmqpConnection, ways: Ways, underWay: UnderWay) {
    this.#native = native;
    this.#ways = ways;
    this.#underWay = underWay;
  }

  /** While the connection is being made again a request waits for it, as long as it may take. */
  async request(address: string, payload: string | Uint8Array, options: ClientRequestOptions): Promise<Delivery> {
    const { signal, properties, contentType } = options;
    const { timeoutMs } = checkedOptions(
      { code: "ERR_INVALID_ARGUMENT", options },
      { timeoutMs: [1, 2_147_483_647, 10_000] },
    );
    throwIfAborted(signal);
    const said = { ...(properties && { properties }), ...(contentType === undefined ? {} : { contentType }) };
    const message = messageOf(payload, { expiresAfterMs: timeoutMs, ...said });
    const over = new AbortController();
    const asking = this.#ask(address, message, over.signal);
    return new Amqp10RequestDelivery(await within(asking, { timeoutMs, signal, over }), address);
  }

  /** The address is a queue, which its responders share. */
  async respond(
    address: string,
    responder: (request: Delivery) => ClientAnswer,
    signal: AbortSignal | undefined,
  ): Promise<Ending> {
    const node = this.#node(address);
    const session = await this.#native.createSession(signal === undefined ? {} : { signal });
    try {
      const answering = await session.createResponder(
        node.address,
        async (request) => {
          const answer = answerOf(await responder(new Amqp10RequestDelivery(request, address)));
          return messageOf(answer.payload, answer);
        },
        { source: sourceFor(node), ...(signal === undefined ? {} : { signal }) },
      );
      let ended: Promise<void> | null = null;
      const unsubscribe = (): Promise<void> => {
        ended ??= answering.close().then(() => session.close());
        return ended;
      };
      return this.#underWay.keep({ unsubscribe }, session.closed);
    } catch (error) {
      session.close().catch(noop);
      throw error;
    }
  }

  /** Asks; what could not be asked for want of a connection is asked again once there is one. */
  async #ask(address: string, message: MessageInput, over: AbortSignal): Promise<MessageView> {
    for (;;) {
      try {
        const requester = await this.#requester(address);
        return await requester.request(message, { timeoutMs: 0, signal: over });
      } catch (error) {
        const early = isMessagingError(error) && error.code === "ERR_NOT_CONNECTED";
        if (!early || this.#native.state !== "reconnecting") throw error;
      }
      await this.#reconnected(over);
      throwIfAborted(over);
    }
  }

  /** Resolves when the connection is back, is closed, or nobody waits any more. */
  async #reconnected(over: AbortSignal): Promise<void> {
    const ready = deferred<void>();
    const stops = [
      this.#native.on("reconnected", () => ready.resolve()),
      this.#native.on("close", () => ready.resolve()),
      onAbort(over, () => ready.resolve()),
    ];
    await ready.promise;
    for (const stop of stops) stop();
  }

  #requester(address: string): Promise<AmqpRequester> {
    let requester = this.#requesters.get(address);
    if (requester === undefined) {
      requester = this.#open(address);
      this.#requesters.set(address, requester);
    }
    return requester;
  }

  async #open(address: string): Promise<AmqpRequester> {
    const node = this.#node(address);
    try {
      const session = await this.#native.createSession();
      void session.closed.then(() => this.#requesters.delete(address));
      const { capabilities } = node;
      return await session.createRequester(node.address, {
        ...(capabilities.length === 0 ? {} : { sender: { target: { capabilities } } }),
      });
    } catch (error) {
      this.#requesters.delete(address);
      throw error;
    }
  }

  /** FluxMQ keeps neither addresses for answers nor correlation ids, and RabbitMQ has no dynamic nodes. */
  #node(address: string): Node {
    const { dialect } = this.#ways;
    if (dialect === "fluxmq" || dialect === "rabbitmq")
      throw unsupported("requests: the server has no way to answer them");
    return this.#ways.queueNode(address);
  }
}

/** Ends a wait at its deadline, or when its signal fires; `over` tells what is waited for. */
async function within<T>(asking: Promise<T>, limits: Limits): Promise<T> {
  const { timeoutMs, signal, over } = limits;
  const late = deferred<never>();
  const timer = systemClock().setTimer(timeoutMs, () =>
    late.reject(new MessagingError("ERR_TIMEOUT", `no answer within ${timeoutMs} ms`)),
  );
  const release = onAbort(signal, () => late.reject(abortedError(signal as AbortSignal)));
  try {
    return await Promise.race([asking, late.promise]);
  } finally {
    release();
    timer.cancel();
    over.abort();
  }
}

interface Limits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly over: AbortController;
}
