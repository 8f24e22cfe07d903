import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";

const SCRIPT: string = fileURLToPath(new URL("./check-tables.mjs", import.meta.url));

// Ids are put together here: as literals in this file's titles or sources they would look like covered statements.
const FIRST = id("MQTT", "1.5.4-1");
const SECOND = id("MQTT", "3.1.0-1");
const OLD = id("MQTT3", "3.1.0-1");

const CODEC_TEST = "packages/polymq/src/codec.test.ts";
const CLIENT_TEST = "packages/polymq/src/client.test.ts";

const CONFORMANCE = `# Conformance

## MQTT 5.0

| id | side | statement | test |
| --- | --- | --- | --- |
| ${FIRST} | both | Strings are valid. | \`${CLIENT_TEST}\`, \`${CODEC_TEST}\` |
| ${SECOND} | client | CONNECT is first. | \`${CLIENT_TEST}\` |

## MQTT 3.1.1

| id | side | statement | test |
| --- | --- | --- | --- |
| ${OLD} | client | CONNECT is first. | not testable: only an example |
`;

const PARITY = `# Parity

## Options

| Go name | kind | our name | test |
| --- | --- | --- | --- |
| Options.KeepAlive | option | \`ClientOptions.keepAlive\`, \`ClientOptions.will.delay\` | \`publishes\` |
| Client.Publish | method | \`Client.publish()\` | \`client.test.ts > publishes\` |
| Client.Name | method | \`Client.name\`, \`Client[Symbol.asyncDispose]\` | \`Client > closes \\| ends\` |
| ErrNotConnected | error | \`ERR_NOT_CONNECTED\` | \`publishes\` |
| OnLost | callback | \`event:lost\` | \`publishes\` |

## Beyond the Go client

| our name | what | test |
| --- | --- | --- |
| \`MemoryStore\` | a store | \`publishes\` |
| \`Level\` | a type and a value | \`publishes\` |
| \`connect\` | a function | \`publishes\` |
`;

const SOURCES: Readonly<Record<string, string>> = {
  "packages/polymq/package.json": JSON.stringify({
    name: "polymq",
    exports: {
      "./mqtt": { types: "./dist/mqtt/index.d.ts", default: "./dist/mqtt/index.js" },
      "./store": { import: { types: "./dist/store/index.d.ts" } },
      "./amqp091": { import: { types: "./dist/amqp091/index.d.ts" } },
      "./internal": { types: "./dist/internal.d.ts" },
      "./package.json": "./package.json",
    },
  }),
  "packages/polymq/dist/mqtt/index.d.ts": `
    export { Client, connect } from "./client.ts";
    export type { ClientOptions, MqttClientEvents } from "./client.ts";
    export { Level } from "./level.js";`,
  "packages/polymq/dist/mqtt/client.d.ts": `
    import type { Base as Root } from "../base.ts";
    import { type Will } from "./will.ts";
    /** What a { client } is: "quoted. */
    export interface ClientOptions extends Omit<Shared<string>, "dropped"> {
        readonly servers: readonly (string | { host: string; port: number })[];
    }
    type Shared<T> = Partial<{ keepAlive: number; dropped: T; }> & { will?: Will | undefined; };
    export interface MqttClientEvents { lost: [reason: Error]; "quoted": []; }
    export declare class Client<T extends { a: 1 } = { a: 1 }> extends Root<T, { b: 2 }> implements AsyncDisposable {
        #private;
        private hidden;
        static readonly count: number;
        get state(): Level;
        constructor(options: ClientOptions);
        publish(topic: string, handler: (ok: boolean) => void): Promise<void>;
        [Symbol.asyncDispose](): Promise<void>;
    }
    export declare function connect(options: { never: 1; }): Promise<Client>;`,
  "packages/polymq/dist/mqtt/will.d.ts": "export type Will = { delay: number; };",
  "packages/polymq/dist/mqtt/level.d.ts": `
    export declare const Level: { readonly low: 0; readonly high: 1; };
    export type Level = (typeof Level)[keyof typeof Level];`,
  "packages/polymq/dist/base.d.ts": "declare class Base<A, B> { readonly name: string; }\nexport { Base };",
  "packages/polymq/dist/store/index.d.ts": 'export * from "./memory-store.ts";',
  "packages/polymq/dist/amqp091/index.d.ts": "export {};",
  "packages/polymq/dist/store/memory-store.d.ts": "export declare class MemoryStore { }",
  "packages/polymq/dist/internal.d.ts": "export declare const secret: { inner: 1; };",
  "packages/polymq/src/base/errors.ts": `
    const ERRORS = { "call later": ["ERR_NOT_CONNECTED"], // also: "ERR_COMMENT"
    } as const;
    export type ErrorCode = (typeof ERRORS)["call later"][number] | "ERR_TIMEOUT";`,
  [CODEC_TEST]: "",
  [CLIENT_TEST]: "",
  "docs/mqtt-conformance.md": CONFORMANCE,
  "docs/parity-go.md": PARITY,
};

