import { parse, valueReferences } from "./ast.ts";
import { importsOf, resolveRelative } from "./imports.ts";
import { isTest, type RepoFile, violation } from "./repo.ts";

/** Names that mean input, output, time, chance or a platform. */
const IMPURE = new Set([
  ..."setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate queueMicrotask".split(" "),
  ..."Date performance crypto fetch console WebSocket MessageChannel BroadcastChannel Worker".split(" "),
  ..."globalThis navigator localStorage indexedDB".split(" "),
]);
const IMPURE_MEMBERS = new Set(["Math.random"]);
const NODE_ONLY = new Set(["Buffer", "process", "require", "__dirname", "__filename"]);

/** Folders of `packages/polymq/src` whose code is a pure function of its arguments. */
const PURE = /^packages\/polymq\/src\/(?:base|bytes|(?:mqtt|amqp091|amqp10)\/(?:codec|engine))\//;

/** Places of the client package that may know Node. */
const NODE_PLACES = /^packages\/polymq\/src\/(?:transport\/node\/|testing\/|.*\.node\.ts$)/;

/**
 * The gates through which the world enters: files of base that may use the names listed here and no others. Nothing pure
 * may run them; a codec or engine is handed what they make.
 */
export const GATES: ReadonlyMap<string, readonly string[]> = new Map([
  [
    "packages/polymq/src/base/system-clock.ts",
    ["performance", "Date", "setTimeout", "clearTimeout", "globalThis", "MessageChannel"],
  ],
  ["packages/polymq/src/base/diagnostics.ts", ["globalThis"]],
]);

/** I/O, timers, clock and randomness in base, bytes, codecs and engines. */
export function purityViolations(files: readonly RepoFile[]): string[] {
  return files
    .filter((file) => PURE.test(file.path) && !isTest(file.path))
    .flatMap((file) => {
      const allowed = GATES.get(file.path) ?? [];
      return valueReferences(parse(file))
        .filter((use) => IMPURE.has(use.name) || IMPURE_MEMBERS.has(use.dotted))
        .filter((use) => !allowed.includes(use.name))
        .map((use) => violation(file, use.start, `${use.dotted}: no I/O, timer, clock or randomness here; hand it in`));
    });
}

/** Pure files that run a gate, and names a gate may use but does not. */
export function gateViolations(files: readonly RepoFile[], gates: typeof GATES = GATES): string[] {
  const runs = files
    .filter((file) => PURE.test(file.path) && !isTest(file.path))
    .flatMap((file) =>
      importsOf(file)
        .filter((edge) => edge.kind === "value" && gates.has(resolveRelative(file.path, edge.specifier) ?? ""))
        .map((edge) =>
          violation(file, edge.start, `${edge.specifier} is a gate to the world; have its product handed in`),
        ),
    );
  const stale = [...gates].flatMap(([path, names]) => {
    const file = files.find((candidate) => candidate.path === path);
    const used = new Set(file === undefined ? [] : valueReferences(parse(file)).map((use) => use.name));
    return names
      .filter((name) => !used.has(name))
      .map((name) => `${path}:1: does not use ${name}; take it off the list`);
  });
  return [...runs, ...stale];
}

/** `Buffer`, `process`, `node:` and the like in the client package outside its Node places. */
export function platformViolations(files: readonly RepoFile[]): string[] {
  return files
    .filter((file) => /^packages\/polymq\/src\//.test(file.path) && !NODE_PLACES.test(file.path) && !isTest(file.path))
    .flatMap((file) => [
      ...valueReferences(parse(file))
        .filter((use) => NODE_ONLY.has(use.name) && GATES.get(file.path)?.includes(use.name) !== true)
        .map((use) => violation(file, use.start, `${use.name} exists in Node only`)),
      ...importsOf(file)
        .filter((edge) => edge.specifier.startsWith("node:"))
        .map((edge) => violation(file, edge.start, `${edge.specifier} exists in Node only`)),
    ]);
}
