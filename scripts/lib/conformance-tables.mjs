import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatRow, readTables } from "./markdown-tables.mjs";

const DOCUMENT = "docs/mqtt-conformance.md";
const COLUMNS = ["id", "side", "statement", "test"];
const SIDES = new Set(["client", "server", "both"]);
const ID = /^\[MQTT3?-\d+\.\d+\.\d+-\d+\]$/;
const BRACKETED_ID = /\[MQTT3?-\d+\.\d+\.\d+-\d+\]/g;
const LOOKS_LIKE_ID = /MQTT3?-\d+\.\d/;
const NOT_TESTABLE = /^not testable: \S/;
const MAX_PATHS = 3;

/**
 * Checks that each statement of the conformance tables has a test that passes and names it, that each id in a test's
 * name has a row, and that the test column says what the report says.
 *
 * @param {string} root the repository's root
 * @param {import("./test-report.mjs").Test[]} tests
 * @param {{ write: boolean }} options `write` brings the test column up to date before the check
 * @returns {{ summaries: string[], failures: string[] }}
 */
export function checkConformanceTables(root, tests, { write }) {
  const path = join(root, DOCUMENT);
  if (!existsSync(path)) return { summaries: [], failures: [`${DOCUMENT} is missing`] };
  const text = readFileSync(path, "utf8");
  const tables = readTables(text).filter(({ columns }) => columns.join() === COLUMNS.join());
  if (tables.length === 0) return { summaries: [], failures: [`${DOCUMENT} has no table ${COLUMNS.join(" | ")}`] };
  const rows = tables.flatMap((table) => table.rows);
  const testsById = groupById(tests);
  const outdated = rows.filter((row) => bringUpToDate(row, testsById.get(row.cells[0]) ?? []));
  if (write && outdated.length > 0) writeFileSync(path, replaceLines(text, outdated));
  return {
    summaries: tables.map(summarize),
    failures: [
      ...rowFailures(rows, testsById),
      ...titleFailures(tests, new Set(rows.map(({ cells }) => cells[0]))),
      ...(write ? [] : outdated.map(({ line, cells }) => `${at(line)} ${cells[0]} is out of date: run with --write`)),
    ],
  };
}

/** The stubs of the benchmarks prove nothing about the product. */
const STUBS = "bench/";

function groupById(tests) {
  const byId = new Map();
  for (const test of tests) {
    if (test.file.startsWith(STUBS)) continue;
    for (const [id] of test.fullName.matchAll(BRACKETED_ID)) byId.set(id, [...(byId.get(id) ?? []), test]);
  }
  return byId;
}

/** Puts what the test cell has to be into the row, and tells whether that is something new. */
function bringUpToDate(row, tests) {
  const old = row.cells[3];
  const files = [...new Set(tests.filter(passed).map((test) => test.file))].sort().slice(0, MAX_PATHS);
  if (files.length > 0) row.cells[3] = files.map((file) => `\`${file}\``).join(", ");
  else if (!NOT_TESTABLE.test(old)) row.cells[3] = "-";
  return row.cells[3] !== old;
}

function rowFailures(rows, testsById) {
  const failures = [];
  const seen = new Set();
  for (const { line, cells } of rows) {
    const [id, side, statement, test] = cells;
    const fail = (problem) => failures.push(`${at(line)} ${id} ${problem}`);
    if (cells.length !== COLUMNS.length) fail(`has ${cells.length} cells, not ${COLUMNS.length}`);
    if (!ID.test(id)) fail("is no statement id");
    if (seen.has(id)) fail("has two rows");
    seen.add(id);
    if (!SIDES.has(side)) fail(`has the side "${side}", not client, server or both`);
    if (!statement) fail("has no statement");
    if (test === "-") fail(whyUntested(testsById.get(id) ?? []));
  }
  return failures;
}

function whyUntested(tests) {
  const [first] = tests;
  return first ? `has no test that passes: "${first.title}" (${first.file}) ${first.status}` : "has no test";
}

function titleFailures(tests, known) {
  const failures = [];
  for (const { file, fullName } of tests) {
    for (const [id] of fullName.matchAll(BRACKETED_ID)) {
      if (!known.has(id)) failures.push(`${file}: "${fullName}" names ${id}, which is not in ${DOCUMENT}`);
    }
    if (LOOKS_LIKE_ID.test(fullName.replaceAll(BRACKETED_ID, ""))) {
      failures.push(`${file}: "${fullName}" names an id that is not written as [MQTT-x.x.x-y] in its own brackets`);
    }
  }
  return failures;
}

function summarize({ heading, rows }) {
  const notTestable = rows.filter(({ cells }) => NOT_TESTABLE.test(cells[3])).length;
  const tested = rows.filter(({ cells }) => cells[3] !== "-").length - notTestable;
  const version = heading.replace(/^MQTT /, "");
  return `mqtt-conformance ${version}: ${rows.length} rows, ${tested} tested, ${notTestable} not testable`;
}

function replaceLines(text, rows) {
  const lines = text.split("\n");
  for (const { line, cells } of rows) lines[line] = formatRow(cells);
  return lines.join("\n");
}

function passed(test) {
  return test.status === "passed";
}

function at(line) {
  return `${DOCUMENT}:${line + 1}:`;
}
