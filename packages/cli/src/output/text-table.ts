/** Rows as lines of aligned columns below their names; numbers stand to the right. */
export function textTable(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string {
  const cells = rows.map((row) => columns.map((column) => cellText(row[column])));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((line) => line[i]?.length ?? 0)));
  const isNumber = columns.map((column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"));
  const lineOf = (line: readonly string[]): string =>
    line
      .map((cell, i) => (isNumber[i] === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [columns, ...cells].map((line) => `${lineOf(line)}\n`).join("");
}

/** Lists by their length; what a terminal would act on is left out. */
function cellText(value: unknown): string {
  if (Array.isArray(value)) return String(value.length);
  if (value === null || value === undefined) return "";
  return String(value).replaceAll(/\p{Cc}/gu, "");
}
