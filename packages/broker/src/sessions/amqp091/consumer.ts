/** Something that delivers to a channel under a consumer tag. */
export interface ChannelConsumer {
  readonly tag: string;
  /** Deliveries that the client has not settled. */
  readonly unsettledCount: number;
  /** There may be credit again. */
  wake(): void;
  /** The client wants no more; what it has unsettled it may still settle. */
  cancel(): void;
  /** Forgets what is unsettled: a queue delivers it again. */
  recover(): void;
  /** The channel is over: everything goes back. */
  end(): void;
}
