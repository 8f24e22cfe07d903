/** Reads the tables of a Markdown document, with the heading and the line that each stands at. */

const HEADING = /^#{1,6}\s+(.*?)\s*#*$/;
const DELIMITER = /^\|(?:\s*:?-+:?\s*\|)+\s*$/;

/**
 * @param {string} text a Markdown document
 * @returns {{ heading: string, columns: string[], rows: { line: number, cells: string[] }[] }[]} its tables in order;
 * `line` counts from 0, cells are trimmed and free of the escape before a bar
 */
export function readTables(text) {
  const lines = text.split("\n");
  const tables = [];
  let heading = "";
  for (let line = 0; line < lines.length; line++) {
    const found = HEADING.exec(lines[line]);
    if (found) heading = found[1];
    if (!lines[line].startsWith("|") || !DELIMITER.test(lines[line + 1] ?? "")) continue;
    const table = { heading, columns: splitRow(lines[line]), rows: [] };
    for (line += 2; line < lines.length && lines[line].startsWith("|"); line++) {
      table.rows.push({ line, cells: splitRow(lines[line]) });
    }
    tables.push(table);
  }
  return tables;
}

/** @param {string[]} cells @returns {string} the line of a table row */
export function formatRow(cells) {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/**
 * @param {string} cell
 * @returns {string[]} what stands between backticks; a span with backticks in it is written with two on each side
 */
export function codeSpans(cell) {
  return [...cell.matchAll(/(`+)(?!`)(.+?)(?<!`)\1(?!`)/g)].map((match) => match[2].trim());
}

/** @param {string} line */
function splitRow(line) {
  const cells = line
    .trim()
    .slice(1)
    .split(/(?<!\\)\|/);
  if (cells.at(-1)?.trim() === "") cells.pop();
  return cells.map((cell) => cell.trim().replaceAll("\\|", "|"));
}
