import { AmqpMap, type AmqpValue, Described, plain } from "polymq/amqp10/codec";
import { Selector } from "../../core/selector/selector.ts";

/** What is known of a source's filter set (§3.5.8): what is not known is not echoed, so that the client sees that it does not count. */
export interface SourceFilters {
  readonly noLocal: boolean;
  /** The condition of a selector, or null. */
  readonly selector: string | null;
  /** Where a stream is read from, as RabbitMQ has it. */
  readonly position: AmqpValue | undefined;
  /** What the broker does of it, for the answer; null for none. */
  readonly echoed: AmqpMap | null;
}

/** The codes that stand for filters' names (apache.org's registry of AMQP types). */
const NO_LOCAL_CODE = 0x0000_468c_0000_0003;
const SELECTOR_CODE = 0x0000_468c_0000_0004;

const NO_LOCAL = "apache.org:no-local-filter:list";
const SELECTOR = "apache.org:selector-filter:string";
const STREAM_OFFSET = "rabbitmq:stream-offset-spec";

/**
 * Reads a filter set. @param node what the source is: plain topics know no-local, queues positions
 * @throws {MessagingError} ERR_INVALID_ARGUMENT for one of several selectors that cannot be read
 */
export function sourceFilters(filter: AmqpMap | null, node: "topics" | "queue"): SourceFilters {
  const echoed = new AmqpMap();
  let noLocal = false;
  let selector: string | null = null;
  let position: AmqpValue | undefined;
  for (const [key, value] of filter ?? []) {
    const { name, argument } = read(key, value);
    const text = plain(argument);
    if (name === NO_LOCAL && node === "topics") noLocal = true;
    else if (name === SELECTOR && typeof text === "string") selector = both(selector, text);
    else if (name === STREAM_OFFSET && node === "queue") position = argument;
    else continue;
    echoed.append(key, value);
  }
  return { noLocal, selector, position, echoed: echoed.size === 0 ? null : echoed };
}

/** A message passes all filters of a set. Each is read by itself: together they could make sense where one alone makes none. */
function both(first: string | null, second: string): string {
  if (first === null) return second;
  new Selector(first);
  new Selector(second);
  return `(${first}) AND (${second})`;
}

/** The type of a filter is its descriptor; one without is taken for its key. */
function read(key: AmqpValue, value: AmqpValue): { readonly name: string; readonly argument: AmqpValue } {
  if (!(value instanceof Described)) return { name: String(plain(key)), argument: value };
  const descriptor = plain(value.descriptor);
  if (descriptor === NO_LOCAL_CODE) return { name: NO_LOCAL, argument: value.value };
  if (descriptor === SELECTOR_CODE) return { name: SELECTOR, argument: value.value };
  return { name: String(descriptor), argument: value.value };
}
