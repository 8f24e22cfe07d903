/** Where the reporter writes; `process.stdout` is one. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** How often a progress line is printed where it cannot be refreshed. */
const PLAIN_INTERVAL_MS = 2_000;

/** Prints lines, and below them one line of progress: refreshed in place on a terminal, now and then a new one elsewhere. */
export class Reporter {
  readonly #screen: Screen;
  #progress = "";
  #printedAtMs = Number.NEGATIVE_INFINITY;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** A line that stays. */
  line(text: string): void {
    this.#clear();
    this.#screen.write(`${text}\n`);
    if (this.#screen.isTTY === true) this.#draw();
  }

  /** The progress of now. */
  progress(text: string): void {
    if (this.#screen.isTTY === true) {
      this.#clear();
      this.#progress = text;
      this.#draw();
    } else if (performance.now() - this.#printedAtMs >= PLAIN_INTERVAL_MS) {
      this.#printedAtMs = performance.now();
      this.#screen.write(`${text}\n`);
    }
  }

  /** Ends the progress line. */
  done(): void {
    this.#clear();
    this.#progress = "";
  }

  #clear(): void {
    if (this.#screen.isTTY === true && this.#progress !== "") this.#screen.write("\r\x1b[K");
  }

  #draw(): void {
    // A line that wraps could not be refreshed.
    if (this.#progress !== "") this.#screen.write(this.#progress.slice(0, (this.#screen.columns ?? 80) - 1));
  }
}
