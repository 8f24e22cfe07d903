import { MessagingError } from "polymq/internal";

/** One of the trees that a {@link Meta} points to, with the counts it claims. */
export interface TreeRoot {
  readonly flags: number;
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  /** Page number, or null for an empty tree. */
  readonly root: number | null;
}

/** A state of the file: where its two trees begin. */
export interface Meta {
  readonly pageBytes: number;
  readonly free: TreeRoot;
  readonly main: TreeRoot;
  readonly lastPage: number;
  readonly transaction: number;
  readonly bootId: bigint;
}

/** An `ERR_STORE_CORRUPT` that says what is wrong with the file. */
export function corruptFile(what: string): MessagingError {
  return new MessagingError("ERR_STORE_CORRUPT", `the data file is damaged: ${what}`);
}
