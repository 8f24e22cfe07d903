/*
 * What the pages of both AMQPs can do: the test calls these by name inside a browser, with arguments and results that JSON can hold.
 */

/** Which broker, as a test names it. */
export interface AmqpTarget {
  readonly url: string;
}

/** What the test calls; each page has them for its protocol. */
export interface AmqpPageTests {
  /** Publishes with one promise per message, and consumes with acknowledgements by hand, `prefetch` at a time. */
  exchange(target: AmqpTarget & { readonly count: number; readonly prefetch: number }): Promise<AmqpExchangeReport>;
  largePayload(
    target: AmqpTarget & { readonly bytes: number },
  ): Promise<{ readonly same: boolean; readonly length: number }>;
  /** Takes `taken` of `count` messages, acknowledges every other of them, and leaves; resolves with what the next consumer is given. */
  leaveUnsettled(
    target: AmqpTarget & { readonly count: number; readonly taken: number },
  ): Promise<readonly { readonly text: string; readonly again: boolean }[]>;
  /** A durable queue with two members of one group and one of another; resolves with what each of the three got. */
  group(target: AmqpTarget & { readonly count: number }): Promise<readonly (readonly string[])[]>;
  /** Resolves with a running exchange's ledger, over connections that end meanwhile; `pageProgress` counts what came. */
  steady(target: AmqpTarget & { readonly count: number }): Promise<AmqpSteadyReport>;
  /** How connecting ends: `["connected"]`, or the error's code. */
  refused(
    target: AmqpTarget & { readonly username?: string; readonly password?: string; readonly headers?: boolean },
  ): Promise<readonly string[]>;
  /** How publishing to nobody ends: the error's code. */
  unroutable(target: AmqpTarget): Promise<string>;
}

/** What an exchange saw. */
export interface AmqpExchangeReport {
  readonly texts: readonly string[];
  /** Publishes that the server confirmed. */
  readonly confirmed: number;
  /** Most messages in hand at a time. */
  readonly unsettledMax: number;
  /** Messages in the queue after all were acknowledged. */
  readonly left: number;
}

/** What an exchange over several connections saw. */
export interface AmqpSteadyReport {
  /** In the order of their first arrival, with repetitions. */
  readonly texts: readonly string[];
  readonly confirmed: number;
  readonly reconnects: number;
  readonly lost: readonly string[];
}

/** Puts a page's functions where the test finds them. */
export function offerPageTests(pageTests: AmqpPageTests): void {
  Object.assign(globalThis, { pageTests, pageProgress: 0 });
}

/** Tells the test how far the page is. */
export function tellProgress(count: number): void {
  Object.assign(globalThis, { pageProgress: count });
}

/** The texts of `count` messages. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `message ${index}`);
}

/** Bytes that differ from place to place. */
export function patterned(bytes: number): Uint8Array {
  const payload = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index++) payload[index] = (index * 31) >>> 3;
  return payload;
}

/** Whether what came is what was sent. */
export function compared(came: Uint8Array, sent: Uint8Array): { readonly same: boolean; readonly length: number } {
  const same = came.length === sent.length && came.every((byte, index) => byte === sent[index]);
  return { same, length: came.length };
}

/** A promise, and how to fulfil it. */
export function settled(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
