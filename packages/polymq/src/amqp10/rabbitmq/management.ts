import { MessagingError } from "../../base/errors.ts";
import type { AmqpConnection } from "../client/connection.ts";
import type { AmqpRequester } from "../client/requests/requester.ts";
import type { AmqpSession } from "../client/session.ts";
import type { MessageInput } from "../codec/message.ts";
import type { MessageView } from "../codec/message-view.ts";
import { AmqpMap, type AmqpValue, type MapInput, plain } from "../codec/values.ts";
import { segment } from "./addresses.ts";

/** Settings of a queue. */
export interface RabbitmqQueueOptions {
  /** Default: the server's, which is `classic` unless it is set otherwise. */
  readonly type?: "classic" | "quorum" | "stream";
  /** Default true. */
  readonly durable?: boolean;
  /** Only this connection uses it, and it goes with it. Default false. */
  readonly exclusive?: boolean;
  /** It goes with its last consumer. Default false. */
  readonly autoDelete?: boolean;
  /** Arguments such as `x-max-length`. */
  readonly arguments?: MapInput;
}

/** What the server says of a queue. */
export interface RabbitmqQueueInfo {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly messageCount: number;
  readonly consumerCount: number;
  /** All that it said. */
  readonly all: AmqpMap;
}

/** Settings of an exchange. */
export interface RabbitmqExchangeOptions {
  /** Default `direct`. */
  readonly type?: string;
  /** Default true. */
  readonly durable?: boolean;
  /** Default false. */
  readonly autoDelete?: boolean;
  /** Takes messages from other exchanges only. Default false. */
  readonly internal?: boolean;
  readonly arguments?: MapInput;
}

/** A binding of a queue or an exchange to an exchange. */
export type RabbitmqBinding = {
  readonly source: string;
  readonly key?: string;
  readonly arguments?: MapInput;
} & ({ readonly queue: string } | { readonly exchange: string });

const ADDRESS = "/management";
const NAME = "management-link-pair";

/**
 * Declares queues, exchanges and bindings of RabbitMQ 4 over a pair of links (its HTTP over AMQP). Errors of its calls: ERR_QUEUE_NOT_FOUND (404), ERR_QUEUE_EXISTS
 * (409: with other settings), ERR_INVALID_ARGUMENT (400) and ERR_PUBLISH_REJECTED (any other) with the server's text, and those of `AmqpRequester.request`.
 */
export class RabbitmqManagement {
  readonly #session: AmqpSession;
  readonly #requester: AmqpRequester;

  private constructor(session: AmqpSession, requester: AmqpRequester) {
    this.#session = session;
    this.#requester = requester;
  }

