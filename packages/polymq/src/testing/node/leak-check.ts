/** A look at what keeps the process alive, to compare with later. */
export interface LeakCheck {
  /**
   * Resolves once no more sockets, servers, timers and process listeners are there than at the start; what is about to close gets
   * the time it was given.
   * @throws {Error} a list of what is left
   */
  check(): Promise<void>;
}

/**
 * Notes the process's active resources (`process.getActiveResourcesInfo`) and listeners now. They are only counted by kind, so
 * something left behind can hide behind something of the same kind that was there at the start and has ended since.
 * @param graceMs how long `check` waits for handles to close
 */
export function leakCheck(graceMs = 500): LeakCheck {
  const before = census();
  return {
    check: async () => {
      const untilMs = performance.now() + graceMs;
      let left = surplus(before, census());
      while (left.length > 0 && performance.now() < untilMs) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        left = surplus(before, census());
      }
      if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
    },
  };
}

function census(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const name of process.eventNames()) {
    counts.set(`listener of process ${String(name)}`, process.listenerCount(name));
  }
  return counts;
}

function surplus(before: Map<string, number>, now: Map<string, number>): string[] {
  const left: string[] = [];
  for (const [name, count] of now) {
    const more = count - (before.get(name) ?? 0);
    if (more > 0) left.push(`${more} x ${name}`);
  }
  return left;
}
