import { type AmqpMap, Condition, type DeliveryState, type Source, type SourceInput } from "polymq/amqp10/codec";
import { QUEUE_PREFIX } from "../../core/queues/queue-address.ts";
import type { ConsumeRequest, ConsumeResult } from "../../core/topology/topology-port.ts";
import { filterOfSource, type SourceAddress, sourceAddress } from "./addresses.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineSender } from "./amqp10-types.ts";
import type { Attach, Opened, Opening } from "./attach-link.ts";
import { type ConsumeTerms, consumeTerms } from "./attach-properties.ts";
import { BrowseSource } from "./browse-source.ts";
import { terminalState } from "./outcomes.ts";
import { QueueSource, sendsSettled } from "./queue-source.ts";
import { Refused } from "./refused.ts";
import { selection, selectiveGroup } from "./selection.ts";
import { type SourceFilters, sourceFilters } from "./source-filters.ts";
import { expiryOf, isLasting, knownSubscription, makeSubscription, subscriptionName } from "./subscriptions.ts";
import { temporaryQueue } from "./temporary-queue.ts";
import { TopicSource } from "./topic-source.ts";

/** What receivers may say of deliveries (§3.4). */
const OUTCOMES = ["amqp:accepted:list", "amqp:rejected:list", "amqp:released:list", "amqp:modified:list"];

type QueueAddress = Extract<SourceAddress, { readonly is: "queue" }>;

/** A link on which the client wants to receive. @throws {Refused} */
export function attachSource(connection: Amqp10Connection, link: EngineSender, attach: Attach): Opening {
  const source = attach.source ?? knownSubscription(connection, link, attach);
  if (source === null || !("type" in source)) throw new Refused(Condition.invalidField, "a receiver needs a source");
  if (source.dynamic) return dynamic(connection, link, source);
  if (typeof source.address !== "string") throw new Refused(Condition.invalidField, "an address is a string");
  const address = sourceAddress(source.address, connection.nameFacts(source.capabilities));
  const filter = filterOfSource(address);
  const { access } = connection.client;
  if (address.is === "topics") {
    return {
      decision: access.maySubscribe(filter, null),
      what: `receiving from ${filter}`,
      open: () => topics(connection, link, address.filter, source),
    };
  }
  const filters = sourceFilters(source.filter, "queue");
  const terms = consumeTerms(attach.properties, filters.position);
  return {
    decision: access.maySubscribe(filter, terms.group === "" ? null : terms.group),
    what: `receiving from ${filter}`,
    open: () => queue(connection, link, { address, source, filters, terms }),
  };
}

function topics(connection: Amqp10Connection, link: EngineSender, filter: string, source: Source): Opened {
  const filters = sourceFilters(source.filter, "topics");
  if (isLasting(source)) return subscription(connection, link, { filter, source, filters });
  const selects = selection(filters.selector, connection.context.selectors);
  const owner = new TopicSource(connection, link, { filter, noLocal: filters.noLocal, selects });
  connection.context.metrics.subscriptionsAccepted++;
  return { owner, source: answered(source, filters.echoed), start: () => owner.start() };
}

/** A subscription that outlives its link: a queue keeps its messages, and the link is a consumer of that (§3.5.3). */
function subscription(
  connection: Amqp10Connection,
  link: EngineSender,
  asked: { readonly filter: string; readonly source: Source; readonly filters: SourceFilters },
): Opened {
  const { filter, filters } = asked;
  const source: Source = { ...asked.source, ...expiryOf(asked.source) };
  const name = subscriptionName(connection, link, source.capabilities);
  makeSubscription(connection, name, filter, { ...source, filter: filters.echoed });
  link.answersLater = true;
  const own = connection.client.id;
  const selects = selection(filters.selector, connection.context.selectors);
  const owner = new QueueSource(
    connection,
    link,
    {
      form: "subscribed",
      selects:
        filters.noLocal || selects !== null
          ? ({ message }) => !(filters.noLocal && message.publisherId === own) && (selects?.(message) ?? true)
          : null,
      defaultOutcome: defaultOutcomeOf(source),
      onEnd: (closed) => {
        if (closed) connection.host.deleteQueue(name, connection, { ifUnused: true });
      },
    },
    sendsSettled(link),
  );
  return joined(connection, link, { owner, name, request: {} }, answered(source, filters.echoed));
}

interface Asked {
  readonly address: QueueAddress;
  readonly source: Source;
  readonly filters: SourceFilters;
  readonly terms: ConsumeTerms;
}

function queue(connection: Amqp10Connection, link: EngineSender, asked: Asked): Opened {
  const { address, source, filters, terms } = asked;
  const selects = selection(filters.selector, connection.context.selectors);
  if (address.isAddress) make(connection, address.name);
  if (source.distributionMode === "copy" && !isStream(connection, address.name)) {
    return browse(connection, link, asked);
  }
  const owner = new QueueSource(
    connection,
    link,
    {
      form: address.isAddress || terms.group !== "" ? "stamped" : "plain",
      selects: selects === null ? null : ({ message }) => selects(message),
      defaultOutcome: defaultOutcomeOf(source),
      onEnd: null,
    },
    sendsSettled(link),
  );
  return joined(
    connection,
    link,
    { owner, name: address.name, request: requestOf(connection, asked) },
    {
      ...answered(source, filters.echoed),
      distributionMode: source.distributionMode ?? "move",
    },
  );
}

