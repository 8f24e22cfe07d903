/** Arguments and headers, as JavaScript clients take them. */
export type PeerTable = Record<string, unknown>;

/** Properties of a message, by the names of our own client. */
export interface PeerProperties {
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly headers?: PeerTable;
  readonly deliveryMode?: 1 | 2;
  readonly priority?: number;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly expiration?: string;
  readonly messageId?: string;
  readonly type?: string;
  readonly appId?: string;
}

/** A message that a peer received. */
export interface PeerMessage {
  readonly body: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly properties: PeerProperties;
  readonly deliveryTag: number;
}

/** A message that came back to a peer. */
export interface PeerReturn {
  readonly replyCode: number;
  readonly replyText: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: string;
}

/** What a server says of a queue. */
export interface PeerQueue {
  readonly queue: string;
  readonly messageCount: number;
  readonly consumerCount: number;
}

export interface PeerQueueOptions {
  readonly durable?: boolean;
  readonly exclusive?: boolean;
  readonly autoDelete?: boolean;
  readonly arguments?: PeerTable;
}

export interface PeerExchangeOptions {
  readonly durable?: boolean;
  readonly autoDelete?: boolean;
  readonly internal?: boolean;
  readonly arguments?: PeerTable;
}

export interface PeerConsumeOptions {
  readonly noAck?: boolean;
  readonly exclusive?: boolean;
  readonly tag?: string;
  readonly arguments?: PeerTable;
}

/** A channel in confirm mode, whatever client it is one of. Methods reject when the server closes the channel. */
export interface PeerChannel {
  declareQueue(queue: string, options?: PeerQueueOptions): Promise<PeerQueue>;
  checkQueue(queue: string): Promise<PeerQueue>;
  deleteQueue(queue: string, conditions?: { readonly ifUnused?: boolean; readonly ifEmpty?: boolean }): Promise<number>;
  purgeQueue(queue: string): Promise<number>;
  declareExchange(exchange: string, type: string, options?: PeerExchangeOptions): Promise<void>;
  checkExchange(exchange: string): Promise<void>;
  deleteExchange(exchange: string, conditions?: { readonly ifUnused?: boolean }): Promise<void>;
  bindQueue(queue: string, exchange: string, key: string, table?: PeerTable): Promise<void>;
  unbindQueue(queue: string, exchange: string, key: string, table?: PeerTable): Promise<void>;
  bindExchange(destination: string, source: string, key: string, table?: PeerTable): Promise<void>;
  unbindExchange(destination: string, source: string, key: string, table?: PeerTable): Promise<void>;
  /** Resolves when the server has confirmed it, rejects when it has refused it. */
  publish(exchange: string, key: string, body: string, options?: PeerPublishOptions): Promise<void>;
  prefetch(count: number): Promise<void>;
  /** Calls `onMessage` for each delivery; resolves with the consumer's tag. */
  consume(queue: string, options: PeerConsumeOptions, onMessage: (message: PeerMessage) => void): Promise<string>;
  cancel(tag: string): Promise<void>;
  get(queue: string, options?: { readonly noAck?: boolean }): Promise<PeerMessage | null>;
  ack(message: PeerMessage, multiple?: boolean): void;
  nack(message: PeerMessage, options: { readonly requeue: boolean; readonly multiple?: boolean }): void;
  recover(): Promise<void>;
  /** Messages that came back, oldest first. */
  readonly returned: readonly PeerReturn[];
  /** Tags of consumers that the server has cancelled. */
  readonly cancelled: readonly string[];
  /** Resolves with what the server said when it closed the channel. */
  readonly failed: Promise<string>;
  close(): Promise<void>;
}

export interface PeerPublishOptions {
  readonly properties?: PeerProperties;
  readonly mandatory?: boolean;
}

/** One connection of a peer. */
export interface PeerConnection {
  channel(): Promise<PeerChannel>;
  close(): Promise<void>;
}

/** A client library. */
export interface Peer {
  readonly name: string;
  /** Connects to `amqp://user:password@host:port/vhost`; rejects with what the server said. */
  connect(url: string): Promise<PeerConnection>;
}

/** Waits until a condition holds that other promises make true; gives up after some seconds with `what`. */
export async function until(what: string, holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
