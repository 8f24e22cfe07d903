/** AMQP 1.0, checked and complete. */
export interface Amqp10Settings {
  /** Largest frame taken, in bytes. */
  readonly maxFrameSize: number;
  /** Highest channel number: one less than the sessions that a connection may have. */
  readonly channelMax: number;
  /** Highest handle: one less than the links that a session may have. */
  readonly handleMax: number;
  /** Links of one connection. */
  readonly linksMax: number;
  /** Silence of a client that ends its connection; 0 for never. */
  readonly idleTimeoutMs: number;
  /** Time until the client's open has come. */
  readonly handshakeTimeoutMs: number;
  /** Whether clients may come without SASL, or must authenticate. */
  readonly sasl: "optional" | "required";
  /** Largest message taken, in bytes. */
  readonly maximumMessageSize: number;
  /** Messages that a client's link may send before the broker has taken over the first of them. */
  readonly linkCredit: number;
  /** Deliveries of one link that may be unsettled, whatever its credit. */
  readonly unsettledMax: number;
  /** Transactions that one connection may have open. */
  readonly transactionsMax: number;
  /** Messages and settlements of one transaction, and bytes of its messages. */
  readonly transactionMax: number;
  readonly transactionBytesMax: number;
  /** Time after which an open transaction is rolled back. */
  readonly transactionTimeoutMs: number;
}
