import { MessagingError } from "../base/errors.ts";
import { checkedOptions, type OptionSource } from "../base/option-rules.ts";
import type { ConsumeCall, ReadCall, Tell } from "./adapter.ts";
import { bytes, type Codec } from "./codec.ts";
import { Consumer } from "./consumer.ts";
import type { Delivery } from "./delivery.ts";
import type { StreamFrom, TopicFilterOptions, WhenInvalid } from "./options.ts";

/** Options as any call that consumes may have them. */
export interface AnyConsumeOptions extends TopicFilterOptions {
  readonly handler?: (message: never) => unknown;
  readonly qos?: 0 | 1 | 2;
  readonly group?: string;
  readonly filter?: string;
  readonly prefetch?: number;
  readonly concurrency?: number;
  readonly ack?: "auto" | "manual";
  readonly whenHandlerFails?: "nack" | "reject";
  readonly onInvalid?: WhenInvalid;
  readonly from?: StreamFrom;
  readonly commit?: "auto" | "manual";
  readonly signal?: AbortSignal;
}

/** A checked call, and what hands its messages out. */
export interface CheckedConsume {
  readonly call: ReadCall;
  readonly consumer: Consumer;
}

const CODE = "ERR_INVALID_SUBSCRIBE_OPTION";

/** What a call consumes. */
type Consumed = "topic" | "queue" | "stream";

/** The options that others have and it has not: none is left out in silence. */
const FOREIGN: Readonly<Record<Consumed, readonly (keyof AnyConsumeOptions)[]>> = {
  topic: ["group", "filter", "prefetch", "from", "commit"],
  queue: ["qos", "noLocal", "retainAsPublished", "retainHandling", "from", "commit"],
  stream: ["qos", "noLocal", "retainAsPublished", "retainHandling"],
};

/** Checks a call that consumes. @throws {MessagingError} ERR_INVALID_SUBSCRIBE_OPTION, ERR_INVALID_QOS */
export function checkConsume(
  what: Consumed,
  given: AnyConsumeOptions | ((message: never) => unknown) | undefined,
  codec: Codec<never, unknown> | undefined,
  tell: Tell,
): CheckedConsume {
  const options = optionsOf(given);
  for (const name of FOREIGN[what]) if (options[name] !== undefined) throw invalid(`a ${what} has no option ${name}`);
  const { handler, qos = 0, group = "", filter = "", onInvalid = "reject", from = "resume", signal } = options;
  if (handler !== undefined && typeof handler !== "function") throw invalid("handler must be a function");
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new MessagingError("ERR_INVALID_QOS", "qos must be 0, 1 or 2");
  if (typeof group !== "string" || /[@/+#]/.test(group)) throw invalid("a group is a name without @, /, + and #");
  if (typeof filter !== "string") throw invalid("a filter is text");
  if (typeof onInvalid !== "function" && onInvalid !== "reject" && onInvalid !== "throw") {
    throw invalid("onInvalid must be reject, throw or a function");
  }
  const source: OptionSource = { code: CODE, options };
  checkedOptions(source, { prefetch: [1, 65_535, 100], concurrency: [1, 65_535, 1] });
  const words = checkedOptions(source, {
    ack: ["auto", "manual"],
    whenHandlerFails: ["nack", "reject"],
    commit: ["auto", "manual"],
  });
  const consumer = new Consumer({
    codec: codec === undefined || codec === (bytes as Codec<never, unknown>) ? null : codec,
    onInvalid,
    handler: (handler as ((message: Delivery) => unknown) | undefined) ?? null,
    tell,
  });
  const deliver: ConsumeCall["deliver"] = handler === undefined ? null : (message) => consumer.deliver(message);
  const { prefetch, concurrency } = options;
  const topic = topicFilterOf(options);
  return { call: { deliver, qos, group, filter, topic, prefetch, concurrency, from, signal, ...words }, consumer };
}

/** What is said of the topic's messages; null when nothing. The MQTT client checks it. */
function topicFilterOf({ noLocal, retainAsPublished, retainHandling }: AnyConsumeOptions): TopicFilterOptions | null {
  if (noLocal === undefined && retainAsPublished === undefined && retainHandling === undefined) return null;
  return {
    ...(noLocal === undefined ? {} : { noLocal }),
    ...(retainAsPublished === undefined ? {} : { retainAsPublished }),
    ...(retainHandling === undefined ? {} : { retainHandling }),
  };
}

function optionsOf(given: AnyConsumeOptions | ((message: never) => unknown) | undefined): AnyConsumeOptions {
  if (typeof given === "function") return { handler: given };
  if (given === undefined) return {};
  if (typeof given === "object" && given !== null) return given;
  throw invalid("what follows the name is a handler or an options object");
}

function invalid(what: string): MessagingError {
  return new MessagingError(CODE, what);
}
