/**
 * Every composite type of AMQP 1.0: transport (§2.7, §2.8), messaging (§3.2, §3.4, §3.5), transactions (§4.5) and security (§5.3.3).
 * Types, encoder and decoder come from these tables; the interop tier compares them with the official XML.
 */
import type { CompositeTable, Decoded, Encodable } from "./composite-types.ts";

/** Performatives, by name (§2.7). */
export const PERFORMATIVES = {
  open: {
    code: 0x10,
    symbol: "amqp:open:list",
    fields: {
      containerId: { type: "string", mandatory: true },
      hostname: { type: "string" },
      maxFrameSize: { type: "uint", default: 4_294_967_295 },
      channelMax: { type: "ushort", default: 65_535 },
      idleTimeOut: { type: "uint" },
      outgoingLocales: { type: "symbol", multiple: true },
      incomingLocales: { type: "symbol", multiple: true },
      offeredCapabilities: { type: "symbol", multiple: true },
      desiredCapabilities: { type: "symbol", multiple: true },
      properties: { type: "fields" },
    },
  },
  begin: {
    code: 0x11,
    symbol: "amqp:begin:list",
    fields: {
      remoteChannel: { type: "ushort" },
      nextOutgoingId: { type: "uint", mandatory: true },
      incomingWindow: { type: "uint", mandatory: true },
      outgoingWindow: { type: "uint", mandatory: true },
      handleMax: { type: "uint", default: 4_294_967_295 },
      offeredCapabilities: { type: "symbol", multiple: true },
      desiredCapabilities: { type: "symbol", multiple: true },
      properties: { type: "fields" },
    },
  },
  attach: {
    code: 0x12,
    symbol: "amqp:attach:list",
    fields: {
      name: { type: "string", mandatory: true },
      handle: { type: "uint", mandatory: true },
      role: { type: "boolean", mandatory: true },
      sndSettleMode: { type: "ubyte", default: 2 },
      rcvSettleMode: { type: "ubyte", default: 0 },
      source: { type: "source" },
      target: { type: "target" },
      unsettled: { type: "map" },
      incompleteUnsettled: { type: "boolean", default: false },
      initialDeliveryCount: { type: "uint" },
      maxMessageSize: { type: "ulong" },
      offeredCapabilities: { type: "symbol", multiple: true },
      desiredCapabilities: { type: "symbol", multiple: true },
      properties: { type: "fields" },
    },
  },
  flow: {
    code: 0x13,
    symbol: "amqp:flow:list",
    fields: {
      nextIncomingId: { type: "uint" },
      incomingWindow: { type: "uint", mandatory: true },
      nextOutgoingId: { type: "uint", mandatory: true },
      outgoingWindow: { type: "uint", mandatory: true },
      handle: { type: "uint" },
      deliveryCount: { type: "uint" },
      linkCredit: { type: "uint" },
      available: { type: "uint" },
      drain: { type: "boolean", default: false },
      echo: { type: "boolean", default: false },
      properties: { type: "fields" },
    },
  },
  transfer: {
    code: 0x14,
    symbol: "amqp:transfer:list",
    fields: {
      handle: { type: "uint", mandatory: true },
      deliveryId: { type: "uint" },
      deliveryTag: { type: "binary" },
      messageFormat: { type: "uint" },
      settled: { type: "boolean" },
      more: { type: "boolean", default: false },
      rcvSettleMode: { type: "ubyte" },
      state: { type: "deliveryState" },
      resume: { type: "boolean", default: false },
      aborted: { type: "boolean", default: false },
      batchable: { type: "boolean", default: false },
    },
  },
  disposition: {
    code: 0x15,
    symbol: "amqp:disposition:list",
    fields: {
      role: { type: "boolean", mandatory: true },
      first: { type: "uint", mandatory: true },
      last: { type: "uint" },
      settled: { type: "boolean", default: false },
      state: { type: "deliveryState" },
      batchable: { type: "boolean", default: false },
    },
  },
  detach: {
    code: 0x16,
    symbol: "amqp:detach:list",
    fields: {
      handle: { type: "uint", mandatory: true },
      closed: { type: "boolean", default: false },
      error: { type: "error" },
    },
  },
  end: { code: 0x17, symbol: "amqp:end:list", fields: { error: { type: "error" } } },
  close: { code: 0x18, symbol: "amqp:close:list", fields: { error: { type: "error" } } },
} as const;

