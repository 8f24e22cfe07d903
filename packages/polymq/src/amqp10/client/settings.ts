import { MessagingError } from "../../base/errors.ts";

/** A whole number within bounds, or its default. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function wholeNumber(
  name: string,
  value: number | undefined,
  bounds: { readonly from: number; readonly to: number; readonly otherwise: number },
): number {
  if (value === undefined) return bounds.otherwise;
  if (!Number.isInteger(value) || value < bounds.from || value > bounds.to) {
    throw new MessagingError(
      "ERR_INVALID_OPTIONS",
      `${name} must be a whole number from ${bounds.from} to ${bounds.to}`,
    );
  }
  return value;
}

/** Longest time that a timer of every runtime can wait, in ms. */
export const TIME_MAX_MS = 2_147_483_647;
