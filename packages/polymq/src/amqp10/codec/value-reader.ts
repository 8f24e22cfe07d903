import { ByteReader, malformed } from "../../bytes/reader.ts";
import type { TextCodec } from "../../bytes/text.ts";
import { Code, fixedWidth, TYPE_OF_CODE } from "./format-codes.ts";
import { AmqpArray, AmqpMap, type AmqpValue, Described, Typed, type TypedName } from "./values.ts";

/** How deep lists, maps, arrays and descriptors may stand in each other. */
export const VALUE_DEPTH_MAX = 32;

/** Values in one frame's performative, nested ones counted. */
export const PERFORMATIVE_VALUES_MAX = 65_536;

/** Values in one section of a message, nested ones counted. */
export const SECTION_VALUES_MAX = 1_048_576;

/**
 * Reads AMQP values out of a window of a buffer (§1.6). Every count and length is held against what is really there, and depth and number
 * of values against named limits, before anything is made; what is wrong is `ERR_MALFORMED_PACKET`. Binary values are views.
 */
export class ValueReader extends ByteReader {
  readonly #valuesMax: number;
  #valuesLeft: number;
  #depth = 0;

  /** @param valuesMax values that may be read between two calls of `reset` */
  constructor(text: TextCodec, valuesMax: number = SECTION_VALUES_MAX) {
    super(text);
    this.#valuesMax = valuesMax;
    this.#valuesLeft = valuesMax;
  }

  override reset(buffer: Uint8Array, start: number, end: number): void {
    super.reset(buffer, start, end);
    this.#valuesLeft = this.#valuesMax;
    this.#depth = 0;
  }

  /** The next value with its constructor. */
  value(): AmqpValue {
    return this.coded(this.u8());
  }

