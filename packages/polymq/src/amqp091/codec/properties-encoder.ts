// Hot path: runs per published message. No closure, promise, spread, iterator or regex here.
import type { TextCodec } from "../../bytes/text.ts";
import type { FieldTable, FieldValue } from "./field-value.ts";
import { BASIC_PROPERTIES, type BasicProperties, encodeProperties, NO_PROPERTIES } from "./properties.ts";

/** Headers above this count are encoded each time: to compare them costs as much. */
const COMPARED_HEADERS_MAX = 16;

/**
 * Encodes properties and keeps the last block: properties equal to the last ones, in the same object or another, cost a
 * comparison field by field. Headers are compared by key and value, and only where all values are primitive, so that changing
 * an object after a call never sends what it was before.
 */
export class PropertiesEncoder {
  readonly #text: TextCodec;
  #block: Uint8Array | null = null;
  /** The fourteen values of the last properties; headers as undefined, for they stand below. */
  readonly #values: unknown[] = new Array<unknown>(BASIC_PROPERTIES.length).fill(undefined);
  #hasHeaders = false;
  #keys: string[] = [];
  #headerValues: unknown[] = [];

  constructor(text: TextCodec) {
    this.#text = text;
  }

  /** The block for `properties`; it is shared and must not be changed. Errors as `encodeProperties`. */
  encode(properties: BasicProperties | null): Uint8Array {
    if (properties === null) return NO_PROPERTIES;
    if (this.#block !== null && this.#same(properties)) return this.#block;
    const block = encodeProperties(this.#text, properties);
    this.#block = this.#remember(properties) ? block : null;
    return block;
  }

  #same(properties: BasicProperties): boolean {
    for (let i = 0; i < BASIC_PROPERTIES.length; i++) {
      const name = (BASIC_PROPERTIES[i] as (typeof BASIC_PROPERTIES)[number])[0];
      if (name !== "headers" && properties[name] !== this.#values[i]) return false;
    }
    return this.#sameHeaders(properties.headers);
  }

  #sameHeaders(headers: FieldTable | undefined): boolean {
    if (headers === undefined) return !this.#hasHeaders;
    if (!this.#hasHeaders) return false;
    const keys = Object.keys(headers);
    if (keys.length !== this.#keys.length) return false;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      if (key !== this.#keys[i] || !Object.is(headers[key], this.#headerValues[i])) return false;
    }
    return true;
  }

  /** False when equality could not be told later. */
  #remember(properties: BasicProperties): boolean {
    for (let i = 0; i < BASIC_PROPERTIES.length; i++) {
      const name = (BASIC_PROPERTIES[i] as (typeof BASIC_PROPERTIES)[number])[0];
      this.#values[i] = name === "headers" ? undefined : properties[name];
    }
    const headers = properties.headers;
    this.#hasHeaders = headers !== undefined;
    this.#keys = headers === undefined ? [] : Object.keys(headers);
    this.#headerValues = [];
    if (this.#keys.length > COMPARED_HEADERS_MAX) return false;
    for (let i = 0; i < this.#keys.length; i++) {
      const value: FieldValue | undefined = headers?.[this.#keys[i] as string];
      if (typeof value === "object" && value !== null) return false;
      this.#headerValues.push(value);
    }
    return true;
  }
}
