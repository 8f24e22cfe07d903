import { DEAD_LETTER_PREFIX, QUEUE_NAME_MAX } from "../queues/queue-address.ts";
import type { DeadLetterDefinition, QueueDefinition, QueueSettings } from "../queues/queue-settings.ts";
import type { HostedQueueDefinition, HostedQueueSettings, Inequivalent } from "./topology-port.ts";

/** A {@link HostedQueueDefinition} without anything left to say; stored with the queue. */
export interface QueueDeclaration {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly settings: HostedQueueSettings;
}

/** What differs between a queue and a declaration. */
export type QueueDifference = Inequivalent<"durable" | "exclusive" | "autoDelete" | keyof HostedQueueSettings>;

const DEFAULTS: HostedQueueSettings = {
  kind: "classic",
  variant: "",
  ttlMs: null,
  expiresMs: null,
  maxLength: null,
  maxBytes: null,
  overflow: "drop-head",
  deadLetterExchange: null,
  deadLetterKey: null,
  priorityMax: 0,
  singleActiveConsumer: false,
  deliveryLimit: 0,
  maxAgeMs: null,
};

/** Time to settle a delivery while its consumer is connected: as long as nobody needs who works on it. */
const SETTLE_TIMEOUT_MS = 1_800_000;

/** An unused queue of a broker's lifetime does not end before that. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/** Fills in defaults. */
export function queueDeclaration(definition: HostedQueueDefinition): QueueDeclaration {
  const { durable, exclusive, autoDelete } = definition;
  return { durable, exclusive, autoDelete, settings: { ...DEFAULTS, ...definition.settings } };
}

/** What is wrong with a declaration in itself: the field and a text for people; or null. Ranges are checked with the queue's settings. */
export function declarationFault(
  declaration: QueueDeclaration,
): { readonly field: string; readonly why: string } | null {
  const { settings, durable, exclusive } = declaration;
  for (const field of ["ttlMs", "expiresMs", "maxLength", "maxBytes", "maxAgeMs"] as const) {
    const value = settings[field];
    const least = mayBeZero(field, settings) ? 0 : 1;
    if (value !== null && (!Number.isSafeInteger(value) || value < least)) {
      return { field, why: `must be a whole number of at least ${least}` };
    }
  }
  if (settings.deadLetterKey !== null && settings.deadLetterExchange === null) {
    return { field: "deadLetterKey", why: "needs an exchange for dead letters" };
  }
  if (settings.kind === "classic") return null;
  if (!durable) return { field: "durable", why: "a stream is durable" };
  return exclusive ? { field: "exclusive", why: "a stream is not exclusive" } : null;
}

/** Of a stream 0 would mean to keep nothing, which would be no stream. */
function mayBeZero(field: string, settings: HostedQueueSettings): boolean {
  return field === "ttlMs" || (settings.kind === "classic" && (field === "maxLength" || field === "maxBytes"));
}

/** The settings of the queue that a declaration makes. */
export function definitionOf(queue: string, name: string, declaration: QueueDeclaration): QueueDefinition {
  const { settings, durable, exclusive } = declaration;
  const { kind, priorityMax, singleActiveConsumer, deliveryLimit } = settings;
  const lifetime = durable && !exclusive ? ("durable" as const) : ("ephemeral" as const);
  const common = { name: queue, kind, lifetime, priorityMax, singleActiveConsumer, deliveryLimit };
  const deadLetter = lettersOf(queue === name ? name : "", name, declaration);
  return { ...common, ...limitsOf(settings), deadLetter, expiresAfterMs: NEVER_MS };
}

/** What may not wait in a queue of such settings, if anything; the queue's own limits have no word for it. */
export function passingOf(settings: HostedQueueSettings): "messages" | "bytes" | null {
  if (settings.kind === "stream") return null;
  return settings.maxLength === 0 ? "messages" : settings.maxBytes === 0 ? "bytes" : null;
}

function limitsOf(settings: HostedQueueSettings): Partial<QueueDefinition> {
  const { ttlMs, maxLength, maxBytes, overflow, maxAgeMs } = settings;
  if (settings.kind === "stream") {
    const retention = { ageMs: maxAgeMs ?? 0, bytes: maxBytes ?? 0, messages: maxLength ?? 0 };
    return { retention, maxDepth: 0, ttlMs: 0 };
  }
  const ttl = ttlMs === null ? 0 : Math.max(1, ttlMs);
  const limits = { maxDepth: maxLength ?? 0, maxBytes: maxBytes ?? 0, overflow };
  return { ...limits, ttlMs: ttl, visibilityTimeoutMs: SETTLE_TIMEOUT_MS };
}

/** Queues that come and go leave no dead letters behind, for nobody would look for them. A long name's dead letters lie under its beginning. */
function lettersOf(plainName: string, name: string, declaration: QueueDeclaration): DeadLetterDefinition {
  const enabled = !declaration.exclusive && !declaration.autoDelete && !name.startsWith(DEAD_LETTER_PREFIX);
  const room = QUEUE_NAME_MAX - DEAD_LETTER_PREFIX.length;
  return plainName.length <= room ? { enabled } : { enabled, queue: `${DEAD_LETTER_PREFIX}${name.slice(0, room)}` };
}

/** The first thing in which two declarations differ, or null. */
export function declarationDifference(current: QueueDeclaration, received: QueueDeclaration): QueueDifference | null {
  for (const field of ["durable", "exclusive", "autoDelete"] as const) {
    if (current[field] !== received[field]) {
      return { is: "inequivalent", field, received: received[field], current: current[field] };
    }
  }
  for (const field of Object.keys(DEFAULTS) as (keyof HostedQueueSettings)[]) {
    const [is, was] = [received.settings[field], current.settings[field]];
    if (is !== was) return { is: "inequivalent", field, received: is, current: was };
  }
  return null;
}

/**
 * The first thing that a declaration says and a queue is not, which nobody declared here; or null.
 * @param hasStore false: everything ends with the broker, and whether a queue is durable makes no difference
 */
export function settingsDifference(
  current: QueueSettings,
  received: HostedQueueDefinition,
  hasStore: boolean,
): QueueDifference | null {
  const durable = hasStore ? current.lifetime === "durable" : received.durable;
  const facts = { durable, exclusive: false, autoDelete: false };
  for (const field of ["durable", "exclusive", "autoDelete"] as const) {
    if (facts[field] !== received[field]) {
      return { is: "inequivalent", field, received: received[field], current: facts[field] };
    }
  }
  const is = hostedSettings(current);
  for (const field of Object.keys(received.settings ?? {}) as (keyof HostedQueueSettings)[]) {
    const wanted = received.settings?.[field] ?? null;
    if (field !== "variant" && wanted !== is[field]) {
      return { is: "inequivalent", field, received: wanted, current: is[field] };
    }
  }
  return null;
}

function hostedSettings(settings: QueueSettings): HostedQueueSettings {
  const { kind, overflow, priorityMax, singleActiveConsumer, deliveryLimit, retention } = settings;
  const isStream = kind === "stream";
  return {
    ...DEFAULTS,
    ...{ kind, overflow, priorityMax, singleActiveConsumer, deliveryLimit },
    ttlMs: orNull(settings.ttlMs),
    maxLength: orNull(isStream ? retention.messages : settings.maxDepth),
    maxBytes: orNull(isStream ? retention.bytes : settings.maxBytes),
    maxAgeMs: orNull(retention.ageMs),
  };
}

function orNull(value: number): number | null {
  return value === 0 ? null : value;
}
