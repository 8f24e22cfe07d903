// Hot path: runs per received message. No closure, promise, spread, iterator or regex here.
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { ByteReader } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { frameError, syntaxError } from "./failures.ts";
import { safeU64At } from "./integers.ts";
import type { ContentMethodName } from "./method-types.ts";
import { NameDecoder, type NameEntry, type RouteDecoder, type RouteEntry } from "./route-decoder.ts";
import { readShortString } from "./strings.ts";

/*
 * Payloads of the methods that carry content, read by offsets (§1.8.3); string is a short string:
 *   publish   u16 60, u16 40, u16 reserved, string exchange, string routing key, u8 mandatory | immediate << 1
 *   return    u16 60, u16 50, u16 reply code, string reply text, string exchange, string routing key
 *   deliver   u16 60, u16 60, string consumer tag, u64 delivery tag, u8 redelivered, string exchange, string routing key
 *   get-ok    u16 60, u16 71, u64 delivery tag, u8 redelivered, string exchange, string routing key, u32 message count
 * Content header payload (§4.2.6.1):
 *   u16 class 60, u16 weight 0, u64 body bytes, property block
 */

/** Class basic. */
const BASIC = 60;

/** Bytes of a content header in front of its property block. */
export const CONTENT_HEADER_BYTES = 12;

/** Consumer tags that a channel keeps decoded; more are decoded again when they alternate. */
const CONSUMER_TAGS_MAX = 64;

/** What a {@link Content} looks names up in. */
export interface ContentOptions<Route> {
  readonly text: TextCodec;
  /** May serve many channels and connections. */
  readonly routes: RouteDecoder<Route>;
}

/**
 * A message with its method, read in place: positions in buffers, not copies. One object serves all messages of a channel; each
 * overwrites the one before, and fields that its method does not have are left over.
 */
export class Content<Consumer, Route> {
  /** The method that brought it. */
  kind: ContentMethodName = "basic.publish";
  /** Exchange and routing key. */
  route: RouteEntry<Route>;
  /** deliver */
  consumerTag: NameEntry<Consumer>;
  /** deliver, get-ok: up to 2^53 - 1 */
  deliveryTag = 0;
  /** deliver, get-ok */
  redelivered = false;
  /** get-ok: messages left in the queue */
  messageCount = 0;
  /** publish */
  mandatory = false;
  /** publish */
  immediate = false;
  /** return */
  replyCode = 0;
  /** return */
  replyText = "";
  /** Of the property block, or -1: 2 is persistent. */
  deliveryMode = -1;
  /** Of the property block, or -1. */
  priority = -1;
  /** The property block lies here, checked. */
  properties: Uint8Array = NO_BYTES;
  propertiesStart = 0;
  propertiesEnd = 0;
  /** The body: a view of what came when it came in one frame, a copy of its own when in several. */
  body: Uint8Array = NO_BYTES;
  bodyStart = 0;
  bodyEnd = 0;
  /** Body bytes that the content header announces. */
  bodyBytes = 0;
  readonly #text: TextCodec;
  readonly #routes: RouteDecoder<Route>;
  readonly #consumerTags: NameDecoder<Consumer>;

  constructor(options: ContentOptions<Route>) {
    this.#text = options.text;
    this.#routes = options.routes;
    this.#consumerTags = new NameDecoder(options.text, CONSUMER_TAGS_MAX);
    this.route = { exchange: "", routingKey: "", bytes: NO_BYTES, value: undefined };
    this.consumerTag = { name: "", bytes: NO_BYTES, value: undefined };
  }

  /** A view of the body; whoever keeps it keeps the received chunk alive. */
  bodyView(): Uint8Array {
    return this.body.subarray(this.bodyStart, this.bodyEnd);
  }

  /** Forgets what was kept with consumer tags, for tags that now mean another consumer. */
  forgetConsumerTags(): void {
    this.#consumerTags.clear();
  }

