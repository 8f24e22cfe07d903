import type { FindFile } from "./exports.ts";

const ROW = /^\| (?<what>[^|]+) \| (?<limit>[\d,]+) \| `(?<path>[^#`]+)#(?<name>\w+)` \|$/;

/** Rows of SECURITY.md's table of limits whose constant is gone or has another value, and rows in another form. */
export function limitsTableViolations(markdown: string, find: FindFile): string[] {
  const lines = markdown.split("\n");
  const start = lines.indexOf("| what | limit | name |");
  if (start === -1) return ["SECURITY.md:1: the table of limits is missing"];
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"));
  const rows = lines.slice(start + 2, end === -1 ? undefined : end);
  if (rows.length === 0) return [`SECURITY.md:${start + 1}: the table of limits is empty`];
  return rows.flatMap((row, index) => {
    const message = rowMessage(row, find);
    return message === null ? [] : [`SECURITY.md:${start + 3 + index}: ${message}`];
  });
}

function rowMessage(row: string, find: FindFile): string | null {
  const { limit = "", path = "", name = "" } = ROW.exec(row)?.groups ?? {};
  if (name === "") return "not in the form | what | 1,000 | `path#NAME` |";
  const value = new RegExp(`^(?:export )?const ${name}(?:: number)? = (\\w+);$`, "m").exec(find(path)?.text ?? "")?.[1];
  if (value === undefined) return `${path} has no constant ${name}`;
  const actual = Number(value.replaceAll("_", ""));
  return actual === Number(limit.replaceAll(",", ""))
    ? null
    : `${name} is ${actual.toLocaleString("en")}, not ${limit}`;
}
