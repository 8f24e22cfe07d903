import type { PlantedFault } from "../world/planted-fault.ts";
import { wrapStore } from "./wrapped-store.ts";

/** A commit resolves at once, and syncs when it likes. */
export const earlyAck: PlantedFault = {
  name: "acknowledged before the sync",
  store: (store) => {
    let last: Promise<void> = Promise.resolve();
    return wrapStore(store, {
      commit: (batch) => {
        // One sync at a time: the next batch waits behind the last one, and nobody waits for either.
        last = last.then(() => store.commit(batch) ?? undefined).catch(() => undefined);
        return null;
      },
    });
  },
};
