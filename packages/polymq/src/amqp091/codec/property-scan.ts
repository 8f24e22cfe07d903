// Hot path: runs per received message. No closure, promise, spread, iterator or regex here.
import { NO_BYTES } from "../../bytes/no-bytes.ts";
import { scanUtf8 } from "../../bytes/utf8-scan.ts";
import { syntaxError } from "./failures.ts";
import { FIELD_COUNT_MAX, FIELD_DEPTH_MAX } from "./field-value.ts";
import { UNUSED_FLAGS } from "./properties.ts";

const HEADERS = 2;
const DELIVERY_MODE = 3;
const PRIORITY = 4;
const TIMESTAMP = 9;
const PROPERTIES = 14;

/** Largest block that is compared with the next. */
const KEPT_BYTES_MAX = 256;

/**
 * Checks property blocks without building anything: what it lets through, `decodeProperties` can decode, and the reverse. One
 * scanner serves one connection. Errors as `decodeProperties`.
 */
export class PropertyScanner {
  #buffer: Uint8Array = NO_BYTES;
  #at = 0;
  #left = 0;
  #deliveryMode = -1;
  #priority = -1;
  /** The block scanned last, when it was fine and is not longer: the same again costs a comparison. */
  readonly #kept: Uint8Array = new Uint8Array(KEPT_BYTES_MAX);
  #keptBytes = 0;
  readonly #lenient: boolean;

  /** @param lenient lets ill-formed text through, as `lenientText` does */
  constructor(lenient = false) {
    this.#lenient = lenient;
  }

  /** The delivery mode of the block scanned last, or -1. */
  get deliveryMode(): number {
    return this.#deliveryMode;
  }

  /** The priority of the block scanned last, or -1. */
  get priority(): number {
    return this.#priority;
  }

  /** Checks the block at `start` up to `end`. */
  scan(buffer: Uint8Array, start: number, end: number): void {
    if (this.#isKept(buffer, start, end)) return;
    this.#keptBytes = 0;
    this.#buffer = buffer;
    this.#at = start;
    this.#left = FIELD_COUNT_MAX;
    this.#deliveryMode = -1;
    this.#priority = -1;
    this.#need(2, end);
    const flags = ((buffer[start] as number) << 8) | (buffer[start + 1] as number);
    if ((flags & UNUSED_FLAGS) !== 0) throw syntaxError(`property flags ${flags.toString(16)} mean nothing`);
    this.#at += 2;
    for (let i = 0; i < PROPERTIES; i++) {
      if ((flags & (0x8000 >>> i)) !== 0) this.#property(i, end);
    }
    if (this.#at < end) throw syntaxError(`${end - this.#at} bytes too many in a property block`);
    this.#buffer = NO_BYTES;
    this.#keep(buffer, start, end);
  }

  #isKept(buffer: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length !== this.#keptBytes || length === 0) return false;
    const kept = this.#kept;
    for (let i = length - 1; i >= 0; i--) {
      if (kept[i] !== buffer[start + i]) return false;
    }
    return true;
  }

  #keep(buffer: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > KEPT_BYTES_MAX) return;
    for (let i = 0; i < length; i++) this.#kept[i] = buffer[start + i] as number;
    this.#keptBytes = length;
  }

  #property(index: number, end: number): void {
    switch (index) {
      case HEADERS:
        return this.#table(end, 1);
      case DELIVERY_MODE:
        this.#need(1, end);
        this.#deliveryMode = this.#buffer[this.#at++] as number;
        return;
      case PRIORITY:
        this.#need(1, end);
        this.#priority = this.#buffer[this.#at++] as number;
        return;
      case TIMESTAMP:
        return this.#skip(8, end);
      default:
        return this.#shortString(end);
    }
  }

  #need(bytes: number, end: number): void {
    if (bytes > end - this.#at) throw syntaxError(`${bytes} bytes needed, ${end - this.#at} left`);
  }

  #skip(bytes: number, end: number): void {
    this.#need(bytes, end);
    this.#at += bytes;
  }

  #shortString(end: number): void {
    this.#need(1, end);
    const start = this.#at + 1;
    this.#skip(1 + (this.#buffer[this.#at] as number), end);
    if (!this.#lenient && scanUtf8(this.#buffer, start, this.#at) !== "none")
      throw syntaxError("ill-formed text in a short string");
  }

  #length(end: number): number {
    this.#need(4, end);
    const b = this.#buffer;
    const at = this.#at;
    this.#at = at + 4;
    const length =
      (b[at] as number) * 0x1000000 +
      (((b[at + 1] as number) << 16) | ((b[at + 2] as number) << 8) | (b[at + 3] as number));
    this.#need(length, end);
    return length;
  }

  #table(end: number, depth: number): void {
    if (depth > FIELD_DEPTH_MAX) throw syntaxError(`field tables nest deeper than ${FIELD_DEPTH_MAX}`);
    const inner = this.#length(end) + this.#at;
    while (this.#at < inner) {
      this.#shortString(inner);
      this.#value(inner, depth);
    }
  }

  #array(end: number, depth: number): void {
    if (depth > FIELD_DEPTH_MAX) throw syntaxError(`field tables nest deeper than ${FIELD_DEPTH_MAX}`);
    const inner = this.#length(end) + this.#at;
    while (this.#at < inner) this.#value(inner, depth);
  }

  #value(end: number, depth: number): void {
    if (--this.#left < 0) throw syntaxError(`more than ${FIELD_COUNT_MAX} values in a field table`);
    this.#need(1, end);
    const tag = this.#buffer[this.#at++] as number;
    switch (tag) {
      case 0x56: // V
        return;
      case 0x74: // t
      case 0x62: // b
      case 0x42: // B
        return this.#skip(1, end);
      case 0x73: // s
      case 0x55: // U
      case 0x75: // u
        return this.#skip(2, end);
      case 0x49: // I
      case 0x69: // i
      case 0x66: // f
        return this.#skip(4, end);
      case 0x44: // D
        return this.#skip(5, end);
      case 0x6c: // l
      case 0x4c: // L
      case 0x64: // d
      case 0x54: // T
        return this.#skip(8, end);
      case 0x53: // S
      case 0x78: // x
        return this.#skip(this.#length(end), end);
      case 0x41: // A
        return this.#array(end, depth + 1);
      case 0x46: // F
        return this.#table(end, depth + 1);
      default:
        throw syntaxError(`unknown type octet ${tag} in a field table`);
    }
  }
}