interface FakeTest {
  file: string;
  suites: string[];
  title: string;
  status: string;
}

const TESTS: readonly FakeTest[] = [
  { file: CODEC_TEST, suites: [], title: `a bad string is refused ${FIRST}`, status: "passed" },
  { file: CODEC_TEST, suites: [], title: `a bad name is refused ${FIRST}`, status: "passed" },
  { file: CLIENT_TEST, suites: [`CONNECT ${SECOND}`], title: `is first ${FIRST}`, status: "passed" },
  { file: CLIENT_TEST, suites: [], title: "publishes", status: "passed" },
  { file: CLIENT_TEST, suites: ["Client"], title: "closes | ends", status: "passed" },
];

interface Result {
  root: string;
  code: number | null;
  summary: string[];
  failures: string[];
}

const roots: string[] = [];

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

function id(prefix: string, number: string): string {
  return `[${prefix}-${number}]`;
}

function write(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function report(root: string, tests: readonly FakeTest[]): string {
  const files = [...new Set(tests.map(({ file }) => file))];
  return JSON.stringify({
    testResults: files.map((file) => ({
      name: join(root, file),
      assertionResults: tests
        .filter((entry) => entry.file === file)
        .map(({ suites, title, status }) => ({
          ancestorTitles: suites,
          title,
          fullName: [...suites, title].join(" "),
          status,
        })),
    })),
  });
}

/** Runs the check on a small repository in which only `sources` and `tests` differ from one where all is right. */
function check(sources: Record<string, string> = {}, tests: readonly FakeTest[] = TESTS, ...options: string[]): Result {
  const root = mkdtempSync(join(tmpdir(), "check-tables-"));
  roots.push(root);
  for (const [path, text] of Object.entries({ ...SOURCES, ...sources })) write(root, path, text);
  write(root, ".cache/vitest.json", report(root, tests));
  return run(root, options);
}

function run(root: string, options: readonly string[] = []): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, "--root", root, ...options], {
    encoding: "utf8",
  });
  return { root, code: status, summary: stdout.trim().split("\n"), failures: stderr.trim().split("\n").slice(0, -1) };
}

function withStatus(title: string, status: string): FakeTest[] {
  return TESTS.map((entry) => (entry.title === title ? { ...entry, status } : entry));
}

function without(title: string): FakeTest[] {
  return TESTS.filter((entry) => entry.title !== title);
}

/** The failures of a table with one row for each name. */
function failuresOfNames(names: readonly string[]): string[] {
  const rows = names.map((name) => `| Go | option | \`${name}\` | \`publishes\` |`);
  const table = ["| Go name | kind | our name | test |", "| --- | --- | --- | --- |", ...rows].join("\n");
  return check({ "docs/parity-names.md": `# Names\n\n${table}\n` }).failures;
}

describe("when all is right", () => {
  test("the check exits 0 and prints a line for each table", () => {
    const { code, summary, failures } = check();
    expect(failures).toEqual([]);
    expect(code).toBe(0);
    expect(summary).toEqual([
      "mqtt-conformance 5.0: 2 rows, 2 tested, 0 not testable",
      "mqtt-conformance 3.1.1: 1 rows, 0 tested, 1 not testable",
      "parity-go Options: 5 rows, 5 good",
      "parity-go Beyond the Go client: 3 rows, 3 good",
    ]);
  });

  test("--write changes nothing", () => {
    const { root, code } = check({}, TESTS, "--write");
    expect(code).toBe(0);
    expect(readFileSync(join(root, "docs/mqtt-conformance.md"), "utf8")).toBe(CONFORMANCE);
  });
});

