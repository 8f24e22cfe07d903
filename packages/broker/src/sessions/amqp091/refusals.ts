import { ReplyCode } from "polymq/amqp091/codec";
import type { Inequivalent, InvalidSetting, LimitReached } from "../../core/topology/topology-port.ts";
import { ReplyError } from "./reply-error.ts";

/** A name in quotation marks with its virtual host, as RabbitMQ writes it: `queue 'q' in vhost '/'`. */
export function named(kind: "queue" | "exchange", name: string, host: string): string {
  return `${kind} '${name}' in vhost '${host}'`;
}

/** 404. */
export function notFound(kind: "queue" | "exchange", name: string, host: string): ReplyError {
  return new ReplyError(ReplyCode.NotFound, `no ${named(kind, name, host)}`);
}

/** 405: a queue of another connection. */
export function locked(name: string, host: string): ReplyError {
  const what = `cannot obtain exclusive access to locked ${named("queue", name, host)}`;
  return new ReplyError(
    ReplyCode.ResourceLocked,
    `${what}. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
  );
}

/** 403: a name that clients may not make or delete. */
export function reserved(kind: "queue" | "exchange", name: string): ReplyError {
  const what = name === "" ? DEFAULT_EXCHANGE : `${kind} name '${name}' contains reserved prefix 'amq.*'`;
  return new ReplyError(ReplyCode.AccessRefused, what);
}

const DEFAULT_EXCHANGE = "operation not permitted on the default exchange";

/** 403: nothing is bound to the default exchange. */
export function defaultExchange(): ReplyError {
  return new ReplyError(ReplyCode.AccessRefused, DEFAULT_EXCHANGE);
}

/** 406: there is something of that name, and it is different. */
export function inequivalent(
  difference: Inequivalent,
  names: Readonly<Record<string, string>>,
  what: string,
): ReplyError {
  const { field, received, current } = difference;
  const name = names[field] ?? field;
  const isArgument = name.startsWith("x-") || name === "alternate-exchange";
  const areNumbers = typeof received === "number" && typeof current === "number";
  const areNames = name === "x-dead-letter-exchange" && typeof received === "string" && typeof current === "string";
  const said = isArgument && !areNumbers && !areNames ? argumentText : plainText;
  return new ReplyError(
    ReplyCode.PreconditionFailed,
    `inequivalent arg '${name}' for ${what}: received ${said(received)} but current is ${said(current)}`,
  );
}

function plainText(value: string | number | boolean | null): string {
  return `'${value ?? "none"}'`;
}

function argumentText(value: string | number | boolean | null): string {
  if (value === null) return "none";
  const type = typeof value === "string" ? "longstr" : typeof value === "number" ? "signedint" : "bool";
  return `the value '${value}' of type '${type}'`;
}

/** 403: an exchange that is there from the beginning stays. */
export function systemExchange(name: string, host: string): ReplyError {
  return new ReplyError(ReplyCode.AccessRefused, `deletion of system ${named("exchange", name, host)} not allowed`);
}

/** 406: a setting that cannot be. */
export function invalidArgument(name: string, what: string, why: string): ReplyError {
  return new ReplyError(ReplyCode.PreconditionFailed, `invalid arg '${name}' for ${what}: ${why}`);
}

/** 406 for settings that the core refuses, and for limits. */
export function refusedSetting(
  result: InvalidSetting | LimitReached,
  names: Readonly<Record<string, string>>,
  what: string,
): ReplyError {
  if (result.is === "invalid") return invalidArgument(names[result.field] ?? result.field, what, result.why);
  return new ReplyError(
    ReplyCode.PreconditionFailed,
    `cannot make ${what}: there are ${result.countMax} ${result.what}`,
  );
}
