import { readFile } from "node:fs/promises";

/** One record of the data set: a flight within the United States. */
export interface Flight {
  /** Minutes late, negative when early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  /** Time of departure in hours since midnight. */
  readonly time: number;
}

/** Flights in the data set. */
export const FLIGHTS = 200_000;

/** Publishers among which the records are dealt out in turn. */
export const PUBLISHERS = 3;

/** Reads the first `count` flights of the npm package `vega-datasets`. */
export async function readFlights(count: number): Promise<Flight[]> {
  const entry = import.meta.resolve("vega-datasets");
  const text = await readFile(new URL("../data/flights-200k.json", entry), "utf8");
  return (JSON.parse(text) as Flight[]).slice(0, count);
}

/** Who publishes the record: a publisher's number from 0. */
export function publisherOf(id: number): number {
  return id % PUBLISHERS;
}

/** The record's place among those of its publisher, from 0. */
export function sequenceOf(id: number): number {
  return Math.floor(id / PUBLISHERS);
}

/** The QoS with which the record is published: each publisher uses 1 and 2 in turn. */
export function qosOf(id: number): 1 | 2 {
  return sequenceOf(id) % 2 === 0 ? 1 : 2;
}

/** What becomes of a record in the end: it is worked off, perhaps at the second attempt, or it is a dead letter. */
export type Fate = "done" | "retried" | "rejected" | "hopeless";

/** Workers reject flights that are more than three hours late, need two attempts for very long ones, and never succeed with very short ones. */
export function fateOf({ delay, distance }: Flight): Fate {
  if (delay >= 180) return "rejected";
  if (distance > 2_400) return "retried";
  return distance < 70 ? "hopeless" : "done";
}

/** A number that differs, as good as always, when any field of the flight does (FNV-1a over its JSON). */
export function checksum(flight: Flight): number {
  const text = JSON.stringify(flight);
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
