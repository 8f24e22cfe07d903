import { statfsSync } from "node:fs";
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
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

/** Bytes of memory that there are for the process: of the machine, its container or its heap, whichever is least. */
export function hostMemoryBytes(): number {
  const container = process.constrainedMemory(); // 0, or more than there is, where nothing is constrained
  const memory = container > 0 ? Math.min(container, totalmem()) : totalmem();
  return Math.min(memory, getHeapStatistics().heap_size_limit);
}

const ENDLESS = Number.POSITIVE_INFINITY;
