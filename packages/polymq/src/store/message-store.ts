/** An outbound QoS 1 or 2 message as a store keeps it. Its shape is neutral: properties are the client's own encoding. */
export interface StoredPublish {
  /** 1 to 65,535; unique among the stored messages. */
  readonly packetId: number;
  /** Rises with each message, so that they can be sent again in their first order. */
  readonly order: number;
  readonly qos: 1 | 2;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
  /** The encoded publish properties in hexadecimal, or null. */
  readonly properties: string | null;
  /** True once the server has confirmed receipt (PUBREC): only the release is still to be repeated. */
  readonly released: boolean;
}

/** What a store gives back when it is opened. */
export interface StoredSession {
  /** By rising `order`. */
  readonly publishes: readonly StoredPublish[];
  /** Packet ids of received QoS 2 messages whose release is still awaited. */
  readonly receivedIds: readonly number[];
}

/** One change of a stored session. */
export type StoreOperation =
  | { readonly op: "putPublish"; readonly publish: StoredPublish }
  | { readonly op: "releasePublish"; readonly packetId: number }
  | { readonly op: "deletePublish"; readonly packetId: number }
  | { readonly op: "putReceived"; readonly packetId: number }
  | { readonly op: "deleteReceived"; readonly packetId: number }
  /** The server has forgotten the session: received ids mean nothing any more. */
  | { readonly op: "clearReceived" }
  /** Forgets everything of this session. */
  | { readonly op: "clear" };

/**
 * Keeps QoS 1 and 2 state of one client across connections and, when it is durable, across processes. The client calls
 * `write` with one batch at a time and waits for it before it sends what the batch was for: a PUBLISH leaves after it was
 * stored, a PUBREC after its packet id was stored. A failed write fails the operations it was for with `ERR_STORE_FAILED`.
 */
export interface MessageStore {
  /** Opens the session of `clientId` and reads what is there. Called before the first connect. */
  open(clientId: string): Promise<StoredSession>;
  /** Makes all operations take effect together, in order; resolves when they are as durable as the store promises. */
  write(operations: readonly StoreOperation[]): Promise<void>;
  /** Ends the use of the store; nothing is forgotten. */
  close(): Promise<void>;
}
