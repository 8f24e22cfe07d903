import { type Codec, json, type StandardSchema } from "polymq";

/** What is in the queue. */
export interface Order {
  readonly id: string;
  readonly item: string;
}

/** Where an order stands; `by` is the worker that said so. */
export interface Progress {
  readonly id: string;
  readonly item: string;
  readonly state: "in work" | "given back" | "done";
  readonly by: string;
  /** Deliveries so far, this one included. */
  readonly attempts: number;
}

/** Workers tell here how far they are, one topic for each order; every page listens. */
export const PROGRESS_TOPIC = "shop/progress";

/** Items that no worker manages at the first attempt. */
export const FRAGILE: ReadonlySet<string> = new Set(["vase", "mirror"]);

/** What is ordered. */
export const ITEMS: readonly string[] = ["widget", "anvil", "vase", "lamp", "kettle", "mirror", "rug", "clock"];

/** Orders as JSON. One without id or item is no order: the client rejects it before any worker sees it, and it becomes a dead letter. */
export const orderCodec: Codec<Order, Order> = json(schemaOf(isOrder, "an order has an id and an item"));

/** Progress as JSON. */
export const progressCodec: Codec<Progress, Progress> = json(schemaOf(isProgress, "no progress of an order"));

/** The least of a Standard Schema; with zod, valibot or arktype it is theirs. */
function schemaOf<T>(is: (value: unknown) => value is T, otherwise: string): StandardSchema<T, T> {
  const validate = (value: unknown) => (is(value) ? { value } : { issues: [{ message: otherwise }] });
  return { "~standard": { version: 1, vendor: "polymq-example", validate } };
}

function isOrder(value: unknown): value is Order {
  return hasTexts(value, ["id", "item"]);
}

function isProgress(value: unknown): value is Progress {
  return hasTexts(value, ["id", "item", "state", "by"]) && Number.isInteger((value as Partial<Progress>).attempts);
}

function hasTexts(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  return names.every((name) => typeof fields[name] === "string");
}
