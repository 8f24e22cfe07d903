/** Folders whose tests are about more than one file; each has its reason. */
export const TEST_FOLDERS: readonly string[] = [
  "tidy/", // about the whole repository
  "interop/", // about other people's brokers and clients
  "packages/broker/src/chaos/", // about client, broker and store together
  "examples/src/demo/", // about the demo as a whole
];

/** Files that profilers, loggers and editors leave behind. */
export function strayFileViolations(paths: readonly string[]): string[] {
  return paths
    .filter((path) => /\.(?:log|cpuprofile|heapprofile|heapsnapshot|orig|rej|swp)$|(?:^|\/)perf\.data/.test(path))
    .map((path) => `${path}:1: written by a tool, and no part of the project`);
}

/** Tests that neither sit beside the file they name (`foo.test.ts`, `foo.chaos.test.ts` beside `foo.ts`) nor in a listed folder. */
export function testPlaceViolations(paths: readonly string[]): string[] {
  const all = new Set(paths);
  return paths
    .filter((path) => /\.test(?:-d)?\.ts$/.test(path) && !TEST_FOLDERS.some((folder) => path.startsWith(folder)))
    .filter((path) => !sourcesOf(path).some((source) => all.has(source)))
    .map((path) => `${path}:1: beside no file it could be about, and in no listed test folder`);
}

/** `a/foo.bar.test.ts` may be about `a/foo.bar.ts` or `a/foo.ts`; in `scripts/` also about `a/foo.mjs`. */
function sourcesOf(path: string): string[] {
  const stem = path.replace(/\.test(?:-d)?\.ts$/, "");
  const folder = stem.slice(0, stem.lastIndexOf("/") + 1);
  const first = folder + (stem.slice(folder.length).split(".")[0] ?? "");
  return [stem, first].flatMap((name) => [`${name}.ts`, `${name}.mjs`]);
}