  /**
   * Reads the payload of a method frame when it is one that carries content; false for all others. `ERR_MALFORMED_PACKET` (502)
   * for anything cut short, left over or ill-formed.
   */
  readMethod(buffer: Uint8Array, start: number, end: number): boolean {
    if (end - start < 4 || buffer[start] !== 0 || buffer[start + 1] !== BASIC || buffer[start + 2] !== 0) return false;
    switch (buffer[start + 3]) {
      case 60:
        this.#deliver(buffer, start + 4, end);
        return true;
      case 40:
        this.#publish(buffer, start + 4, end);
        return true;
      case 50:
        this.#returned(buffer, start + 4, end);
        return true;
      case 71:
        this.#getOk(buffer, start + 4, end);
        return true;
      default:
        return false;
    }
  }

  /**
   * Reads a content header's payload but for its property block, whose place it notes. `ERR_FRAME_ERROR` (501) for another class
   * or a weight other than 0, `ERR_MALFORMED_PACKET` (502) when it is cut short.
   */
  readHeader(buffer: Uint8Array, start: number, end: number): void {
    if (end - start < CONTENT_HEADER_BYTES + 2) throw cutShort("content header");
    if (buffer[start] !== 0 || buffer[start + 1] !== BASIC)
      throw frameError("a content header of another class than its method");
    if (buffer[start + 2] !== 0 || buffer[start + 3] !== 0) throw frameError("a content header with a weight");
    this.bodyBytes = safeU64At(buffer, start + 4);
    this.properties = buffer;
    this.propertiesStart = start + CONTENT_HEADER_BYTES;
    this.propertiesEnd = end;
    this.body = NO_BYTES;
    this.bodyStart = 0;
    this.bodyEnd = 0;
  }

  #deliver(buffer: Uint8Array, start: number, end: number): void {
    this.kind = "basic.deliver";
    const tagEnd = skipString(buffer, start, end);
    const routeStart = tagEnd + 9;
    const routeEnd = skipString(buffer, skipString(buffer, routeStart, end), end);
    if (routeEnd !== end) throw leftOver(this.kind);
    this.consumerTag = this.#consumerTags.decode(buffer, start, tagEnd);
    this.deliveryTag = safeU64At(buffer, tagEnd);
    this.redelivered = ((buffer[tagEnd + 8] as number) & 1) !== 0;
    this.route = this.#routes.decode(buffer, routeStart, end);
  }

  #publish(buffer: Uint8Array, start: number, end: number): void {
    this.kind = "basic.publish";
    const routeStart = start + 2;
    const routeEnd = skipString(buffer, skipString(buffer, routeStart, end), end);
    if (routeEnd + 1 !== end) throw routeEnd === end ? cutShort(this.kind) : leftOver(this.kind);
    const bits = buffer[routeEnd] as number;
    this.mandatory = (bits & 1) !== 0;
    this.immediate = (bits & 2) !== 0;
    this.route = this.#routes.decode(buffer, routeStart, routeEnd);
  }

  #getOk(buffer: Uint8Array, start: number, end: number): void {
    this.kind = "basic.get-ok";
    const routeStart = start + 9;
    const routeEnd = skipString(buffer, skipString(buffer, routeStart, end), end);
    if (routeEnd + 4 !== end) throw routeEnd + 4 > end ? cutShort(this.kind) : leftOver(this.kind);
    this.deliveryTag = safeU64At(buffer, start);
    this.redelivered = ((buffer[start + 8] as number) & 1) !== 0;
    this.route = this.#routes.decode(buffer, routeStart, routeEnd);
    const r = new ByteReader(this.#text);
    r.reset(buffer, routeEnd, end);
    this.messageCount = r.u32();
  }

  #returned(buffer: Uint8Array, start: number, end: number): void {
    this.kind = "basic.return";
    const r = new ByteReader(this.#text);
    r.reset(buffer, start, end);
    this.replyCode = r.u16();
    this.replyText = readShortString(r);
    const routeEnd = skipString(buffer, skipString(buffer, r.at, end), end);
    if (routeEnd !== end) throw leftOver(this.kind);
    this.route = this.#routes.decode(buffer, r.at, end);
  }
}

/** Where the short string at `at` ends. */
function skipString(buffer: Uint8Array, at: number, end: number): number {
  if (at >= end) throw cutShort("method");
  const next = at + 1 + (buffer[at] as number);
  if (next > end) throw cutShort("method");
  return next;
}

function cutShort(what: string): Error {
  return syntaxError(`a ${what} that ends early`);
}

function leftOver(what: string): Error {
  return syntaxError(`bytes too many in ${what}`);
}
