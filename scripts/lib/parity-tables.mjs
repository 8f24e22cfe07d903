import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stringValue, tokenize } from "./declaration-tokens.mjs";
import { codeSpans, readTables } from "./markdown-tables.mjs";
import { PublicApi } from "./public-api.mjs";

const ERROR_TABLE = "packages/polymq/src/base/errors.ts";
const EVENTS = "MqttClientEvents";
/** Entry points of which every exported name needs a row. */
const COMPLETE = ["polymq/mqtt", "polymq/store", "polymq/amqp091"];
const NAME = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*|\[[A-Za-z.]+\])*$/;
const FILE_AND_TITLE = /^(\S+\.test\.[cm]?[jt]sx?)\s+>\s+(.+)$/;

/**
 * Checks the tables of docs/parity-*.md: each of our names is public, each test exists and passes, and each name that
 * the entry points of MQTT, AMQP 0-9-1 and the stores export has a row.
 *
 * @param {string} root the repository's root
 * @param {import("./test-report.mjs").Test[]} tests
 * @returns {{ summaries: string[], failures: string[] }}
 */
export function checkParityTables(root, tests) {
  const api = new PublicApi(root);
  const errorCodes = readErrorCodes(root);
  const summaries = [];
  const failures = [...api.failures];
  const named = new Set();
  for (const { document, table } of parityTables(root, failures)) {
    let good = 0;
    for (const row of table.rows) {
      const names = codeSpans(row.cells[table.columns.indexOf("our name")] ?? "").map(withoutCall);
      for (const name of names) named.add(exportOf(name));
      const problems = [
        ...nameProblems(names, api, errorCodes),
        ...testProblems(row.cells[table.columns.indexOf("test")] ?? "", tests),
      ];
      if (problems.length === 0) good++;
      for (const problem of problems) failures.push(`docs/${document}:${row.line + 1}: ${row.cells[0]}: ${problem}`);
    }
    summaries.push(`${document.replace(/\.md$/, "")} ${table.heading}: ${table.rows.length} rows, ${good} good`);
  }
  return { summaries, failures: [...failures, ...missingRows(api, named)] };
}

function parityTables(root, failures) {
  const directory = join(root, "docs");
  const documents = existsSync(directory) ? readdirSync(directory).sort() : [];
  return documents
    .filter((document) => /^parity-.*\.md$/.test(document))
    .flatMap((document) => {
      const tables = readTables(readFileSync(join(directory, document), "utf8"));
      const checked = tables.filter(({ columns }) => columns.includes("our name") && columns.includes("test"));
      if (checked.length === 0) failures.push(`docs/${document} has no table with the columns "our name" and "test"`);
      return checked.map((table) => ({ document, table }));
    });
}

/** The codes that the one table of errors names. */
function readErrorCodes(root) {
  const path = join(root, ERROR_TABLE);
  const source = existsSync(path) ? readFileSync(path, "utf8") : "";
  return new Set(
    tokenize(source)
      .map(stringValue)
      .filter((value) => value?.startsWith("ERR_")),
  );
}

function withoutCall(name) {
  return name.replace(/\(\)$/, "");
}

/** The exported name that a row is about. */
function exportOf(name) {
  return name.startsWith("event:") ? EVENTS : name.split(/[.[]/, 1)[0];
}

function nameProblems(names, api, errorCodes) {
  if (names.length === 0) return ["no name of ours in backticks"];
  return names.filter((name) => !resolves(name, api, errorCodes)).map((name) => `\`${name}\` is no public name`);
}

function resolves(name, api, errorCodes) {
  if (name.startsWith("event:")) return api.has([EVENTS, name.slice("event:".length)]);
  if (name.startsWith("ERR_")) return errorCodes.has(name);
  return NAME.test(name) && api.has(name.match(/\[[^\]]+\]|[^.[\]]+/g));
}

function testProblems(cell, tests) {
  const spans = codeSpans(cell);
  if (spans.length === 0) return ["no test in backticks"];
  return spans.flatMap((span) => {
    const found = findTests(span, tests);
    if (found.length === 0) return [`no test \`${span}\``];
    return found
      .filter(({ status }) => status !== "passed")
      .map(({ file, status }) => `the test \`${span}\` (${file}) ${status}`);
  });
}

function findTests(span, tests) {
  const whole = tests.filter(({ names }) => names.includes(span));
  const [, file, title] = FILE_AND_TITLE.exec(span) ?? [];
  if (whole.length > 0 || file === undefined) return whole;
  return tests.filter((test) => `/${test.file}`.endsWith(`/${file}`) && test.names.includes(title));
}

function missingRows(api, named) {
  return COMPLETE.flatMap((entry) => {
    if (!api.entries.has(entry)) return [`${entry}: no such entry point in packages/*/package.json`];
    return api
      .exportedNames(entry)
      .filter((name) => !named.has(name))
      .map((name) => `${entry}: \`${name}\` has no row in docs/parity-*.md`);
  });
}
