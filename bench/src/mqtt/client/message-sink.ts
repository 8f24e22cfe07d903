// Hot path: runs for every message that a client receives.
import { Progress } from "../../harness/progress.ts";
import { PAYLOAD_CYCLE } from "../wire/payloads.ts";

/** Where a contender delivers what it receives. */
export interface MessageSink {
  /** One message, as the library hands it to the application. */
  onPayload(payload: Uint8Array): void;
  /** Messages whose every byte the contender has checked itself (the raw socket). */
  onChecked(count: number): void;
}

/**
 * The application of the receive rows: counts messages and checks length, first and last byte of each; in a thorough
 * phase (the warm-up) every byte.
 */
export class Tally implements MessageSink {
  readonly #payloads: readonly Uint8Array[];
  readonly #progress: Progress = new Progress();
  #isThorough = false;

  constructor(payloads: readonly Uint8Array[]) {
    this.#payloads = payloads;
  }

  /** Starts a phase; resolves when its last message has come, with the time of message `mark`. */
  begin(count: number, mark: number, checking: "thorough" | "quick"): Promise<number> {
    this.#isThorough = checking === "thorough";
    return this.#progress.begin(count, mark);
  }

  onPayload(payload: Uint8Array): void {
    const expected = this.#payloads[this.#progress.total % PAYLOAD_CYCLE];
    const last = payload.length - 1;
    if (
      expected === undefined ||
      payload.length !== expected.length ||
      payload[0] !== expected[0] ||
      payload[last] !== expected[last] ||
      (this.#isThorough && Buffer.compare(payload, expected) !== 0)
    ) {
      throw new Error(`message ${this.#progress.total} has a wrong payload`);
    }
    this.#progress.advance(1);
  }

  onChecked(count: number): void {
    this.#progress.advance(count);
  }
}

/** The application of the round-trip row: publishes the next message when the last has come back, and times each. */
export class RoundTrips implements MessageSink {
  readonly #payloads: readonly Uint8Array[];
  readonly #send: (payload: Uint8Array) => void;
  #samplesUs: Float64Array = new Float64Array(0);
  #next = 0;
  #total = 0;
  #sentAtMs = 0;
  #finish: () => void = () => undefined;

  constructor(payloads: readonly Uint8Array[], send: (payload: Uint8Array) => void) {
    this.#payloads = payloads;
    this.#send = send;
  }

  /** Makes `count` round trips, one after the other; resolves with their times in microseconds. */
  async run(count: number): Promise<Float64Array> {
    this.#samplesUs = new Float64Array(count);
    this.#next = 0;
    await new Promise<void>((resolve) => {
      this.#finish = resolve;
      this.#sendNext();
    });
    return this.#samplesUs;
  }

  onPayload(payload: Uint8Array): void {
    const expected = this.#payloads[this.#total % PAYLOAD_CYCLE];
    if (payload.length !== expected?.length || payload[0] !== expected[0]) throw new Error("a wrong echo");
    this.onChecked(1);
  }

  onChecked(count: number): void {
    if (count !== 1 || this.#next >= this.#samplesUs.length) throw new Error("an echo too many");
    this.#samplesUs[this.#next] = (performance.now() - this.#sentAtMs) * 1000;
    this.#next += 1;
    this.#total += 1;
    if (this.#next < this.#samplesUs.length) this.#sendNext();
    else this.#finish();
  }

  #sendNext(): void {
    const payload = this.#payloads[this.#total % PAYLOAD_CYCLE] ?? new Uint8Array(0);
    this.#sentAtMs = performance.now();
    this.#send(payload);
  }
}
