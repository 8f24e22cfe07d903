/** Something that delivers to a channel under a consumer tag. */
export interface ChannelConsumer {
  readonly tag: string;
  /** There may be credit again. */
  wake(): void;
  /** The client wants no more. `leaving`: what it has unsettled it may still settle, and the consumer is over with the last of it. */
  cancel(): "over" | "leaving";
  /** The channel is over: everything goes back. */
  end(): void;
}
