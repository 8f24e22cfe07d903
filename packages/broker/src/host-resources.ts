import { statfsSync } from "node:fs";
import type { ResourceMeasure } from "./core/topology/topology-port.ts";

/**
 * What the process takes now, and what is free where its data lies: null for no directory. A file system that does not tell counts as one with
 * room: publishers are not held up for it.
 */
export function hostResources(dataDir: string | null): ResourceMeasure {
  return { memoryBytes: process.memoryUsage.rss(), diskFreeBytes: dataDir === null ? ENDLESS : freeBytesAt(dataDir) };
}

function freeBytesAt(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return ENDLESS;
  }
}

const ENDLESS = Number.POSITIVE_INFINITY;
