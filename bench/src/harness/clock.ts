/** Nanoseconds of the machine's monotonic clock. Linux and macOS give every process the same one, so two can be compared. */
export function nowNs(): number {
  return Number(process.hrtime.bigint());
}
