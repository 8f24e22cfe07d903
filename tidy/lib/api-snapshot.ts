import { exportedNames, type FindFile } from "./exports.ts";
import type { EntryPoint } from "./workspaces.ts";

/** Where the exported names of an entry point are recorded: `polymq/mqtt` in `docs/api/polymq-mqtt.api.txt`. */
export function snapshotPath(specifier: string): string {
  return `docs/api/${specifier.replace(/^@/, "").replaceAll("/", "-")}.api.txt`;
}

/** The recorded form: one line per exported name, sorted; overloads count once. */
export function snapshotText(entry: EntryPoint, find: FindFile): string {
  const lines = exportedNames(entry.source, find).map((item) => `${item.kind} ${item.name}`);
  return `# Exported names of ${entry.specifier}, checked by tidy; after a change run: npm run api:update\n${[...new Set(lines)].join("\n")}\n`;
}

/** All snapshots as they should be, by path. */
export function snapshots(entries: readonly EntryPoint[], find: FindFile): Map<string, string> {
  return new Map(
    entries
      .filter((entry) => entry.condition === "default")
      .map((entry) => [snapshotPath(entry.specifier), snapshotText(entry, find)]),
  );
}

/** Names that were added to or removed from an entry point without recording it, and records without an entry point. */
export function snapshotViolations(
  wanted: ReadonlyMap<string, string>,
  recorded: ReadonlyMap<string, string>,
): string[] {
  const changed = [...wanted].flatMap(([path, text]) => {
    const before = recorded.get(path);
    if (before === undefined) return [`${path}: missing; run npm run api:update`];
    const [now, then] = [text.split("\n"), before.split("\n")];
    const added = now.filter((line) => !then.includes(line)).map((line) => `${path}: + ${line}`);
    const removed = then.filter((line) => !now.includes(line)).map((line) => `${path}: - ${line}`);
    return [...added, ...removed];
  });
  const unresolved = [...wanted].flatMap(([path, text]) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("unknown "))
      .map((line) => `${path}: ${line.slice(8)} is exported but declared nowhere in the package`),
  );
  const stale = [...recorded.keys()].filter((path) => !wanted.has(path)).map((path) => `${path}: no such entry point`);
  return [...changed, ...unresolved, ...stale];
}
