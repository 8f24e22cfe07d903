import type { Deadline, Schedule } from "../schedule.ts";
import type { AlarmListener, AlarmReason, ResourceAlarms, ResourceLimits, ResourceMeasure } from "./topology-port.ts";

/** How far below the limit, or above it, an alarm is over. */
const CALM = 0.05;

/** Looks at memory and disk at intervals while somebody listens. */
export class MeasuredAlarms implements ResourceAlarms {
  readonly #schedule: Schedule;
  readonly #memoryMax: number;
  readonly #diskMin: number;
  readonly #measure: (() => ResourceMeasure) | null;
  readonly #intervalMs: number;
  readonly #listeners = new Set<AlarmListener>();
  #reasons: readonly AlarmReason[] = [];
  #deadline: Deadline | null = null;

  constructor(schedule: Schedule, limits: ResourceLimits) {
    this.#schedule = schedule;
    this.#memoryMax = limits.memoryBytesMax ?? Number.POSITIVE_INFINITY;
    this.#diskMin = limits.diskFreeBytesMin ?? 0;
    this.#measure = limits.measure ?? null;
    this.#intervalMs = limits.intervalMs ?? 1_000;
  }

  get reasons(): readonly AlarmReason[] {
    return this.#reasons;
  }

  listen(listener: AlarmListener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#look();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#deadline?.cancel();
      this.#deadline = null;
      this.#reasons = []; // nobody keeps them up to date
    };
  }

  #look(): void {
    if (this.#measure === null) return;
    const { memoryBytes, diskFreeBytes } = this.#measure();
    const reasons: AlarmReason[] = [];
    const memoryMax = this.#reasons.includes("memory") ? this.#memoryMax * (1 - CALM) : this.#memoryMax;
    const diskMin = this.#reasons.includes("disk") ? this.#diskMin * (1 + CALM) : this.#diskMin;
    if (memoryBytes >= memoryMax) reasons.push("memory");
    if (diskFreeBytes < diskMin) reasons.push("disk");
    this.#deadline = this.#schedule.after(this.#intervalMs, () => this.#look());
    if (reasons.join() === this.#reasons.join()) return;
    this.#reasons = reasons;
    for (const listener of Array.from(this.#listeners)) listener.onAlarm(reasons);
  }
}
