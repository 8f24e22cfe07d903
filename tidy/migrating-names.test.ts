import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";

const GUIDE = readFileSync(new URL("../docs/guides/migrating.md", import.meta.url), "utf8");
const fromBench = createRequire(new URL("../bench/package.json", import.meta.url));

/** Names in the first column of a section's table that the peer's own text does not have. */
function unknownNames(guide: string, section: string, peer: string): readonly string[] {
  const known = new Set(peer.match(NAME));
  const [, text = ""] = guide.split(`\n## ${section}\n`);
  const rows = (text.split("\n## ", 1)[0] ?? "").split("\n").filter((line) => /^\| (?!---)/.test(line));
  expect(rows.length).toBeGreaterThan(1);
  const firstColumns = rows.map((row) => row.split(" | ", 1)[0] ?? "");
  const codes = firstColumns.flatMap((cell) => cell.match(/`[^`]+`/g) ?? []);
  return codes.flatMap((code) => code.match(NAME) ?? []).filter((name) => !known.has(name));
}

const NAME = /[a-z_]\w+/gi;

/** What a package publishes: sources, declarations and documents. */
function textOf(name: string, folders: readonly string[]): string {
  const places = (fromBench.resolve.paths(name) ?? []).map((path) => join(path, name));
  const root = places.find((path) => existsSync(path)) ?? "";
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { withFileTypes: true, recursive: folder !== "." })
      .filter((entry) => entry.isFile() && /\.(?:js|ts|md)$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return files.map((file) => readFileSync(file, "utf8")).join("\n");
}

test.each([
  ["MQTT.js", "mqtt", [".", "build"]],
  ["amqplib", "amqplib", [".", "lib"]],
  ["rhea", "rhea", [".", "lib", "typings"]],
])("what the guide to migrating calls %s's is called so there", (section, name, folders) => {
  expect(unknownNames(GUIDE, section, textOf(name, folders))).toEqual([]);
});

test("a name that the peer does not have is found", () => {
  const guide = "\n## peer\n| peer | polymq |\n| --- | --- |\n| `go({ fast })` | `x` |\n";
  expect(unknownNames(guide, "peer", "go")).toEqual(["fast"]);
});
