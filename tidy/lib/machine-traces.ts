import { matches, type RepoFile } from "./repo.ts";

/** Absolute paths of somebody's machine. `/home/` needs a name and one more part, so that topics may start with it. */
const MACHINE_PATH = /(?<![\w.$}*)\]-])\/(?:work\/|root\/|home\/[a-z]\w*\/|Users\/\w+\/)[^\s"'`)]*/g;

/** Hosts of package registries: where packages come from is the installer's own setting. */
const REGISTRY = new RegExp(
  [
    "\\bregistry\\.[a-z0-9-]+\\.[a-z]+",
    "\\bnpm\\.pkg\\.github\\.com",
    "\\b(?:files\\.)?pythonhosted\\.org|\\bpypi\\.org",
    "\\b(?:deb|security)\\.debian\\.org",
    "\\brepo1?\\.maven\\.(?:org|apache\\.org)",
    "\\bproxy\\.golang\\.org",
    "\\bartifactory\\b|\\bverdaccio\\b",
    '"resolved":\\s*"https?:',
  ].join("|"),
  "gi",
);

/** Traces of the machine a file was written on. */
export function machineTraceViolations(files: readonly RepoFile[]): string[] {
  return files.flatMap((file) => [
    ...matches(file, MACHINE_PATH, (found) => `${found}: a path of one machine`),
    ...matches(file, REGISTRY, (found) => `${found}: a registry's host`),
  ]);
}