/** Bodies of SASL frames (§5.3.3). */
export const SASL_FRAMES = {
  saslMechanisms: {
    code: 0x40,
    symbol: "amqp:sasl-mechanisms:list",
    fields: { saslServerMechanisms: { type: "symbol", mandatory: true, multiple: true } },
  },
  saslInit: {
    code: 0x41,
    symbol: "amqp:sasl-init:list",
    fields: {
      mechanism: { type: "symbol", mandatory: true },
      initialResponse: { type: "binary" },
      hostname: { type: "string" },
    },
  },
  saslChallenge: {
    code: 0x42,
    symbol: "amqp:sasl-challenge:list",
    fields: { challenge: { type: "binary", mandatory: true } },
  },
  saslResponse: {
    code: 0x43,
    symbol: "amqp:sasl-response:list",
    fields: { response: { type: "binary", mandatory: true } },
  },
  saslOutcome: {
    code: 0x44,
    symbol: "amqp:sasl-outcome:list",
    fields: { code: { type: "ubyte", mandatory: true }, additionalData: { type: "binary" } },
  },
} as const;

/** The error composite (§2.8.14). */
export const ERROR = {
  error: {
    code: 0x1d,
    symbol: "amqp:error:list",
    fields: {
      condition: { type: "symbol", mandatory: true },
      description: { type: "string" },
      info: { type: "fields" },
    },
  },
} as const;

/** Delivery states and outcomes (§3.4, §4.5.5, §4.5.8). */
export const DELIVERY_STATES = {
  received: {
    code: 0x23,
    symbol: "amqp:received:list",
    fields: { sectionNumber: { type: "uint", mandatory: true }, sectionOffset: { type: "ulong", mandatory: true } },
  },
  accepted: { code: 0x24, symbol: "amqp:accepted:list", fields: {} },
  rejected: { code: 0x25, symbol: "amqp:rejected:list", fields: { error: { type: "error" } } },
  released: { code: 0x26, symbol: "amqp:released:list", fields: {} },
  modified: {
    code: 0x27,
    symbol: "amqp:modified:list",
    fields: {
      deliveryFailed: { type: "boolean" },
      undeliverableHere: { type: "boolean" },
      messageAnnotations: { type: "fields" },
    },
  },
  declared: {
    code: 0x33,
    symbol: "amqp:declared:list",
    fields: { txnId: { type: "value", mandatory: true } },
  },
  transactionalState: {
    code: 0x34,
    symbol: "amqp:transactional-state:list",
    fields: { txnId: { type: "value", mandatory: true }, outcome: { type: "deliveryState" } },
  },
} as const;

/** The source terminus (§3.5.3). */
export const SOURCES = {
  source: {
    code: 0x28,
    symbol: "amqp:source:list",
    fields: {
      address: { type: "value" },
      durable: { type: "uint", default: 0 },
      expiryPolicy: { type: "symbol", default: "session-end" },
      timeout: { type: "uint", default: 0 },
      dynamic: { type: "boolean", default: false },
      dynamicNodeProperties: { type: "fields" },
      distributionMode: { type: "symbol" },
      filter: { type: "fields" },
      defaultOutcome: { type: "deliveryState" },
      outcomes: { type: "symbol", multiple: true },
      capabilities: { type: "symbol", multiple: true },
    },
  },
} as const;

/** Target termini: a node (§3.5.4), or the transaction coordinator (§4.5.1). */
export const TARGETS = {
  target: {
    code: 0x29,
    symbol: "amqp:target:list",
    fields: {
      address: { type: "value" },
      durable: { type: "uint", default: 0 },
      expiryPolicy: { type: "symbol", default: "session-end" },
      timeout: { type: "uint", default: 0 },
      dynamic: { type: "boolean", default: false },
      dynamicNodeProperties: { type: "fields" },
      capabilities: { type: "symbol", multiple: true },
    },
  },
  coordinator: {
    code: 0x30,
    symbol: "amqp:coordinator:list",
    fields: { capabilities: { type: "symbol", multiple: true } },
  },
} as const;

/** Lifetime policies of dynamic nodes (§3.5.10 to §3.5.13), for the dynamic node property `lifetime-policy`. */
export const LIFETIME_POLICIES = {
  deleteOnClose: { code: 0x2b, symbol: "amqp:delete-on-close:list", fields: {} },
  deleteOnNoLinks: { code: 0x2c, symbol: "amqp:delete-on-no-links:list", fields: {} },
  deleteOnNoMessages: { code: 0x2d, symbol: "amqp:delete-on-no-messages:list", fields: {} },
  deleteOnNoLinksOrMessages: { code: 0x2e, symbol: "amqp:delete-on-no-links-or-messages:list", fields: {} },
} as const;

/** What a message to a coordinator holds as its value (§4.5.2, §4.5.3). */
export const TRANSACTION_REQUESTS = {
  declare: { code: 0x31, symbol: "amqp:declare:list", fields: { globalId: { type: "value" } } },
  discharge: {
    code: 0x32,
    symbol: "amqp:discharge:list",
    fields: { txnId: { type: "value", mandatory: true }, fail: { type: "boolean" } },
  },
} as const;