describe("conformance tables", () => {
  test("a removed test fails the row and makes the document out of date", () => {
    const { code, failures } = check({}, without(`is first ${FIRST}`));
    expect(code).toBe(1);
    expect(failures).toContain(`docs/mqtt-conformance.md:8: ${SECOND} has no test`);
    expect(failures).toContain(`docs/mqtt-conformance.md:8: ${SECOND} is out of date: run with --write`);
  });

  test.each(["skipped", "failed", "todo"])("a %s test does not count", (status) => {
    const { code, failures } = check({}, withStatus(`is first ${FIRST}`, status));
    expect(code).toBe(1);
    expect(failures.join("\n")).toContain(`${SECOND} has no test that passes`);
  });

  test("a test of a deleted file does not count", () => {
    const { root } = check();
    rmSync(join(root, CLIENT_TEST));
    expect(run(root).failures).toContain(`docs/mqtt-conformance.md:8: ${SECOND} has no test`);
  });

  test("a test of the benchmarks' stubs does not count", () => {
    const file = "bench/src/stub.test.ts";
    const stub = { file, suites: [], title: `is first ${SECOND}`, status: "passed" };
    const { failures } = check({ [file]: "" }, [...without(`is first ${FIRST}`), stub]);
    expect(failures).toContain(`docs/mqtt-conformance.md:8: ${SECOND} has no test`);
  });

  test("--write fills the column, and the check passes afterwards", () => {
    const empty = CONFORMANCE.replace(/`packages.*` \|/g, "- |");
    expect(empty).not.toBe(CONFORMANCE);
    expect(check({ "docs/mqtt-conformance.md": empty }).code).toBe(1);
    const { root, code } = check({ "docs/mqtt-conformance.md": empty }, TESTS, "--write");
    expect(code).toBe(0);
    expect(readFileSync(join(root, "docs/mqtt-conformance.md"), "utf8")).toBe(CONFORMANCE);
    expect(run(root).code).toBe(0);
  });

  test("--write still fails when a row has no test", () => {
    const { root, code, failures } = check({}, without(`is first ${FIRST}`), "--write");
    expect(code).toBe(1);
    expect(failures).toContain(`docs/mqtt-conformance.md:8: ${SECOND} has no test`);
    expect(readFileSync(join(root, "docs/mqtt-conformance.md"), "utf8")).toContain("CONNECT is first. | - |");
  });

  test("at most three files are listed, in order", () => {
    const files = ["d", "c", "b", "a"].map((name) => `packages/polymq/src/${name}.test.ts`);
    const tests = files.map((file) => ({ file, suites: [], title: `first ${SECOND}`, status: "passed" }));
    const sources = Object.fromEntries(files.map((file) => [file, ""]));
    const { root } = check(sources, [...TESTS, ...tests], "--write");
    const listed = ["a", "b", "c"].map((name) => `\`packages/polymq/src/${name}.test.ts\``).join(", ");
    expect(readFileSync(join(root, "docs/mqtt-conformance.md"), "utf8")).toContain(`CONNECT is first. | ${listed} |`);
  });

  test("a row that says not testable is out of date once a test names its id", () => {
    const extra = { file: CODEC_TEST, suites: [], title: `old ${OLD}`, status: "passed" };
    const { failures } = check({}, [...TESTS, extra]);
    expect(failures).toEqual([`docs/mqtt-conformance.md:14: ${OLD} is out of date: run with --write`]);
  });

  test("a title with an id that has no row fails", () => {
    const unknown = id("MQTT", "9.9.9-9");
    const { failures } = check({}, [...TESTS, { file: CODEC_TEST, suites: [], title: unknown, status: "passed" }]);
    expect(failures).toEqual([
      `${CODEC_TEST}: "${unknown}" names ${unknown}, which is not in docs/mqtt-conformance.md`,
    ]);
  });

  test("a title with two ids in one pair of brackets fails", () => {
    const title = `${FIRST.slice(0, -1)}, ${SECOND.slice(1)}`;
    const { code, failures } = check({}, [...TESTS, { file: CODEC_TEST, suites: [], title, status: "passed" }]);
    expect(code).toBe(1);
    expect(failures.join()).toContain("in its own brackets");
  });

  test("two rows with one id fail", () => {
    const { failures } = check({ "docs/mqtt-conformance.md": CONFORMANCE.replace(SECOND, FIRST) });
    expect(failures).toContain(`docs/mqtt-conformance.md:8: ${FIRST} has two rows`);
  });

  test("an unknown side fails", () => {
    const { failures } = check({ "docs/mqtt-conformance.md": CONFORMANCE.replace("| both |", "| none |") });
    expect(failures.join()).toContain(`the side "none"`);
  });

  test("a missing report is an error that says what to do", () => {
    const { root } = check();
    rmSync(join(root, ".cache"), { recursive: true });
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "--root", root], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toContain("run the tests with the json reporter first");
  });
});

