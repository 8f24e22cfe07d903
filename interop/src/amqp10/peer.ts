/** A message as a foreign client names its parts. */
export interface PeerMessage {
  readonly body: unknown;
  readonly to?: string;
  readonly subject?: string;
  readonly message_id?: string;
  readonly correlation_id?: string;
  readonly reply_to?: string;
  readonly content_type?: string;
  readonly content_encoding?: string;
  readonly group_id?: string;
  readonly group_sequence?: number;
  readonly creation_time?: Date;
  readonly durable?: boolean;
  readonly priority?: number;
  readonly ttl?: number;
  readonly delivery_count?: number;
  readonly application_properties?: Readonly<Record<string, unknown>>;
  readonly message_annotations?: Readonly<Record<string, unknown>>;
}

/** What the broker, or a receiver, makes of a message. */
export type PeerOutcome = "accepted" | "rejected" | "released" | "modified";

/** What a receiver asks for. */
export interface PeerReceiverOptions {
  readonly address: string | null;
  readonly credit?: number;
  readonly group?: string;
  readonly selector?: string;
  readonly presettled?: boolean;
}

/** A delivery that the scenario settles itself. */
export interface PeerDelivery {
  readonly message: PeerMessage;
  settle(outcome: PeerOutcome): void;
}

export interface PeerReceiver {
  /** The address that the broker gave it. */
  readonly address: string;
  next(): Promise<PeerDelivery>;
  /** What has come and was not asked for yet. */
  readonly waiting: number;
  close(): Promise<void>;
}

/** A foreign client's connection. */
export interface PeerConnection {
  /** Sends and resolves with what the broker made of it. */
  send(address: string | null, message: PeerMessage): Promise<PeerOutcome>;
  /** Sends messages that are settled already. */
  sendSettled(address: string, messages: readonly PeerMessage[]): Promise<void>;
  /** Rejects with the broker's condition where it refuses. */
  receiver(options: PeerReceiverOptions): Promise<PeerReceiver>;
  close(): Promise<void>;
}

/** A foreign AMQP 1.0 client. */
export interface Amqp10Peer {
  readonly name: string;
  connect(at: {
    readonly port: number;
    readonly username?: string;
    readonly password?: string;
  }): Promise<PeerConnection>;
}
