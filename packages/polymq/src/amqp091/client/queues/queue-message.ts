// Hot path: one object per message of a queue; what it says of itself is read from the headers when asked for.
import { MessagingError } from "../../../base/errors.ts";
import { TypedField } from "../../codec/field-value.ts";
import type { AmqpMessage } from "../message.ts";
import { AmqpDelivery } from "./delivery.ts";
import type { StreamPlace, StreamPosition } from "./stream-position.ts";

/** What a message asks of the subscription that it came to. @internal */
export interface QueueSource {
  readonly queue: string;
  readonly stream: boolean;
  /** Of a stream without a group. */
  readonly position: StreamPosition | null;
  commit(groupId: string, offset: number): Promise<void>;
}

/** A message of a queue or stream. What a server does not say is "", -1 or null. */
export class AmqpQueueMessage extends AmqpDelivery {
  readonly #source: QueueSource;
  readonly #place: StreamPlace | null;
  /** True of a stream's message that its reader has in hand or has settled. @internal */
  readonly repeated: boolean;

  /** @internal */
  constructor(message: AmqpMessage, source: QueueSource) {
    super(message);
    this.#source = source;
    const offset = source.position === null ? null : this.streamOffset;
    this.#place = source.position === null || offset === null ? null : source.position.take(offset, this.redelivered);
    this.repeated = source.position !== null && offset !== null && this.#place === null;
  }

  /** The queue's name. */
  get queue(): string {
    return this.#text("queue") ?? this.#source.queue;
  }

  /** What follows the queue's name in its address (polymq, FluxMQ), or "". */
  get routingKey(): string {
    const { exchange, routingKey } = this.message;
    return exchange === "$queue" ? routingKey.slice(this.queue.length + 1) : "";
  }

  /** `<queue>:<offset>` of polymq and FluxMQ; of RabbitMQ what the publisher gave, or "". */
  get messageId(): string {
    return this.properties.messageId ?? "";
  }

  /** The group that it was delivered to, as the server names it (`group` or `group@filter`), or "". */
  get groupId(): string {
    return this.#text("group-id") ?? "";
  }

  /** Its place in the queue, from 0; -1 when the server did not say. @throws {MessagingError} ERR_INVALID_MESSAGE above 2^53 - 1 */
  get offset(): number {
    return this.#number("offset") ?? this.streamOffset ?? -1;
  }

  /** Earlier deliveries to the group: 0 the first time. Servers that do not count say 1 of a repeated message. */
  get deliveryCount(): number {
    return this.#number("x-delivery-count") ?? (this.redelivered ? 1 : 0);
  }

  /** The topic as it was published to (polymq, FluxMQ), or null. */
  get sourceTopic(): string | null {
    return this.#text("x-source-topic");
  }

  /** Of a stream: the offset; null on a work queue. */
  get streamOffset(): number | null {
    const said = this.#number("x-stream-offset");
    const offset = this.#number("offset");
    // On a work queue a header of this name is the publisher's own.
    return offset === said || (offset === null && this.#source.stream) ? said : null;
  }

  /** Of a stream: when it was appended, in ms since 1970; null where the server does not say (RabbitMQ). */
  get streamTimestamp(): number | null {
    return this.streamOffset === null ? null : this.#number("x-stream-timestamp");
  }

  /** Of a stream with a primary group: true when this group has settled the message. */
  get workAcked(): boolean | null {
    const said = this.streamOffset === null ? undefined : this.properties.headers?.["x-work-acked"];
    return said === undefined ? null : said === true || said === "true";
  }

  /** Of a stream with a primary group: the next offset that this group has not settled. */
  get workCommittedOffset(): number | null {
    return this.streamOffset === null ? null : this.#number("x-work-committed-offset");
  }

  /** Of a stream with a primary group: the group's name. */
  get workGroup(): string | null {
    return this.streamOffset === null ? null : this.#text("x-work-group");
  }

  /**
   * Commits the group's place in the stream behind this message, for subscriptions with `autoCommit: false`; resolves when the server has confirmed it.
   * @throws {MessagingError} as `commitOffset` of the client; ERR_INVALID_ARGUMENT for a message without offset or group
   */
  async commit(): Promise<void> {
    const { streamOffset: offset, groupId } = this;
    if (offset === null || groupId === "") {
      throw new MessagingError(
        "ERR_INVALID_ARGUMENT",
        "only a message of a consumer group on a stream can be committed",
      );
    }
    await this.#source.commit(groupId, offset + 1);
  }

  protected override settled(): void {
    if (this.#place !== null) this.#source.position?.settle(this.#place);
  }

  #text(name: string): string | null {
    const value = this.properties.headers?.[name];
    return typeof value === "string" ? value : null;
  }

  /** A number of any width, or one in digits. */
  #number(name: string): number | null {
    const field = this.properties.headers?.[name];
    const given = field instanceof TypedField ? field.value : field;
    const value = typeof given === "string" && DIGITS.test(given) ? Number(given) : given;
    if (typeof value === "bigint" || (typeof value === "number" && value > Number.MAX_SAFE_INTEGER)) {
      throw new MessagingError("ERR_INVALID_MESSAGE", `${name} ${value} is above 2^53 - 1`);
    }
    return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : null;
  }
}

const DIGITS = /^\d+$/;
