import { TerminusDurability } from "../codec/conditions.ts";
import type { SourceInput, TargetInput } from "../codec/tables.ts";
import { filterMap } from "./filters.ts";
import type { SourceOptions, TerminusInput, TerminusOptions } from "./options.ts";

/** The target of an attach. A dynamic one has no address of ours (§3.5.4). */
export function targetOf(address: string | null, options: TerminusOptions = {}): TargetInput {
  return { ...terminus(address, options), type: "target" };
}

/** The source of an attach. */
export function sourceOf(address: string | null, options: SourceOptions = {}): SourceInput {
  const { filters, distributionMode, outcomes, defaultOutcome } = options;
  return {
    ...terminus(address, options),
    type: "source",
    distributionMode: distributionMode ?? null,
    filter: filters === undefined || filters.length === 0 ? null : filterMap(filters),
    outcomes: outcomes ?? [],
    defaultOutcome: defaultOutcome ?? null,
  };
}

function terminus(address: string | null, options: TerminusOptions): TerminusInput {
  const dynamic = options.dynamic ?? false;
  return {
    address: dynamic ? null : (options.address ?? address),
    durable: TerminusDurability[options.durability ?? "none"],
    expiryPolicy: options.expiryPolicy ?? "session-end",
    timeout: options.expiryTimeoutSeconds ?? 0,
    dynamic,
    dynamicNodeProperties: options.dynamicNodeProperties ?? null,
    capabilities: options.capabilities ?? [],
  };
}