/** Message sections that are composites (§3.2.1, §3.2.4). Absent fields are null: their defaults are for whoever reads the message. */
export const SECTIONS = {
  header: {
    code: 0x70,
    symbol: "amqp:header:list",
    fields: {
      durable: { type: "boolean" },
      priority: { type: "ubyte" },
      ttl: { type: "uint" },
      firstAcquirer: { type: "boolean" },
      deliveryCount: { type: "uint" },
    },
  },
  properties: {
    code: 0x73,
    symbol: "amqp:properties:list",
    fields: {
      messageId: { type: "value" },
      userId: { type: "binary" },
      to: { type: "value" },
      subject: { type: "string" },
      replyTo: { type: "value" },
      correlationId: { type: "value" },
      contentType: { type: "symbol" },
      contentEncoding: { type: "symbol" },
      absoluteExpiryTime: { type: "timestamp" },
      creationTime: { type: "timestamp" },
      groupId: { type: "string" },
      groupSequence: { type: "uint" },
      replyToGroupId: { type: "string" },
    },
  },
} as const;

/** All tables in one, by name. */
export const COMPOSITES: CompositeTable = {
  ...PERFORMATIVES,
  ...SASL_FRAMES,
  ...ERROR,
  ...DELIVERY_STATES,
  ...SOURCES,
  ...TARGETS,
  ...LIFETIME_POLICIES,
  ...TRANSACTION_REQUESTS,
  ...SECTIONS,
};

type DecodedIn<T extends CompositeTable> = { [N in keyof T & string]: Decoded<N, T[N], NestedDecoded> };
type EncodableIn<T extends CompositeTable> = { [N in keyof T & string]: Encodable<N, T[N], NestedEncodable> };

/** The composites inside composites, decoded. */
interface NestedDecoded {
  error: AmqpError;
  deliveryState: DeliveryState;
  source: Source;
  target: Target | Coordinator;
}

/** The composites inside composites, to be encoded. */
interface NestedEncodable {
  error: AmqpErrorInput;
  deliveryState: DeliveryStateInput;
  source: SourceInput;
  target: TargetInput | CoordinatorInput;
}

type Table = typeof PERFORMATIVES &
  typeof SASL_FRAMES &
  typeof ERROR &
  typeof DELIVERY_STATES &
  typeof SOURCES &
  typeof TARGETS &
  typeof LIFETIME_POLICIES &
  typeof TRANSACTION_REQUESTS &
  typeof SECTIONS;

/** Name of a composite type: the `type` of its values. */
export type CompositeName = keyof Table & string;

/** A decoded composite of the given names. */
export type Composite<N extends CompositeName = CompositeName> = N extends CompositeName
  ? Decoded<N, Table[N], NestedDecoded>
  : never;

/** A composite to be encoded, of the given names. */
export type CompositeInput<N extends CompositeName = CompositeName> = N extends CompositeName
  ? Encodable<N, Table[N], NestedEncodable>
  : never;

/** What a peer says is wrong (§2.8.14). */
export interface AmqpError extends Readonly<DecodedError> {}
type DecodedError = DecodedIn<typeof ERROR>["error"];
/** An error to send. */
export interface AmqpErrorInput extends Readonly<EncodableError> {}
type EncodableError = EncodableIn<typeof ERROR>["error"];

/** A delivery state or outcome (§3.4). */
export type DeliveryState = Composite<keyof typeof DELIVERY_STATES>;
/** A delivery state to send. */
export type DeliveryStateInput = CompositeInput<keyof typeof DELIVERY_STATES>;
/** A source terminus (§3.5.3). */
export type Source = Composite<"source">;
/** A source to send. */
export type SourceInput = CompositeInput<"source">;
/** A target terminus (§3.5.4). */
export type Target = Composite<"target">;
/** A target to send. */
export type TargetInput = CompositeInput<"target">;
/** The coordinator of transactions as a target (§4.5.1). */
export type Coordinator = Composite<"coordinator">;
/** A coordinator to send. */
export type CoordinatorInput = CompositeInput<"coordinator">;
/** A performative (§2.7). */
export type Performative = Composite<keyof typeof PERFORMATIVES>;
/** A performative to send. */
export type PerformativeInput = CompositeInput<keyof typeof PERFORMATIVES>;
/** The body of a SASL frame (§5.3.3). */
export type SaslFrame = Composite<keyof typeof SASL_FRAMES>;
/** The body of a SASL frame to send. */
export type SaslFrameInput = CompositeInput<keyof typeof SASL_FRAMES>;
/** A message's header section (§3.2.1). */
export type Header = Composite<"header">;
/** A message's properties section (§3.2.4). */
export type Properties = Composite<"properties">;
