// Hot path: `encode` and `decode` run per message.
import { MessagingError } from "../base/errors.ts";
import { issueText, type SchemaIssue, type SchemaResult, type StandardSchema } from "./standard-schema.ts";

/** Turns values into payloads and back. `In` is what is published, `Out` what is received. */
export interface Codec<In, Out = In> {
  /** Told with every message that is published, unless the call says otherwise; undefined for none. */
  readonly contentType: string | undefined;
  /** May throw, or reject. */
  encode(value: In): string | Uint8Array | Promise<string | Uint8Array>;
  /** The payload is a view that stays valid. May throw, or reject: the message is invalid then. */
  decode(payload: Uint8Array): Out | Promise<Out>;
}

/** ERR_INVALID_MESSAGE: a value or payload that is not what a codec wants; `issues` says what is wrong with it. */
export class InvalidMessageError extends MessagingError {
  readonly issues: readonly SchemaIssue[];

  constructor(issues: readonly SchemaIssue[], cause?: unknown) {
    const text = issues.map(issueText).join("; ");
    super("ERR_INVALID_MESSAGE", text, cause === undefined ? {} : { cause });
    this.issues = issues;
  }
}

/** Payloads as they are: what is used where no codec is given. */
export const bytes: Codec<string | Uint8Array, Uint8Array> = {
  contentType: undefined,
  encode: (value) => value,
  decode: (payload) => payload,
};

/** Text in UTF-8; a payload that is ill-formed is invalid. */
export const text: Codec<string> = {
  contentType: "text/plain; charset=utf-8",
  encode: (value) => value,
  decode: (payload) => wellFormed(payload),
};

/** JSON without a schema: values of a type that the caller vouches for. */
export function json<T = unknown>(): Codec<T>;
/**
 * JSON that a Standard Schema validates (zod, valibot, arktype, ...), both when it is published and when it is received; what transforms does so on receipt. A value that does
 * not pass is an {@link InvalidMessageError}.
 */
export function json<In, Out>(schema: StandardSchema<In, Out>): Codec<In, Out>;
export function json(schema?: StandardSchema<unknown, unknown>): Codec<unknown> {
  return schema === undefined ? PLAIN_JSON : new JsonCodec(schema);
}

const JSON_TYPE = "application/json";

const PLAIN_JSON: Codec<unknown> = { contentType: JSON_TYPE, encode: stringify, decode: parse };

class JsonCodec implements Codec<unknown> {
  readonly contentType = JSON_TYPE;
  readonly #validate: StandardSchema<unknown, unknown>["~standard"]["validate"];

  constructor(schema: StandardSchema<unknown, unknown>) {
    const standard = schema?.["~standard"];
    if (typeof standard?.validate !== "function") {
      throw new MessagingError("ERR_INVALID_OPTIONS", "a schema has the interface of Standard Schema, version 1");
    }
    this.#validate = standard.validate;
  }

  encode(value: unknown): string | Promise<string> {
    const result = this.#validate(value);
    // What goes out is the value itself: a transformation is the receiver's.
    if (isPromise(result)) return result.then((late) => written(late, value));
    return written(result, value);
  }

  decode(payload: Uint8Array): unknown {
    const result = this.#validate(parse(payload));
    return isPromise(result) ? result.then(outputOf) : outputOf(result);
  }
}

function written(result: SchemaResult<unknown>, value: unknown): string {
  outputOf(result);
  return stringify(value);
}

function outputOf(result: SchemaResult<unknown>): unknown {
  if (result.issues !== undefined) throw new InvalidMessageError(result.issues);
  return result.value;
}

function stringify(value: unknown): string {
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new InvalidMessageError([{ message: "the value has no form in JSON" }]);
  return json;
}

function parse(payload: Uint8Array): unknown {
  const json = wellFormed(payload);
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new InvalidMessageError([{ message: "the payload is not JSON" }], cause);
  }
}

function wellFormed(payload: Uint8Array): string {
  try {
    return UTF8.decode(payload);
  } catch (cause) {
    throw new InvalidMessageError([{ message: "the payload is not UTF-8" }], cause);
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** True for anything with a `then`. */
export function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
