import type { ChildMessage, ParentMessage } from "./messages.ts";

/** How often reports go to the parent. */
const REPORT_MS = 50;

/** The same for those that somebody waits for. */
const SAFE_REPORT_MS = 10;

/** The child's end of the line to its parent. Without a parent there is nothing to do: the process ends. */
export function parentLine(): ParentLine {
  process.on("disconnect", () => process.exit(1));
  return new ParentLine();
}

/** Sends what a child process has to report, in batches and in order. */
export class ParentLine {
  readonly #waiters = new Map<ParentMessage["type"], () => void>();
  readonly #heard = new Set<ParentMessage["type"]>();

  constructor() {
    process.on("message", (message: ParentMessage) => {
      this.#heard.add(message.type);
      this.#waiters.get(message.type)?.();
    });
  }

  send(message: ChildMessage): void {
    process.send?.(message);
  }

  /** Resolves when the parent has said so, now or before. */
  heard(type: ParentMessage["type"]): Promise<void> {
    if (this.#heard.has(type)) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.set(type, resolve));
  }

  /** Sends the last word and ends the process once it has left. */
  finish(message: ChildMessage): void {
    process.send?.(message, undefined, {}, () => process.exit(0));
  }
}

/** Collects items and sends them together. */
export class Batch<T> {
  readonly #send: (items: readonly T[]) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #items: T[] = [];

  constructor(send: (items: readonly T[]) => void) {
    this.#send = send;
    this.#timer = setInterval(() => this.flush(), REPORT_MS);
  }

  add(item: T): void {
    this.#items.push(item);
  }

  flush(): void {
    if (this.#items.length === 0) return;
    this.#send(this.#items);
    this.#items = [];
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
  }
}

/** Collects items, sends them together, and says of each when it is out of this process, so that its end cannot take it back. */
export class SafeBatch<T> {
  readonly #message: (items: readonly T[]) => ChildMessage;
  #items: T[] = [];
  #sent: Promise<void> | null = null;

  constructor(message: (items: readonly T[]) => ChildMessage) {
    this.#message = message;
  }

  add(item: T): Promise<void> {
    this.#items.push(item);
    this.#sent ??= this.#send();
    return this.#sent;
  }

  async #send(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, SAFE_REPORT_MS));
    this.#sent = null;
    const message = this.#message(this.#items);
    this.#items = [];
    await new Promise<void>((resolve, reject) => {
      process.send?.(message, undefined, {}, (error) => (error === null ? resolve() : reject(error)));
    });
  }
}
