import { ApiError } from "./api-error.ts";
import type { Parameter } from "./endpoint.ts";
import { queryParameter, TEXT } from "./schemas.ts";

/** Items of one answer unless the caller says how many, and at most. */
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

/** A whole number out of the query. @throws {ApiError} 400 */
export function integerOf(
  query: URLSearchParams,
  name: string,
  rule: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  const text = query.get(name);
  if (text === null) return rule.otherwise;
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || value < rule.least || value > rule.most) {
    throw new ApiError(400, "INVALID_PARAMETER", `${name} must be a whole number from ${rule.least} to ${rule.most}`);
  }
  return value;
}

/** One of some words out of the query. @throws {ApiError} 400 */
export function wordOf<T extends string>(query: URLSearchParams, name: string, words: readonly T[], otherwise: T): T {
  const text = query.get(name) ?? otherwise;
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) throw new ApiError(400, "INVALID_PARAMETER", `${name} must be one of ${words.join(", ")}`);
  return word;
}

/** How many items are asked for. @throws {ApiError} 400 */
export function limitOf(query: URLSearchParams): number {
  return integerOf(query, "limit", { least: 1, most: LIMIT_MAX, otherwise: LIMIT_DEFAULT });
}

export const LIMIT: Parameter = queryParameter("limit", "How many at most", {
  type: "integer",
  minimum: 1,
  maximum: LIMIT_MAX,
  default: LIMIT_DEFAULT,
});

/** The parameters of every list that is given in parts. */
export const PAGING: readonly Parameter[] = [
  queryParameter("prefix", "Only names that begin so", TEXT),
  LIMIT,
  queryParameter("page_token", "`nextPageToken` of the part before", TEXT),
];

/** One part of a list, in the order of names. @throws {ApiError} 400 */
export function pageOfList<T>(
  all: readonly T[],
  query: URLSearchParams,
  nameOf: (item: T) => string,
): { readonly items: readonly T[]; readonly nextPageToken: string | null } {
  const limit = limitOf(query);
  const prefix = query.get("prefix") ?? "";
  const after = query.get("page_token");
  const wanted = all
    .filter((item) => nameOf(item).startsWith(prefix) && (after === null || nameOf(item) > after))
    .sort((one, other) => compare(nameOf(one), nameOf(other)));
  const items = wanted.slice(0, limit);
  const last = items.at(-1);
  return { items, nextPageToken: wanted.length > limit && last !== undefined ? nameOf(last) : null };
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
