/** Who waits for answers on `amq.rabbitmq.reply-to`. */
export interface ReplyConsumer {
  /** Hands over an answer; its bytes may be kept no longer than the call. */
  answer(exchange: string, key: string, properties: Uint8Array, body: Uint8Array): void;
}

/** All who wait for answers over direct reply-to, by the address that the broker gave them, which nobody else can guess. */
export class ReplyConsumers {
  readonly #byKey = new Map<string, ReplyConsumer>();

  add(key: string, consumer: ReplyConsumer): void {
    this.#byKey.set(key, consumer);
  }

  remove(key: string): void {
    this.#byKey.delete(key);
  }

  get(key: string): ReplyConsumer | null {
    return this.#byKey.get(key) ?? null;
  }
}
