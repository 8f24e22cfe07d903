import type { Content } from "polymq/amqp091/codec";
import type { EngineTypes, ServerChannel } from "polymq/amqp091/engine";
import type { AmqpChannel } from "./amqp-channel.ts";
import type { PublishRoute } from "./publish-route.ts";
import type { Unsettled } from "./unsettled.ts";

/** What the broker hangs onto the engine's things. */
export interface AmqpTypes extends EngineTypes {
  readonly owner: AmqpChannel;
  readonly consumer: undefined;
  readonly route: PublishRoute;
  readonly request: undefined;
  readonly message: Unsettled;
}

/** The engine's channel. */
export type EngineChannel = ServerChannel<AmqpTypes>;

/** A message that a client publishes. */
export type IncomingContent = Content<undefined, PublishRoute>;
