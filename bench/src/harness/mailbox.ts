/** A message between the processes of a benchmark; `relay` asks the parent to pass it on to the other child. */
export interface Message {
  readonly type: string;
  readonly relay?: boolean;
  readonly data?: unknown;
}

interface Waiter {
  readonly type: string;
  readonly resolve: (data: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Tells a message of ours from anything else an IPC channel may carry. */
export function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** Incoming messages, kept until somebody asks for one of their type. A failure is final and fails every waiter. */
export class Mailbox {
  readonly #kept: Message[] = [];
  readonly #waiters: Waiter[] = [];
  #failure: Error | null = null;

  /** Hands a message to whoever waits for its type, or keeps it. */
  put(message: Message): void {
    const index = this.#waiters.findIndex((waiter) => waiter.type === message.type);
    const [waiter] = index < 0 ? [] : this.#waiters.splice(index, 1);
    if (waiter === undefined) this.#kept.push(message);
    else waiter.resolve(message.data);
  }

  /** The data of the next message of a type; rejects when the other side fails first. */
  next(type: string): Promise<unknown> {
    const index = this.#kept.findIndex((message) => message.type === type);
    const [message] = index < 0 ? [] : this.#kept.splice(index, 1);
    if (message !== undefined) return Promise.resolve(message.data);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ type, resolve, reject });
    });
  }

  /** Fails everybody who waits now or later; the first reason is kept. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#failure);
  }
}
