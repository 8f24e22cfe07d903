import { seal } from "./crc32.ts";
import { encodeJournalBase, encodeRange, journalKey, rangeKey } from "./layout.ts";
import { buffer, type Database, putRecords, removedRecords } from "./lmdb-log.ts";
import type { BatchPlan } from "./plan.ts";

/** What becomes of the mark of the journal: it stays as it is, it names a first block, or it goes. */
export type JournalMark = "stays" | "ends" | { readonly base: number };

/** Carries a plan out in one transaction; resolves once that is committed. */
export async function writePlan(
  db: Database,
  plan: BatchPlan,
  options: { readonly recordBytes: number; readonly journal: JournalMark },
): Promise<void> {
  const { recordBytes, journal } = options;
  const changes = Array.from(plan.logs.values());
  const removed = changes.map((change) => removedRecords(db, change));
  // Inside a batch the promises of writes are resolved ones; what became of the writes is told by the batch.
  await db.batch(() => {
    for (const keys of removed) for (const key of keys) void db.remove(key);
    for (const change of changes) {
      putRecords(db, change, recordBytes);
      const key = buffer(rangeKey(change.log));
      if (change.exists) void db.put(key, buffer(encodeRange(change.log, change)));
      else void db.remove(key);
    }
    for (const { key, value } of plan.writes) {
      if (value === null) void db.remove(buffer(key));
      else void db.put(buffer(key), buffer(seal(key, value)));
    }
    if (journal === "ends") void db.remove(buffer(journalKey()));
    else if (journal !== "stays") void db.put(buffer(journalKey()), buffer(encodeJournalBase(journal.base)));
  });
}
