import { posix } from "node:path";
import { parseSync } from "rolldown/utils";

const ALLOWED = /^(?:package\.json|README\.md|LICENSE|bin\/.+\.js|dist\/.+\.(?:js|d\.ts|js\.map))$/;
const REQUIRED = ["package.json", "README.md", "LICENSE"];

/**
 * What is wrong with the files of a packed package.
 * @param {ReadonlyMap<string, string>} files path inside the package to text
 * @param {(path: string) => boolean} sourceExists whether a path relative to the package's folder exists in the repository
 * @returns {string[]}
 */
export function contentProblems(files, sourceExists) {
  const paths = [...files.keys()];
  return [
    ...REQUIRED.filter((path) => !files.has(path)).map((path) => `${path} is missing`),
    ...paths.filter((path) => !ALLOWED.test(path)).map((path) => `${path} does not belong into the package`),
    ...paths.filter((path) => /\.test(?:-d|-support)?\./.test(path)).map((path) => `${path} is for tests`),
    ...paths.filter((path) => isStale(path, sourceExists)).map((path) => `${path} is left over: its source is gone`),
    ...paths.filter((path) => path.endsWith(".js.map")).flatMap((path) => mapProblems(path, files)),
    ...paths.filter((path) => path.endsWith(".d.ts")).flatMap((path) => anyProblems(path, files.get(path) ?? "")),
    ...paths.filter((path) => path.endsWith(".md")).flatMap((path) => linkProblems(path, files)),
    ...paths
      .filter((path) => path.endsWith(".js") && !files.has(`${path}.map`))
      .flatMap((path) => commentProblems(path, files)),
  ];
}

/** A file in dist/ without its TypeScript source. */
function isStale(path, sourceExists) {
  const match = /^dist\/(.+?)(?:\.d\.ts|\.js(?:\.map)?)$/.exec(path);
  return match !== null && !sourceExists(`src/${match[1]}.ts`);
}

/** A source map is of use only with its sources: inlined, or packed beside it. */
function mapProblems(path, files) {
  const map = JSON.parse(files.get(path) ?? "{}");
  return (map.sources ?? [])
    .filter((source, index) => {
      const target = posix.join(posix.dirname(path), map.sourceRoot ?? "", source);
      return typeof map.sourcesContent?.[index] !== "string" && !files.has(target);
    })
    .map((source) => `${path} refers to ${source}, which is not in the package`);
}

function commentProblems(path, files) {
  return files.get(path)?.includes("\n//# sourceMappingURL=") === true
    ? [`${path} names a source map that is missing`]
    : [];
}

/** A reader of the package has nothing but the package, and the web. */
function linkProblems(path, files) {
  return [...(files.get(path) ?? "").matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target) && !files.has(posix.join(posix.dirname(path), target)))
    .map((target) => `${path} links to ${target}, which is not in the package`);
}

/** `any` in a declaration switches the compiler off in the program of whoever uses it. */
function anyProblems(path, text) {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) return [`${path} cannot be read: ${errors[0].message}`];
  return anyTypes(program).map(({ start }) => `${path}:${text.slice(0, start).split("\n").length} says any`);
}

function anyTypes(node) {
  if (node.type === "TSAnyKeyword") return [node];
  return Object.values(node)
    .flat()
    .filter((inner) => typeof inner?.type === "string")
    .flatMap(anyTypes);
}
