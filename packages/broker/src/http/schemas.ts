import type { Parameter, ResponseRule, Schema } from "./endpoint.ts";

/*
 * Pieces of JSON Schema for what the endpoints take and give.
 */

export const TEXT: Schema = { type: "string" };
export const FLAG: Schema = { type: "boolean" };
export const COUNT: Schema = { type: "integer", minimum: 0 };
/** A whole number, or null. */
export const MAYBE_COUNT: Schema = { type: ["integer", "null"], minimum: 0 };
/** Milliseconds since 1970, or null for never. */
export const MAYBE_TIME: Schema = { type: ["integer", "null"], description: "Milliseconds since 1970" };
export const COUNTERS: Schema = { type: "object", additionalProperties: { type: "integer" } };

/** An object with exactly these fields. */
export function objectOf(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", additionalProperties: false, properties, ...(required.length === 0 ? {} : { required }) };
}

export function listOf(items: Schema): Schema {
  return { type: "array", items };
}

export function oneOf(...words: readonly string[]): Schema {
  return { type: "string", enum: words };
}

/** A part of a list, and where the next one begins. */
export function pageOf(items: Schema): Schema {
  return objectOf({ items: listOf(items), nextPageToken: { type: ["string", "null"] } });
}

/** What every error looks like. */
export const ERROR: Schema = objectOf({ error: objectOf({ code: TEXT, message: TEXT }) });

/** An answer in JSON of status 200. */
export function ok(description: string, schema: Schema): Readonly<Record<number, ResponseRule>> {
  return { 200: { description, schema } };
}

export function pathParameter(name: string, description: string): Parameter {
  return { name, in: "path", description, schema: TEXT };
}

export function queryParameter(name: string, description: string, schema: Schema): Parameter {
  return { name, in: "query", description, schema };
}

/** An object whose fields are described elsewhere. */
export function openObject(description: string): Schema {
  return { type: "object", description };
}
