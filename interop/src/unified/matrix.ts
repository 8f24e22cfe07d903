import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the matrix is kept. */
const DOCUMENT = fileURLToPath(new URL("../../../docs/brokers.md", import.meta.url));
const HEAD = "| case |";

/** What a cell says: `yes`, or `cannot` with the code of the typed error. */
export type Cells = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** The matrix of docs/brokers.md, by case and then by column. */
export function readMatrix(): Cells {
  const lines = readFileSync(DOCUMENT, "utf8").split("\n");
  const start = lines.findIndex((line) => line.startsWith(HEAD));
  const columns = cellsOf(lines[start] ?? "");
  const cells = new Map<string, Map<string, string>>();
  for (let i = start + 2; start >= 0 && lines[i]?.startsWith("|") === true; i++) {
    const [name = "", ...row] = cellsOf(lines[i] ?? "");
    cells.set(name, new Map(row.map((cell, at) => [columns[at + 1] ?? "", cell])));
  }
  return cells;
}

/** Writes the matrix into docs/brokers.md; cells of servers that were not here stay as they are. */
export function writeMatrix(found: Cells, names: readonly string[], columns: readonly string[]): void {
  const before = readMatrix();
  const text = readFileSync(DOCUMENT, "utf8");
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(HEAD));
  let end = start;
  while (lines[end]?.startsWith("|") === true) end++;
  const cell = (name: string, column: string): string =>
    found.get(name)?.get(column) ?? before.get(name)?.get(column) ?? "not run";
  const table = tableOf(names, columns, cell);
  writeFileSync(DOCUMENT, [...lines.slice(0, start), ...table, ...lines.slice(end)].join("\n"));
}

/** The lines of a matrix. */
export function tableOf(
  names: readonly string[],
  columns: readonly string[],
  cell: (name: string, column: string) => string,
): string[] {
  return [
    `${HEAD} ${columns.join(" | ")} |`,
    `| --- |${columns.map(() => " --- |").join("")}`,
    ...names.map((name) => `| ${[name, ...columns.map((column) => cell(name, column))].join(" | ")} |`),
  ];
}

function cellsOf(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}
