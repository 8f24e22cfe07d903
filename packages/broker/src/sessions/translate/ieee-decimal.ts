import type { Decimal } from "./common-properties.ts";

/*
 * IEEE 754-2008 decimals in their binary integer encoding, as AMQP 1.0 has them (§1.6.13): sign, biased exponent, coefficient. When the two bits behind the
 * sign are set, the exponent stands two bits lower and the coefficient has an implied 100 in front; with four bits set it is an infinity or no number.
 */

/** Exponent bits and bias by the number of bytes. */
const WIDTHS: Readonly<
  Record<number, { readonly exponentBits: number; readonly bias: number; readonly digits: number }>
> = {
  4: { exponentBits: 8, bias: 101, digits: 7 },
  8: { exponentBits: 10, bias: 398, digits: 16 },
  16: { exponentBits: 14, bias: 6_176, digits: 34 },
};

const SCALE_MAX = 255;
const UNSCALED_MAX = 0xffff_ffffn;

/** A decimal of 4, 8 or 16 bytes: as a {@link Decimal} where that holds it, else as text (`-1.5`, `1E+20`, `Infinity`, `NaN`). */
export function readDecimal(bytes: Uint8Array): Decimal | string {
  const { exponentBits, bias, digits } = WIDTHS[bytes.length] as (typeof WIDTHS)[number];
  const bits = BigInt(bytes.length * 8);
  let whole = 0n;
  for (const byte of bytes) whole = (whole << 8n) | BigInt(byte);
  const isNegative = whole >> (bits - 1n) === 1n;
  const top = Number((whole >> (bits - 5n)) & 0xfn);
  const sign = isNegative ? "-" : "";
  if (top === 0xf) return (whole >> (bits - 6n)) & 1n ? "NaN" : `${sign}Infinity`;
  const isLarge = top >= 0xc;
  const below = bits - 1n - BigInt(exponentBits) - (isLarge ? 2n : 0n);
  const exponent = Number((whole >> below) & ((1n << BigInt(exponentBits)) - 1n)) - bias;
  const said = (whole & ((1n << below) - 1n)) | (isLarge ? 0b100n << below : 0n);
  // A coefficient that is too large is none (IEEE 754-2008 §3.5.2).
  const coefficient = said < 10n ** BigInt(digits) ? said : 0n;
  if (!isNegative && coefficient <= UNSCALED_MAX && exponent <= 0 && exponent >= -SCALE_MAX) {
    return { scale: -exponent || 0, unscaled: Number(coefficient) };
  }
  return `${sign}${coefficient}${exponent === 0 ? "" : `E${exponent > 0 ? "+" : ""}${exponent}`}`;
}

/** The 8 bytes of a decimal64 of that value. */
export function writeDecimal({ scale, unscaled }: Decimal): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  const isNegative = unscaled < 0;
  const exponent = BigInt(398 - scale);
  view.setBigUint64(0, (isNegative ? 1n << 63n : 0n) | (exponent << 53n) | BigInt(Math.abs(unscaled)));
  return bytes;
}