  /** Opens a session of its own with the two links. @throws {MessagingError} as `AmqpSession.createRequester` */
  static async open(connection: AmqpConnection): Promise<RabbitmqManagement> {
    const session = await connection.createSession();
    const pair = { name: NAME, properties: { paired: true } } as const;
    try {
      const requester = await session.createRequester(ADDRESS, {
        source: { address: ADDRESS },
        replyTo: "$me",
        sender: { ...pair, settlementMode: "settled" },
        receiver: { ...pair, senderSettlementMode: "settled", target: { address: ADDRESS } },
      });
      return new RabbitmqManagement(session, requester);
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** Declares a queue; resolves with what the server says of it. One that is there with the same settings is left as it is. */
  async declareQueue(name: string, options: RabbitmqQueueOptions = {}): Promise<RabbitmqQueueInfo> {
    const { type, durable = true, exclusive = false, autoDelete = false } = options;
    const given = withType(options.arguments, type);
    const body = { durable, exclusive, auto_delete: autoDelete, arguments: given };
    return queueInfo(await this.request("PUT", queuePath(name), body));
  }

  /** What the server knows of a queue. @throws {MessagingError} ERR_QUEUE_NOT_FOUND */
  async queueInfo(name: string): Promise<RabbitmqQueueInfo> {
    return queueInfo(await this.request("GET", queuePath(name), null));
  }

  /** Resolves with the number of messages that went with it. */
  async deleteQueue(name: string): Promise<number> {
    return count(await this.request("DELETE", queuePath(name), null));
  }

  /** Resolves with the number of messages that were dropped. */
  async purgeQueue(name: string): Promise<number> {
    return count(await this.request("DELETE", `${queuePath(name)}/messages`, null));
  }

  /** Declares an exchange; resolves when it is there. */
  async declareExchange(name: string, options: RabbitmqExchangeOptions = {}): Promise<void> {
    const { type = "direct", durable = true, autoDelete = false, internal = false } = options;
    const body = { type, durable, auto_delete: autoDelete, internal, arguments: options.arguments ?? {} };
    await this.request("PUT", `/exchanges/${segment(name)}`, body);
  }

  /** Resolves when the exchange is gone. */
  async deleteExchange(name: string): Promise<void> {
    await this.request("DELETE", `/exchanges/${segment(name)}`, null);
  }

  /** Binds a queue or an exchange to an exchange; resolves when that is so. */
  async bind(binding: RabbitmqBinding): Promise<void> {
    const destination =
      "queue" in binding ? { destination_queue: binding.queue } : { destination_exchange: binding.exchange };
    const { source, key = "", arguments: given = {} } = binding;
    await this.request("POST", "/bindings", { source, binding_key: key, ...destination, arguments: given });
  }

  /** Takes a binding back; one with arguments is found among those of its key. */
  async unbind(binding: RabbitmqBinding): Promise<void> {
    const { source, key = "" } = binding;
    const [kind, name] =
      "queue" in binding ? (["dstq", binding.queue] as const) : (["dste", binding.exchange] as const);
    if (binding.arguments === undefined) {
      const path = `/bindings/src=${segment(source)};${kind}=${segment(name)};key=${segment(key)};args=`;
      return void (await this.request("DELETE", path, null));
    }
    const query = `/bindings?src=${segment(source)}&${kind}=${segment(name)}&key=${segment(key)}`;
    const found = (await this.request("GET", query, null)) as readonly AmqpMap[];
    const wanted = JSON.stringify([...mapOf(binding.arguments)].sort());
    const match = found.find((each) => JSON.stringify([...mapOf(each.get("arguments") as AmqpMap)].sort()) === wanted);
    const location = match?.get("location");
    if (typeof location !== "string") throw new MessagingError("ERR_QUEUE_NOT_FOUND", "there is no such binding");
    await this.request("DELETE", location, null);
  }

  /** Gives the server a new OAuth token for this connection, before the old one expires. */
  async refreshToken(token: string): Promise<void> {
    await this.request("PUT", "/auth/tokens", new TextEncoder().encode(token));
  }

  /** Any other request: an HTTP verb, a path with encoded segments, and a body; resolves with the body of the answer. */
  async request(verb: string, path: string, body: MapInput | Uint8Array | null): Promise<AmqpValue> {
    const message: MessageInput = {
      properties: { to: path, subject: verb },
      body: { type: "value", value: body as AmqpValue },
    };
    const answer = await this.#requester.request(message);
    const status = Number(answer.properties?.subject);
    const value = bodyOf(answer);
    if (status >= 200 && status < 300) return value;
    throw failure(status, typeof value === "string" ? value : "", `${verb} ${path}`);
  }

  /** Closes the links and their session. */
  async close(): Promise<void> {
    await this.#requester.close();
    await this.#session.close();
  }

  /** Closes the management, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function queuePath(name: string): string {
  return `/queues/${segment(name)}`;
}

function withType(given: MapInput | undefined, type: string | undefined): MapInput {
  if (type === undefined) return given ?? {};
  return new Map<AmqpValue, AmqpValue>([["x-queue-type", type], ...(mapOf(given ?? {}) as Map<AmqpValue, AmqpValue>)]);
}

function mapOf(map: MapInput): Map<unknown, unknown> {
  return map instanceof AmqpMap || map instanceof Map ? new Map(map) : new Map(Object.entries(map));
}

function bodyOf(answer: MessageView): AmqpValue {
  const { body } = answer;
  return body?.type === "value" ? body.value : null;
}

function queueInfo(value: AmqpValue): RabbitmqQueueInfo {
  const all = value instanceof AmqpMap ? value : new AmqpMap();
  const of = (name: string): unknown => plain(all.get(name) ?? null);
  return {
    name: String(of("name")),
    type: String(of("type")),
    durable: of("durable") === true,
    messageCount: Number(of("message_count") ?? 0),
    consumerCount: Number(of("consumer_count") ?? 0),
    all,
  };
}

function count(value: AmqpValue): number {
  return value instanceof AmqpMap ? Number(plain(value.get("message_count") ?? null) ?? 0) : 0;
}

function failure(status: number, text: string, what: string): MessagingError {
  const code =
    status === 404
      ? "ERR_QUEUE_NOT_FOUND"
      : status === 409
        ? "ERR_QUEUE_EXISTS"
        : status === 400
          ? "ERR_INVALID_ARGUMENT"
          : "ERR_PUBLISH_REJECTED";
  const why = text === "" ? `${status}` : `${status}: ${text}`;
  return new MessagingError(code, `${what} was answered with ${why}`, {
    peer: { protocol: "amqp10", code: status, text },
  });
}
