import type { MessagingError } from "../../base/errors.ts";
import type { Content } from "../codec/content.ts";
import type { Method } from "../codec/method-types.ts";
import type { ClientChannel, EngineTypes } from "../engine/channel.ts";
import type { CloseReason } from "../engine/endpoint-options.ts";
import type { AmqpConsumer } from "./consumer.ts";
import type { PendingPublish } from "./pending-publish.ts";

/** What this client hangs onto the engine's things. */
export interface Types extends EngineTypes {
  readonly owner: ChannelOwner;
  readonly consumer: AmqpConsumer;
  readonly route: undefined;
  readonly request: Reply;
  readonly message: PendingPublish;
}

/** A channel of the engine: it lives as long as its connection at most. */
export type Link = ClientChannel<Types>;

/** A message as the engine tells it. */
export type Incoming = Content<AmqpConsumer, undefined>;

/** Gets the answer to a request. */
export interface Reply {
  answered(reply: Method): void;
  /** `basic.get-ok`. */
  got(link: Link, content: Incoming): void;
  failed(error: MessagingError): void;
}

/** Gets everything that happens on one channel of the engine. */
export interface ChannelOwner {
  /** True while answers come as messages, which must be read however full consumers are. */
  readonly awaitsMessages: boolean;
  onDeliver(link: Link, content: Incoming): void;
  onReturn(content: Incoming): void;
  onConfirm(message: PendingPublish, tag: number, accepted: boolean): void;
  onCancel(consumerTag: string): void;
  onFlow(): void;
  /** Room in the outbox, or the server takes publishes again. */
  onRoom(): void;
  onClosed(link: Link, reason: CloseReason | null): void;
}
