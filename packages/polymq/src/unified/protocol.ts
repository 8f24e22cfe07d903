/** The protocols that a client can speak: MQTT 3.1.1 and 5.0, AMQP 0-9-1, AMQP 1.0. */
export type Protocol = "mqtt" | "amqp091" | "amqp10";

/** The protocol that the scheme of an address stands for; `ws` and `wss` are MQTT over WebSocket unless `protocol` says otherwise. */
export interface SchemeProtocols {
  readonly mqtt: "mqtt";
  readonly mqtts: "mqtt";
  readonly ws: "mqtt";
  readonly wss: "mqtt";
  readonly amqp: "amqp091";
  readonly amqps: "amqp091";
  readonly amqp10: "amqp10";
  readonly amqp10s: "amqp10";
}

/** The protocol of an address whose scheme the compiler knows; of any other text all of them are possible. */
export type ProtocolOf<Url extends string> = string extends Url
  ? Protocol
  : Url extends `${infer Scheme}://${string}`
    ? Lowercase<Scheme> extends keyof SchemeProtocols
      ? SchemeProtocols[Lowercase<Scheme>]
      : never
    : never;

/** One address, or several of one protocol, to be tried in order from the last that worked. */
export type Urls = string | readonly string[];

/** What `protocol` may say: a protocol, whatever the scheme, or `auto`: 0-9-1, and 1.0 when the server answers with that. */
export type ProtocolChoice = Protocol | "auto";

/** The protocol that a call of `connect` results in, as far as its arguments tell. */
export type ProtocolFor<Url extends Urls, Choice extends ProtocolChoice | "scheme"> = Choice extends Protocol
  ? Choice
  : Choice extends "auto"
    ? WithSuccessor<ProtocolOf<TextOf<Url>>>
    : ProtocolOf<TextOf<Url>>;

type TextOf<Url extends Urls> = Url extends readonly (infer Text extends string)[] ? Text : Url & string;

type WithSuccessor<P extends Protocol> = P extends "amqp091" ? "amqp091" | "amqp10" : P;

/**
 * What a protocol can do beyond what all of them can. Options and methods that need more than every protocol of a client has are not in its type; at run time they are
 * `ERR_UNSUPPORTED`.
 */
export interface Capabilities {
  /** `retain`: kept messages; `exactlyOnce`: QoS 2; `delayedNack`: `nack({ delayMs })`; `rejectReason`: `reject(reason)`. */
  readonly mqtt: "retain" | "exactlyOnce" | "delayedNack" | "rejectReason";
  /** `exchange`: exchanges and routing keys of AMQP 0-9-1; `commit`: offsets of streams are committed by hand. */
  readonly amqp091: "exchange" | "commit";
  readonly amqp10: "delayedNack" | "rejectReason" | "commit";
}

/** One of {@link Capabilities}. */
export type Capability = Capabilities[Protocol];

/** True when every protocol of `P` has the capability. */
export type Can<P extends Protocol, What extends Capability> = [P] extends [ProtocolsWith<What>] ? true : false;

type ProtocolsWith<What extends Capability> = {
  [P in Protocol]: What extends Capabilities[P] ? P : never;
}[Protocol];

/** `Yes` when every protocol of `P` has the capability, else `No`. */
export type WhenCan<P extends Protocol, What extends Capability, Yes, No> = Can<P, What> extends true ? Yes : No;

/** Options that there are none of. */
export type Nothing = Readonly<Record<never, never>>;

/**
 * Whose ways of queues, groups and streams a server has: `polymq`, `fluxmq` (addresses below `$queue/`), `rabbitmq`, `mqtt` for an MQTT
 * server with shared subscriptions alone, over AMQP 1.0 `artemis`, `activemq` (Classic), and `amqp10` for a server of which nothing else is known.
 */
export type Dialect = "polymq" | "fluxmq" | "rabbitmq" | "artemis" | "activemq" | "mqtt" | "amqp10";