/** A reader that takes nothing from the queue (§3.5.9). */
function browse(connection: Amqp10Connection, link: EngineSender, asked: Asked): Opened {
  const { address, source, filters } = asked;
  const { host } = connection;
  if (address.filter !== "") throw new Refused(Condition.notImplemented, "a queue is browsed without a filter of keys");
  const found = host.queue(address.name, connection);
  if (found.is !== "found") throw consumeRefusal({ is: found.is }, address.name);
  const selects = selection(filters.selector, connection.context.selectors);
  const owner = new BrowseSource(connection, link, { queue: address.name, isStamped: address.isAddress, selects });
  return { owner, source: answered(source, filters.echoed), start: () => owner.start() };
}

/** A queue of the connection's own that ends with the link (§3.5.3). */
function dynamic(connection: Amqp10Connection, link: EngineSender, source: Source): Opening {
  const open = (): Opened => {
    const temporary = temporaryQueue(connection);
    const owner = new QueueSource(
      connection,
      link,
      {
        form: "plain",
        selects: null,
        defaultOutcome: defaultOutcomeOf(source),
        onEnd: () => temporary.delete(),
      },
      sendsSettled(link),
    );
    const answer = { ...answered(source, null), address: temporary.address };
    return joined(connection, link, { owner, name: temporary.name, request: {} }, answer);
  };
  return { decision: true, what: "a temporary queue", open };
}

interface Joining {
  readonly owner: QueueSource;
  readonly name: string;
  readonly request: Omit<ConsumeRequest, "consumer" | "acknowledge">;
}

function joined(connection: Amqp10Connection, link: EngineSender, joining: Joining, source: SourceInput): Opened {
  const { owner, name, request } = joining;
  const { host, context } = connection;
  const acknowledge = sendsSettled(link) ? "automatic" : "explicit";
  const result = host.consume(name, { ...request, consumer: owner, acknowledge }, connection);
  if (result.is !== "consuming") throw consumeRefusal(result, name);
  context.metrics.subscriptionsAccepted++;
  owner.join(result.subscription);
  return { owner, source, start: () => owner.start() };
}

function requestOf(connection: Amqp10Connection, { address, filters, terms }: Asked): Joining["request"] {
  const { from, commit, priority } = terms;
  const { selector } = filters;
  // A reader of a stream that names no group has one of its own, which passes over what is not selected.
  const isOwnLine = selector !== null && (terms.group !== "" || !isStream(connection, address.name));
  const group = isOwnLine ? selectiveGroup(terms.group, selector) : terms.group;
  return {
    commit,
    ...(group === "" ? {} : { group }),
    ...(isOwnLine && terms.group === "" ? { besideShared: true } : {}),
    ...(address.filter === "" ? {} : { filter: address.filter }),
    ...(from === undefined ? {} : { from }),
    ...(priority === undefined ? {} : { priority }),
  };
}

/** A `$queue/` address names a queue that is made when somebody uses it, as the broker's options say. */
function make(connection: Amqp10Connection, name: string): void {
  const { hub, autoCreateQueues } = connection.context;
  if (hub.queues.has(name)) return;
  if (autoCreateQueues === "refuse") throw new Refused(Condition.notFound, `there is no queue ${QUEUE_PREFIX}${name}`);
  hub.queues.declare({ name, lifetime: autoCreateQueues });
}

function isStream(connection: Amqp10Connection, name: string): boolean {
  return connection.context.hub.queues.get(name)?.settings.kind === "stream";
}

function answered(source: Source, filter: AmqpMap | null): SourceInput {
  return { ...source, filter, outcomes: source.outcomes.length === 0 ? OUTCOMES : source.outcomes };
}

function defaultOutcomeOf(source: Source): DeliveryState | null {
  return terminalState(source.defaultOutcome);
}

function consumeRefusal(result: ConsumeResult, name: string): Refused {
  switch (result.is) {
    case "locked":
      return new Refused(Condition.resourceLocked, `queue ${name} belongs to another connection`);
    case "alone":
      return new Refused(Condition.resourceLocked, `queue ${name} is in exclusive use`);
    case "mode-mismatch":
      return new Refused(Condition.preconditionFailed, `the group of queue ${name} is in another mode`);
    case "invalid":
      return new Refused(Condition.invalidField, `${result.field}: ${result.why}`);
    case "limit":
      return new Refused(Condition.resourceLimitExceeded, `there are ${result.countMax} ${result.what}`);
    default:
      return new Refused(Condition.notFound, `there is no queue ${name}`);
  }
}
