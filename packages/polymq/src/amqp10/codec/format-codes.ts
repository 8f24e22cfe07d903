import type { TypeName } from "./values.ts";

/** Constructor bytes (§1.6): the upper half says how wide the data is, 4 none, 5 to 9 one to sixteen bytes, a/b variable, c/d compound, e/f array. */
export const Code = {
  described: 0x00,
  null: 0x40,
  true: 0x41,
  false: 0x42,
  uint0: 0x43,
  ulong0: 0x44,
  list0: 0x45,
  ubyte: 0x50,
  byte: 0x51,
  smalluint: 0x52,
  smallulong: 0x53,
  smallint: 0x54,
  smalllong: 0x55,
  boolean: 0x56,
  ushort: 0x60,
  short: 0x61,
  uint: 0x70,
  int: 0x71,
  float: 0x72,
  char: 0x73,
  decimal32: 0x74,
  ulong: 0x80,
  long: 0x81,
  double: 0x82,
  timestamp: 0x83,
  decimal64: 0x84,
  decimal128: 0x94,
  uuid: 0x98,
  vbin8: 0xa0,
  str8: 0xa1,
  sym8: 0xa3,
  vbin32: 0xb0,
  str32: 0xb1,
  sym32: 0xb3,
  list8: 0xc0,
  map8: 0xc1,
  list32: 0xd0,
  map32: 0xd1,
  array8: 0xe0,
  array32: 0xf0,
} as const;

/** Constructors of each type, the widest last; the codes of a type with one width stand alone. */
export const CODES_OF_TYPE: Readonly<Record<TypeName, readonly number[]>> = {
  null: [Code.null],
  boolean: [Code.true, Code.false, Code.boolean],
  ubyte: [Code.ubyte],
  ushort: [Code.ushort],
  uint: [Code.uint0, Code.smalluint, Code.uint],
  ulong: [Code.ulong0, Code.smallulong, Code.ulong],
  byte: [Code.byte],
  short: [Code.short],
  int: [Code.smallint, Code.int],
  long: [Code.smalllong, Code.long],
  float: [Code.float],
  double: [Code.double],
  decimal32: [Code.decimal32],
  decimal64: [Code.decimal64],
  decimal128: [Code.decimal128],
  char: [Code.char],
  timestamp: [Code.timestamp],
  uuid: [Code.uuid],
  binary: [Code.vbin8, Code.vbin32],
  string: [Code.str8, Code.str32],
  symbol: [Code.sym8, Code.sym32],
  list: [Code.list0, Code.list8, Code.list32],
  map: [Code.map8, Code.map32],
  array: [Code.array8, Code.array32],
};

/** The type that a constructor stands for, by its byte; undefined for the unknown and for 0x00. */
export const TYPE_OF_CODE: readonly (TypeName | undefined)[] = typesByCode();

function typesByCode(): (TypeName | undefined)[] {
  const types = new Array<TypeName | undefined>(256).fill(undefined);
  for (const [type, codes] of Object.entries(CODES_OF_TYPE)) {
    for (const code of codes) types[code] = type as TypeName;
  }
  return types;
}

/** Bytes of data behind a constructor of fixed width, by the constructor's upper half; -1 where a length follows. */
export function fixedWidth(code: number): number {
  const half = code >> 4;
  if (half >= 10) return -1;
  return half === 4 ? 0 : 1 << (half - 5);
}