describe("names in parity tables", () => {
  const publicNames = [
    "Client",
    "Client.name",
    "Client.state",
    "Client.count",
    "Client.publish()",
    "Client[Symbol.asyncDispose]",
    "ClientOptions.servers",
    "ClientOptions.keepAlive",
    "ClientOptions.will.delay",
    "Level.high",
    "MemoryStore",
    "ERR_TIMEOUT",
    "event:quoted",
  ];
  const otherNames = [
    "Unknown",
    "Client.unknown",
    "Client.hidden",
    "Client.constructor",
    "Client.T",
    "Client.ok",
    "ClientOptions.dropped",
    "ClientOptions.host",
    "ClientOptions.will.unknown",
    "Level.middle",
    "connect.never",
    "secret",
    "Base",
    "Will",
    "Shared",
    "ERR_UNKNOWN",
    "ERR_COMMENT",
    "event:unknown",
    "some words",
  ];
  const failures = failuresOfNames([...publicNames, ...otherNames]);

  test.each(publicNames)("%s is public", (name) => {
    expect(failures.filter((failure) => failure.includes(`\`${name.replace("()", "")}\``))).toEqual([]);
  });

  test.each(otherNames)("%s is not", (name) => {
    const line = 5 + publicNames.length + otherNames.indexOf(name);
    expect(failures).toContain(`docs/parity-names.md:${line}: Go: \`${name}\` is no public name`);
  });

  test("a row without a name of ours fails", () => {
    const { failures } = check({ "docs/parity-go.md": PARITY.replace("`event:lost`", "none") });
    expect(failures).toContain("docs/parity-go.md:11: OnLost: no name of ours in backticks");
  });

  test("an export without a row fails", () => {
    const { code, failures } = check({ "docs/parity-go.md": PARITY.replace(/.*`MemoryStore`.*\n/, "") });
    expect(code).toBe(1);
    expect(failures).toEqual(["polymq/store: `MemoryStore` has no row in docs/parity-*.md"]);
  });

  test("an exported type without a row fails", () => {
    const path = "packages/polymq/dist/store/index.d.ts";
    const { failures } = check({ [path]: `${SOURCES[path]}\nexport type Extra = string;` });
    expect(failures).toEqual(["polymq/store: `Extra` has no row in docs/parity-*.md"]);
  });

  test("a package that was not built fails", () => {
    const { root } = check();
    rmSync(join(root, "packages/polymq/dist/store/index.d.ts"));
    expect(run(root).failures).toContain("polymq/store: packages/polymq/dist/store/index.d.ts is missing: build first");
  });

  test("a document without a table to check fails", () => {
    const { failures } = check({ "docs/parity-other.md": "# Other\n\n| Our Name | Test |\n| --- | --- |\n" });
    expect(failures).toEqual(['docs/parity-other.md has no table with the columns "our name" and "test"']);
  });
});

describe("tests in parity tables", () => {
  const row = "docs/parity-go.md:9: Client.Name:";

  test("a removed test fails the row", () => {
    const { code, failures } = check({}, without("closes | ends"));
    expect(code).toBe(1);
    expect(failures).toEqual([`${row} no test \`Client > closes | ends\``]);
  });

  test.each(["skipped", "failed"])("a %s test fails the row", (status) => {
    const { failures } = check({}, withStatus("closes | ends", status));
    expect(failures).toEqual([`${row} the test \`Client > closes | ends\` (${CLIENT_TEST}) ${status}`]);
  });

  test("a test in another file than the named one fails the row", () => {
    const { failures } = check({ "docs/parity-go.md": PARITY.replace("client.test.ts >", "codec.test.ts >") });
    expect(failures).toEqual(["docs/parity-go.md:8: Client.Publish: no test `codec.test.ts > publishes`"]);
  });

  test("a row without a test fails", () => {
    const { failures } = check({
      "docs/parity-go.md": PARITY.replace("`event:lost` | `publishes`", "`event:lost` | -"),
    });
    expect(failures).toEqual(["docs/parity-go.md:11: OnLost: no test in backticks"]);
  });
});
