import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of its own, readable by this user alone, and the way to be rid of it. */
export interface TempDir {
  readonly path: string;
  /** Deletes it with all it holds. Calling it again does nothing. */
  remove(): Promise<void>;
}

/** Makes `<system temp>/polymq-<label>-XXXXXX`. */
export async function makeTempDir(label: string): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), `polymq-${label}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
