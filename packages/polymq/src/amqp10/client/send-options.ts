import type { SendOptions as EngineSendOptions } from "../engine/sender-link.ts";
import { PLAIN } from "./pending-send.ts";
import type { AmqpTransaction } from "./transactions/transaction.ts";

/** How one message is sent. */
export interface SendOptions {
  /** Whether it is sent settled, on a link that allows both. Default: unsettled, unless the link's mode is `settled`. */
  readonly settled?: boolean;
  /** Takes it back while it waits; after that only the waiting ends, and the server may have the message. */
  readonly signal?: AbortSignal;
  /** 1 to 32 bytes, unlike all others of the link that are not settled. Default: a counter. */
  readonly deliveryTag?: Uint8Array;
  /** Default 0, the format of §3.2. */
  readonly messageFormat?: number;
  /** Says that bytes are a whole message, encoded already, in the message's format. Default false: they are its data. */
  readonly encoded?: boolean;
  /** Says that the message's bytes stay as they are until its outcome is there: one data section of 1 MiB or more is then read as it leaves, not copied. Default false. */
  readonly lent?: boolean;
  /** Sends it in a transaction of this connection, unsettled; the outcome then holds once the transaction is committed (§4.4.1). */
  readonly transaction?: AmqpTransaction;
  /** Longest wait for the outcome once the message has left, in ms: then it is ERR_TIMEOUT, and the server may have the message. 0 to 2,147,483,647; default 0, no limit. */
  readonly outcomeTimeoutMs?: number;
  /** Whether rejected, released and modified are errors, or outcomes like accepted. Default `throw`. */
  readonly unaccepted?: "throw" | "return";
}

/** The engine's part of the options; shared objects for the common cases. */
export function engineOptions(options: SendOptions): EngineSendOptions {
  const { settled, deliveryTag, messageFormat, transaction, lent } = options;
  const isRare = transaction !== undefined || deliveryTag !== undefined || messageFormat !== undefined;
  if (!isRare && lent !== true) return settled === undefined ? PLAIN : settled ? SETTLED : UNSETTLED;
  return {
    ...(transaction === undefined ? {} : { rare: transaction.rare }),
    ...(settled === undefined ? {} : { settled }),
    ...(lent === undefined ? {} : { lent }),
    ...(deliveryTag === undefined ? {} : { tag: deliveryTag }),
    ...(messageFormat === undefined ? {} : { messageFormat }),
  };
}

const SETTLED: EngineSendOptions = Object.freeze({ settled: true });
const UNSETTLED: EngineSendOptions = Object.freeze({ settled: false });
