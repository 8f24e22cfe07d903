import type { Clock } from "polymq/transport";

/** Lines kept for the report of a failed run. */
const KEPT_MAX = 400;

/** What happened in a run, as a hash of all of it and the newest lines. Two runs of one seed have the same hash. */
export class Trace {
  readonly #clock: Clock;
  readonly #print: ((line: string) => void) | null;
  readonly #kept: string[] = [];
  #events = 0;
  /** Two FNV-1a hashes with different starts. */
  #first = 0x811c9dc5;
  #second = 0x1b873593;

  /** @param print gets each line as it comes */
  constructor(clock: Clock, print: ((line: string) => void) | null = null) {
    this.#clock = clock;
    this.#print = print;
  }

  /** True when somebody reads along: then what costs time to say may be said with {@link say}. */
  get isPrinted(): boolean {
    return this.#print !== null;
  }

  get events(): number {
    return this.#events;
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return hex(this.#first) + hex(this.#second);
  }

  /** The newest lines, oldest first. */
  get tail(): readonly string[] {
    return this.#kept.slice(-KEPT_MAX);
  }

  /** Notes that something happened now. */
  note(who: string, what: string): void {
    this.#events++;
    const line = `${this.#stamp()} ${who}: ${what}`;
    for (let i = 0; i < line.length; i++) this.#mix(line.charCodeAt(i));
    this.#kept.push(line);
    if (this.#kept.length > 2 * KEPT_MAX) this.#kept.splice(0, KEPT_MAX);
    this.#print?.(line);
  }

  /** Tells who reads along, and nobody else: the hash does not change by it. */
  say(who: string, what: string): void {
    this.#print?.(`${this.#stamp()} ${who}: ${what}`);
  }

  /** Notes bytes that arrived; all of them go into the hash. */
  bytes(who: string, chunk: Uint8Array): void {
    for (let i = 0; i < chunk.length; i++) this.#mix(chunk[i] as number);
    this.note(who, `${chunk.length} bytes, first 0x${(chunk[0] ?? 0).toString(16)}`);
  }

  #stamp(): string {
    return this.#clock.nowMs().toFixed(0).padStart(8);
  }

  #mix(value: number): void {
    this.#first = Math.imul(this.#first ^ value, 0x01000193);
    this.#second = Math.imul(this.#second ^ value, 0x01000193) ^ (this.#second >>> 15);
  }
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