  /** A value whose constructor was read already. */
  coded(code: number): AmqpValue {
    if (--this.#valuesLeft < 0) throw malformed(`more than ${this.#valuesMax} values`);
    switch (code) {
      case Code.described:
        return this.#described();
      case Code.null:
        return null;
      case Code.true:
        return true;
      case Code.false:
        return false;
      case Code.boolean:
        return this.#boolean();
      case Code.smallint:
        return (this.u8() << 24) >> 24;
      case Code.int:
        return this.u32() | 0;
      case Code.double:
        return this.#double();
      case Code.vbin8:
        return this.view(this.u8());
      case Code.vbin32:
        return this.view(this.u32());
      case Code.str8:
        return this.string(this.u8());
      case Code.str32:
        return this.string(this.u32());
      case Code.list0:
        return [];
      case Code.list8:
      case Code.list32:
        return this.#list(code);
      case Code.map8:
      case Code.map32:
        return this.map(code);
      case Code.array8:
      case Code.array32:
        return this.array(code);
      default:
        return this.#typed(code);
    }
  }

  /** The next `length` bytes as UTF-8; U+0000 is allowed (§1.6.20), ill-formed text is not. */
  string(length: number): string {
    const start = this.at;
    if (length > this.left) throw malformed(`a string of ${length} bytes where ${this.left} are left`);
    const end = start + length;
    this.at = end;
    const buffer = this.buffer;
    for (let i = start; i < end; i++) {
      if ((buffer[i] as number) > 0x7f) return this.#wideText(start, end);
    }
    return this.text.ascii(buffer, start, end);
  }

  /** The next `length` bytes as a symbol: ASCII (§1.6.21). */
  symbol(length: number): string {
    const start = this.at;
    if (length > this.left) throw malformed(`a symbol of ${length} bytes where ${this.left} are left`);
    const end = start + length;
    this.at = end;
    for (let i = start; i < end; i++) {
      if ((this.buffer[i] as number) > 0x7f) throw malformed("a symbol with a byte that is not ASCII");
    }
    return this.text.ascii(this.buffer, start, end);
  }

  /** Eight bytes as an unsigned integer, a `bigint` from 2^53 on. */
  u64(): number | bigint {
    const high = this.u32();
    const low = this.u32();
    return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  /** Eight bytes as a signed integer, a `bigint` outside the safe integers. */
  i64(): number | bigint {
    const high = this.u32() | 0;
    const low = this.u32();
    const value = high * 0x1_0000_0000 + low;
    return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) | BigInt(low);
  }

  /** A list's header behind its constructor; returns the count and narrows the window to the list. {@link leave} widens it again. */
  enter(code: number): number {
    if (++this.#depth > VALUE_DEPTH_MAX) throw malformed(`values nested deeper than ${VALUE_DEPTH_MAX}`);
    const wide = (code & 0x10) !== 0;
    const size = wide ? this.u32() : this.u8();
    if (size > this.left) throw malformed(`a compound of ${size} bytes where ${this.left} are left`);
    const end = this.at + size;
    if (size < (wide ? 4 : 1)) throw malformed(`a compound of ${size} bytes`);
    const count = wide ? this.u32() : this.u8();
    this.end = end;
    return count;
  }

  /** Ends what {@link enter} began; the window ends at `outer` again. */
  leave(outer: number): void {
    if (this.at !== this.end) throw malformed(`${this.left} bytes behind the last value of a compound`);
    this.#depth--;
    this.end = outer;
  }

  /** A map behind its constructor. */
  map(code: number): AmqpMap {
    const outer = this.end;
    const count = this.#countOfValues(code);
    if (count % 2 !== 0) throw malformed("a map with an odd number of values");
    const map = new AmqpMap();
    for (let i = 0; i < count; i += 2) map.append(this.value(), this.value());
    this.leave(outer);
    return map;
  }

  /** An array behind its constructor: one constructor for all elements (§1.6.24). */
  array(code: number): AmqpArray {
    const outer = this.end;
    const count = this.enter(code);
    const descriptors: AmqpValue[] = [];
    let element = this.u8();
    while (element === Code.described) {
      if (descriptors.length >= VALUE_DEPTH_MAX) throw malformed(`values nested deeper than ${VALUE_DEPTH_MAX}`);
      descriptors.push(this.value());
      element = this.u8();
    }
    const type = TYPE_OF_CODE[element];
    if (type === undefined) throw malformed(`unknown constructor 0x${element.toString(16)}`);
    const width = fixedWidth(element);
    const least = width === -1 ? (element & 0x10 ? 4 : 1) : width;
    if (count * least > this.left) throw malformed(`an array of ${count} elements in ${this.left} bytes`);
    if (count > this.#valuesLeft) throw malformed(`more than ${this.#valuesMax} values`);
    const items: AmqpValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.coded(element));
    this.leave(outer);
    return new AmqpArray(type, items, descriptors);
  }

  /** Moves behind the next value without making it; only its outermost lengths are looked at. */
  skip(): void {
    let code = this.u8();
    for (let depth = 0; code === Code.described; depth++) {
      if (depth === VALUE_DEPTH_MAX) throw malformed(`values nested deeper than ${VALUE_DEPTH_MAX}`);
      // Descriptors are made, so that a descriptor of descriptors meets the limit of depth.
      this.value();
      code = this.u8();
    }
    if (TYPE_OF_CODE[code] === undefined) throw malformed(`unknown constructor 0x${code.toString(16)}`);
    const width = fixedWidth(code);
    const bytes = width !== -1 ? width : code & 0x10 ? this.u32() : this.u8();
    if (bytes > this.left) throw malformed(`a value of ${bytes} bytes where ${this.left} are left`);
    this.at += bytes;
  }

  /** Reads what stands one level deeper with `read`, within the limit of depth. */
  nested<T>(read: () => T): T {
    if (++this.#depth > VALUE_DEPTH_MAX) throw malformed(`values nested deeper than ${VALUE_DEPTH_MAX}`);
    const result = read();
    this.#depth--;
    return result;
  }

  #described(): Described {
    if (++this.#depth > VALUE_DEPTH_MAX) throw malformed(`values nested deeper than ${VALUE_DEPTH_MAX}`);
    const described = new Described(this.value(), this.value());
    this.#depth--;
    return described;
  }

  #list(code: number): AmqpValue[] {
    const outer = this.end;
    const count = this.#countOfValues(code);
    const items: AmqpValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.value());
    this.leave(outer);
    return items;
  }

  /** Each value of a list or map takes a byte at least. */
  #countOfValues(code: number): number {
    const count = this.enter(code);
    if (count > this.left) throw malformed(`${count} values in ${this.left} bytes`);
    return count;
  }

