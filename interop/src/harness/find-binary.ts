import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Debian keeps servers outside an ordinary user's PATH, and wraps RabbitMQ's scripts so that only root may call them. */
const EXTRA_DIRECTORIES: readonly string[] = ["/usr/lib/rabbitmq/bin", "/usr/sbin", "/usr/local/sbin"];

/** Debian's Python modules belong to Debian's interpreter; a `python3` earlier in PATH may not see them. */
const FIXED_PATHS: Readonly<Record<string, string>> = { python3: "/usr/bin/python3" };

/** Absolute path of an executable by its bare name, or undefined when this machine does not have it. */
export function findBinary(name: string): string | undefined {
  const fixed = FIXED_PATHS[name];
  if (fixed !== undefined) return isExecutable(fixed) ? fixed : undefined;
  const directories = [...EXTRA_DIRECTORIES, ...(process.env["PATH"] ?? "").split(delimiter)];
  for (const directory of directories) {
    if (directory === "") continue;
    const path = join(directory, name);
    if (isExecutable(path)) return path;
  }
  return undefined;
}

/** As {@link findBinary}, for a caller that cannot go on without it. Throws an Error that says how to install it. */
export function binaryPath(name: string): string {
  const path = findBinary(name);
  if (path === undefined) throw new Error(`${name} is not installed: run interop/scripts/install-debian.sh`);
  return path;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
