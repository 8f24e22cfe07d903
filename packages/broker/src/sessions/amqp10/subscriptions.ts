import { ByteWriter, Condition, decodeComposite, type Source, ValueReader, writeComposite } from "polymq/amqp10/codec";
import type { TextCodec } from "polymq/internal";
import { hostedName } from "../../core/queues/hosted-name.ts";
import { QUEUE_NAME_MAX } from "../../core/queues/queue-address.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineSender } from "./amqp10-types.ts";
import type { Attach } from "./attach-link.ts";
import { Refused } from "./refused.ts";

/** Whether a source of plain topics is to stay when its link is gone (§3.5.5, §3.5.6). */
export function isLasting(source: Source): boolean {
  return source.durable > 0 || source.expiryPolicy === "never" || source.timeout > 0;
}

/** How long it does (§3.5.6), as the client is told: from the end of its last link on as long as its timeout says, and for ever when that says nothing. */
export function expiryOf(source: Source): Pick<Source, "expiryPolicy" | "timeout"> {
  const isMortal = source.timeout > 0 && source.expiryPolicy !== "never";
  return isMortal ? { expiryPolicy: "link-detach", timeout: source.timeout } : { expiryPolicy: "never", timeout: 0 };
}

/**
 * The queue of a subscription: it belongs to the client's container and the link's name. With the capability `shared` several links have it, which differ in
 * what follows a `|`; with `global`, links of all containers.
 * @throws {Refused} for names that are too long
 */
export function subscriptionName(
  connection: Amqp10Connection,
  link: EngineSender,
  capabilities: readonly string[],
): string {
  const isShared = capabilities.includes("shared");
  const container = isShared && capabilities.includes("global") ? "" : connection.client.container;
  const bar = link.name.indexOf("|");
  const plain = isShared && bar > 0 ? link.name.slice(0, bar) : link.name;
  const name = `sub:${encodeURIComponent(container)}:${encodeURIComponent(plain)}`;
  if (name.length <= QUEUE_NAME_MAX) return name;
  throw new Refused(
    Condition.resourceLimitExceeded,
    "the names of container and link are too long to subscribe durably",
  );
}

/**
 * Makes the queue of a subscription; one that is there for other topics, or with other filters, is made anew, as the subscription is another one then.
 * @param source what is in force of what was asked for; it is kept with the queue
 * @throws {Refused}
 */
export function makeSubscription(connection: Amqp10Connection, name: string, filter: string, source: Source): void {
  const { host, context } = connection;
  const { queues } = context.hub;
  const existing = queues.get(hostedName(host.name, name));
  if (existing !== null) {
    const known = keptSource(host.variantOf(name), context.text);
    const isSame = filterText(known, context.text) === filterText(source, context.text);
    if (existing.settings.topics.includes(filter) && isSame) return;
    // Who attaches a link of its own again takes it from where it was; links that others share are theirs.
    const ifUnused = source.capabilities.includes("shared");
    if (host.deleteQueue(name, connection, { ifUnused }).is === "in-use") {
      throw new Refused(
        Condition.preconditionFailed,
        "the subscription that is shared here has other topics or filters",
      );
    }
  }
  const variant = textOf(source, context.text);
  const settings = source.expiryPolicy === "never" ? { variant } : { variant, expiresMs: source.timeout * 1_000 };
  const made = host.declareQueue({ name, durable: true, exclusive: false, autoDelete: false, settings }, connection);
  if (made.is !== "created") throw new Refused(Condition.resourceLimitExceeded, "no further subscription can be kept");
  queues.declare({ name, topics: [filter] }, { ifExists: "update" });
}

/** The source of a subscription that is asked for by nothing but its link's name (§2.6.3): null when there is none. */
export function knownSubscription(connection: Amqp10Connection, link: EngineSender, attach: Attach): Source | null {
  const capabilities = attach.desiredCapabilities;
  const name = subscriptionName(connection, link, capabilities);
  const { host, context } = connection;
  const [topic] = context.hub.queues.get(hostedName(host.name, name))?.settings.topics ?? [];
  if (topic === undefined) throw new Refused(Condition.notFound, `there is no subscription ${link.name}`);
  const kept = keptSource(host.variantOf(name), context.text);
  // One of an earlier version is known by its topics alone.
  return kept ?? { ...NO_SOURCE, address: topic, capabilities };
}

/** A source as text, as it is kept with the queue of its subscription. */
function textOf(source: Source, text: TextCodec): string {
  const w = new ByteWriter(text);
  writeComposite(w, source);
  return Buffer.from(w.buffer.subarray(0, w.at)).toString("base64");
}

function keptSource(variant: string, text: TextCodec): Source | null {
  if (variant === "") return null;
  const bytes = new Uint8Array(Buffer.from(variant, "base64"));
  const r = new ValueReader(text);
  r.reset(bytes, 0, bytes.length);
  return decodeComposite(r, ["source"]);
}

/** What two subscriptions must have in common to be one, besides their topics. */
function filterText(source: Source | null, text: TextCodec): string {
  return textOf({ ...NO_SOURCE, filter: source?.filter ?? null }, text);
}

const NO_SOURCE: Source = Object.freeze<Source>({
  type: "source",
  address: null,
  durable: 2,
  expiryPolicy: "never",
  timeout: 0,
  dynamic: false,
  dynamicNodeProperties: null,
  distributionMode: null,
  filter: null,
  defaultOutcome: null,
  outcomes: [],
  capabilities: [],
});
