// Hot path: runs per published message. No closure, promise, spread, iterator or regex here.
import type { TextCodec } from "../../bytes/text.ts";
import { ByteWriter } from "../../bytes/writer.ts";
import { writeShortString } from "./strings.ts";

/** Routes that a {@link RouteEncoder} keeps unless told otherwise. */
export const ENCODED_ROUTES_DEFAULT = 1_024;

/**
 * Turns an exchange and a routing key into the bytes that `writePublish`, `writeDeliver` and `writeReturn` take: two short
 * strings, one after the other. What it has seen it keeps, in two generations as `TopicEncoder` of MQTT does, by routing key; of
 * one key under two exchanges the later stays.
 */
export class RouteEncoder {
  readonly #text: TextCodec;
  readonly #generationMax: number;
  #young: Map<string, Route> = new Map();
  #old: Map<string, Route> = new Map();
  #last: Route = { exchange: "", routingKey: "", bytes: new Uint8Array(2) };

  /** @param routesMax routes kept at most; an even number of at least 2 */
  constructor(text: TextCodec, routesMax: number = ENCODED_ROUTES_DEFAULT) {
    this.#text = text;
    this.#generationMax = Math.max(1, routesMax >>> 1);
  }

  /** Routes kept now. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /**
   * The route's bytes, shared: they must not be changed.
   * @throws {MessagingError} ERR_INVALID_ARGUMENT for a name above 255 bytes, with U+0000 or ill-formed
   */
  encode(exchange: string, routingKey: string): Uint8Array {
    const last = this.#last;
    if (last.routingKey === routingKey && last.exchange === exchange) return last.bytes;
    let route = this.#young.get(routingKey);
    if (route === undefined || route.exchange !== exchange) route = this.#miss(exchange, routingKey);
    this.#last = route;
    return route.bytes;
  }

  #miss(exchange: string, routingKey: string): Route {
    const old = this.#old.get(routingKey);
    const route = old !== undefined && old.exchange === exchange ? old : this.#make(exchange, routingKey);
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(routingKey, route);
    return route;
  }

  #make(exchange: string, routingKey: string): Route {
    const w = new ByteWriter(this.#text, 64);
    writeShortString(w, exchange, "exchange");
    writeShortString(w, routingKey, "routing key");
    return { exchange, routingKey, bytes: w.copyFrom(0) };
  }
}

interface Route {
  readonly exchange: string;
  readonly routingKey: string;
  readonly bytes: Uint8Array;
}
