import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { MessagingError } from "polymq/internal";

/** Holds a data directory for this process; made by {@link lockDirectory}. */
export interface DirectoryLock {
  /** Gives the directory free. */
  release(): void;
}

/**
 * Takes the lock file at `path` for this process. A file left behind by a process that is gone is replaced; the process is
 * known by its id and, where the system tells, by its start time, so that a reused id does not keep a directory locked.
 * @throws {MessagingError} ERR_STORE_IN_USE while its owner lives, ERR_STORE_FAILED when it cannot be written
 */
export function lockDirectory(path: string): DirectoryLock {
  const own = ownerText(process.pid);
  for (let attempt = 0; attempt < 3; attempt++) {
    if (writeNew(path, own)) return { release: () => removeOwn(path, own) };
    const owner = readOwner(path);
    if (owner === null) continue;
    if (isAlive(owner)) {
      throw new MessagingError(
        "ERR_STORE_IN_USE",
        `the data directory is in use by process ${Number.parseInt(owner, 10)}`,
      );
    }
    unlinkQuietly(path);
  }
  throw new MessagingError("ERR_STORE_FAILED", "the data directory's lock file cannot be taken");
}

function writeNew(path: string, text: string): boolean {
  try {
    const file = openSync(path, "wx", 0o600);
    writeSync(file, text);
    closeSync(file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new MessagingError("ERR_STORE_FAILED", "the data directory's lock file cannot be written", { cause });
  }
}

/** The lock file's text, or null when it vanished meanwhile. */
function readOwner(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new MessagingError("ERR_STORE_FAILED", "the data directory's lock file cannot be read", { cause });
  }
}

/** `<pid> <start time>`; the start time is "-" where it is not known. */
function ownerText(pid: number): string {
  return `${pid} ${startTime(pid)}`;
}

function isAlive(owner: string): boolean {
  const pid = Number.parseInt(owner, 10);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return ownerText(pid) === owner;
}

/** When a process started, in clock ticks since boot; field 22 of /proc/<pid>/stat, counted behind the name's bracket. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "-";
  } catch {
    return "-"; // no /proc on this system: the process id alone decides
  }
}

function removeOwn(path: string, own: string): void {
  if (readOwner(path) === own) unlinkQuietly(path);
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw new MessagingError("ERR_STORE_FAILED", "the data directory's lock file cannot be removed", { cause });
  }
}
