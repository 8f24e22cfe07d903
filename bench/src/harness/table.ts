import { type Cell, type MetricName, medianOf, type Ratio, ratioTo } from "./metrics.ts";

/** How a table compares: the baselines of its ratios and the columns it needs. */
export interface TableShape {
  readonly baselines: readonly string[];
  /** What the ratios are called, such as "to MQTT.js". */
  readonly ratioTitle: string;
  /** The display name of each contender. */
  readonly names: Readonly<Record<string, string>>;
  /** What is counted, such as "messages" or "delivered". */
  readonly rateTitle: string;
}

/** A table as lines of cells, the first line being the heading. */
export type Table = readonly (readonly string[])[];

/** Lays the cells of a run out, one line per contender, row and size. */
export function tableOf(cells: readonly Cell[], shape: TableShape): Table {
  const heading = [
    "row",
    "size",
    "contender",
    `${shape.rateTitle}/s`,
    "CPU us",
    "p50 us",
    "p99 us",
    "peak MiB",
    "start ms",
    "cold start ms",
    "loop delay ms",
  ];
  const lines = cells.map((cell) => lineOf(cell, cells, shape));
  return [[...heading, `rate ${shape.ratioTitle}`, "CPU", "memory", "p50", "p99"], ...lines];
}

function lineOf(cell: Cell, cells: readonly Cell[], shape: TableShape): string[] {
  const baselines = cells.filter(
    (other) => other.row === cell.row && other.size === cell.size && shape.baselines.includes(other.contender),
  );
  const ratio = (metric: MetricName): string => ratioText(ratioTo(cell, baselines, metric));
  const kib = medianOf(cell, "memory");
  const failures = cell.failures.length;
  const name = `${shape.names[cell.contender] ?? cell.contender}${failures > 0 ? ` (${failures} FAILED)` : ""}`;
  return [
    cell.row,
    cell.size === 0 ? "" : sizeText(cell.size),
    name,
    rateText(medianOf(cell, "rate")),
    figure(medianOf(cell, "cpu"), 2),
    figure(medianOf(cell, "p50"), 1),
    figure(medianOf(cell, "p99"), 1),
    figure(kib === null ? null : kib / 1024, 0),
    figure(medianOf(cell, "startup"), 1),
    figure(medianOf(cell, "coldStartup"), 1),
    figure(medianOf(cell, "delay"), 1),
    ratio("rate"),
    ratio("cpu"),
    ratio("memory"),
    ratio("p50"),
    ratio("p99"),
  ];
}

/** The table for a terminal: columns aligned with spaces. Columns without any entry are left out. */
export function plainText(table: Table): string {
  const used = withoutEmptyColumns(table);
  const widths = (used[0] ?? []).map((_, column) => Math.max(...used.map((line) => line[column]?.length ?? 0)));
  return used
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The table in Markdown. Columns without any entry are left out. */
export function markdown(table: Table): string {
  const used = withoutEmptyColumns(table);
  const lines = used.map((line) => `| ${line.join(" | ")} |`);
  const rule = `|${(used[0] ?? []).map(() => " --- ").join("|")}|`;
  return [lines[0] ?? "", rule, ...lines.slice(1)].join("\n");
}

function withoutEmptyColumns(table: Table): Table {
  const [heading = [], ...lines] = table;
  const used = heading.map((_, column) => lines.some((line) => line[column] !== ""));
  return table.map((line) => line.filter((_, column) => used[column]));
}

function ratioText(ratio: Ratio | null): string {
  if (ratio === null) return "";
  const digits = ratio.median >= 10 ? 1 : 2;
  const range = ratio.pairs > 1 ? ` (${ratio.min.toFixed(digits)}-${ratio.max.toFixed(digits)})` : "";
  return `${ratio.median.toFixed(digits)} x${range}`;
}

function rateText(rate: number | null): string {
  if (rate === null) return "";
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)}M`;
  return rate >= 1e4 ? `${(rate / 1e3).toFixed(0)}k` : rate.toFixed(0);
}

function sizeText(bytes: number): string {
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`;
}

function figure(value: number | null, digits: number): string {
  return value === null ? "" : value.toFixed(digits);
}