  #boolean(): boolean {
    const byte = this.u8();
    if (byte > 1) throw malformed(`a boolean of ${byte}`);
    return byte === 1;
  }

  #double(): number | Typed {
    const bits = this.view(8);
    const value = new DataView(bits.buffer, bits.byteOffset, 8).getFloat64(0);
    if (Number.isNaN(value) && !isCanonicalNaN(bits, 0x7f, 0xf8)) return new Typed("double", value, bits.slice());
    return Number.isInteger(value) && !Object.is(value, -0) ? new Typed("double", value) : value;
  }

  #float(): Typed {
    const bits = this.view(4);
    const value = new DataView(bits.buffer, bits.byteOffset, 4).getFloat32(0);
    const odd = Number.isNaN(value) && !isCanonicalNaN(bits, 0x7f, 0xc0);
    return new Typed("float", value, odd ? bits.slice() : null);
  }

  #char(): number {
    const point = this.u32();
    if (point > 0x10_ffff || (point >= 0xd800 && point < 0xe000)) throw malformed(`a char of 0x${point.toString(16)}`);
    return point;
  }

  #typed(code: number): Typed {
    switch (code) {
      case Code.uint0:
        return UINT_0;
      case Code.ulong0:
        return ULONG_0;
      case Code.float:
        return this.#float();
      case Code.sym8:
        return new Typed("symbol", this.symbol(this.u8()));
      case Code.sym32:
        return new Typed("symbol", this.symbol(this.u32()));
      case Code.decimal32:
      case Code.decimal64:
      case Code.decimal128:
      case Code.uuid:
        return new Typed(TYPE_OF_CODE[code] as "uuid", this.view(fixedWidth(code)));
      default:
        return new Typed(TYPE_OF_CODE[code] as TypedName, this.#number(code));
    }
  }

  #number(code: number): number | bigint {
    switch (code) {
      case Code.ubyte:
      case Code.smalluint:
      case Code.smallulong:
        return this.u8();
      case Code.byte:
      case Code.smalllong:
        return (this.u8() << 24) >> 24;
      case Code.ushort:
        return this.u16();
      case Code.short:
        return (this.u16() << 16) >> 16;
      case Code.uint:
        return this.u32();
      case Code.char:
        return this.#char();
      case Code.ulong:
        return this.u64();
      case Code.long:
      case Code.timestamp:
        return this.i64();
      default:
        throw malformed(`unknown constructor 0x${code.toString(16)}`);
    }
  }

  #wideText(start: number, end: number): string {
    try {
      return this.text.utf8(this.buffer, start, end);
    } catch (cause) {
      throw malformed("ill-formed UTF-8 in a string", cause);
    }
  }
}

const UINT_0: Typed = new Typed("uint", 0);
const ULONG_0: Typed = new Typed("ulong", 0);

/** The one NaN that JavaScript writes: positive, quiet, without a payload. */
function isCanonicalNaN(bits: Uint8Array, first: number, second: number): boolean {
  if (bits[0] !== first || bits[1] !== second) return false;
  for (let i = 2; i < bits.length; i++) if (bits[i] !== 0) return false;
  return true;
}
