import type { Cell } from "./metrics.ts";
import type { BenchOptions } from "./options.ts";
import type { TableShape } from "./table.ts";
import type { Contest, Threshold } from "./thresholds.ts";

/** One comparison of a protocol: what it runs, how its table reads, what it promises. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  /** The names that `--rows` and `--only` take. */
  readonly rows: readonly string[];
  readonly contenders: readonly string[];
  readonly thresholds: readonly Threshold[];
  readonly contest: Contest;
  readonly shape: TableShape;
  /** What a reader must know to judge the figures, as sentences. */
  readonly notes: readonly string[];
  /** Versions of contenders that are not npm packages. */
  versions(): Readonly<Record<string, string>>;
  /** npm packages whose versions the report names. */
  readonly packages: readonly string[];
  /** What cannot be measured here, as sentences; printed before the run. */
  skips(options: BenchOptions): readonly string[];
  /** Measures what the options ask for. */
  run(options: BenchOptions): Promise<Cell[]>;
}
