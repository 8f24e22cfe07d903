import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findBinary } from "./find-binary.ts";

/** What a broker that runs on Java is made of, once it is on this machine. */
export interface JavaBroker {
  /** The folder that holds it. */
  readonly home: string;
  /** Why it is not here, or null. */
  readonly missing: string | null;
}

const CACHE = join(import.meta.dirname, "..", "..", "..", ".cache", "brokers");
const DOWNLOAD_TIMEOUT_MS = 300_000;

/**
 * An archive (`group:artifact:version:tar.gz:bin`) from Maven Central, unpacked below `.cache/brokers` and kept there; `depth` folders of it lead to the broker. Maven
 * and Java are no part of what the tier installs: without them, or when nothing can be downloaded, `missing` says so.
 */
export function archivedBroker(coordinates: string, depth: number): JavaBroker {
  const [, artifact = "", version = ""] = coordinates.split(":");
  return broker(`${artifact}-${version}`, (folder) => {
    if (!maven("dependency:copy", `-Dartifact=${coordinates}`, `-DoutputDirectory=${folder}`)) return false;
    const archive = readdirSync(folder).find((name) => name.endsWith(".tar.gz"));
    const unpacking = ["--extract", "--gzip", `--strip-components=${depth}`, "--directory", folder];
    return archive !== undefined && run("tar", [...unpacking, "--file", join(folder, archive)]);
  });
}

/** The libraries that a POM names, in the folder `lib` of the broker's home. Else as {@link archivedBroker}. */
export function assembledBroker(name: string, pom: string): JavaBroker {
  return broker(name, (folder) =>
    maven("dependency:copy-dependencies", `--file=${pom}`, `-DoutputDirectory=${join(folder, "lib")}`),
  );
}

function broker(name: string, make: (folder: string) => boolean): JavaBroker {
  const home = join(CACHE, name);
  if (findBinary("java") === undefined) return { home, missing: "Java is not installed" };
  if (existsSync(home)) return { home, missing: null };
  if (findBinary("mvn") === undefined) return { home, missing: "Maven is not installed" };
  mkdirSync(CACHE, { recursive: true });
  // Another test file may be at it too: whoever is done first has made it.
  const folder = mkdtempSync(`${home}.`);
  const made = make(folder);
  if (made && !existsSync(home)) renameSync(folder, home);
  rmSync(folder, { recursive: true, force: true });
  return { home, missing: made ? null : `${name} cannot be downloaded` };
}

function maven(...args: readonly string[]): boolean {
  return run("mvn", ["--quiet", "--batch-mode", ...args]);
}

function run(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore", timeout: DOWNLOAD_TIMEOUT_MS }).status === 0;
}
