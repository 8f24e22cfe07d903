/** What a message says besides its payload and properties; null for what it does not say. */
export interface ReplyFields {
  /** Where an answer is wanted: MQTT 5.0's response topic, AMQP 0-9-1's `reply-to`. */
  readonly responseTopic: string | null;
  /** What the answer is to carry, in UTF-8 over AMQP. */
  readonly correlationData: Uint8Array | null;
  /** MQTT 5.0: 1 for text, 0 for any bytes. */
  readonly payloadFormat: number | null;
  /** MQTT 5.0: what is left of its lifetime. */
  readonly expirySeconds: number | null;
}

/** The part of a protocol client's own message that is read. */
interface Native {
  readonly message?: Native;
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Uint8Array | undefined;
  readonly payloadFormat?: number | undefined;
  readonly messageExpirySeconds?: number | undefined;
  readonly properties?: { readonly replyTo?: unknown; readonly correlationId?: unknown } | null;
}

/** Reads them from the `native` message of an MQTT or AMQP 0-9-1 client. */
export function replyFields(native: unknown): ReplyFields {
  const outer: Native = typeof native === "object" && native !== null ? native : {};
  // A message of a queue has the publish in it.
  const said = outer.message ?? outer;
  const { replyTo, correlationId } = said.properties ?? {};
  return {
    responseTopic: said.responseTopic ?? (typeof replyTo === "string" ? replyTo : null),
    correlationData: said.correlationData ?? (typeof correlationId === "string" ? Buffer.from(correlationId) : null),
    payloadFormat: said.payloadFormat ?? null,
    expirySeconds: said.messageExpirySeconds ?? null,
  };
}
