/**
 * Serial numbers of 32 bits (RFC 1982): counters that wrap, compared by the shorter way around. AMQP 1.0 counts deliveries, transfers
 * and credit with them.
 */

/** `serial` and `steps` more. */
export function serialAdd(serial: number, steps: number): number {
  return (serial + steps) >>> 0;
}

/** How many steps lead from `from` to `to`; negative when `to` is before `from`. */
export function serialDistance(from: number, to: number): number {
  return (to - from) | 0;
}

/** True when `serial` lies in the range from `first` to `last`, both included. */
export function serialWithin(serial: number, first: number, last: number): boolean {
  return serialDistance(first, serial) >= 0 && serialDistance(serial, last) >= 0;
}
