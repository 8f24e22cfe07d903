import { type BenchOptions, UsageError } from "./options.ts";
import type { Suite } from "./suite.ts";

/** A suite to run, with the options narrowed to the rows and contenders that it has. */
export interface Selected {
  readonly suite: Suite;
  readonly options: BenchOptions;
}

/**
 * The suites that the command line asks for, all of it checked before the first measurement. A row or contender that no
 * suite has is a UsageError; a suite that has none of those asked for is left out.
 */
export function selectSuites(available: readonly Suite[], options: BenchOptions): Selected[] {
  const suites = available.filter(({ name }) => options.suite === null || options.suite === name);
  if (suites.length === 0) throw new UsageError(`there is no benchmark ${options.protocol} ${options.suite ?? ""}`);
  const rows = suites.flatMap((suite) => suite.rows);
  const contenders = suites.flatMap((suite) => suite.contenders);
  refuseUnknown("row", rows, options.rows);
  refuseUnknown("contender", contenders, options.only);
  return suites
    .map((suite) => ({
      suite,
      options: { ...options, rows: narrow(suite.rows, options.rows), only: narrow(suite.contenders, options.only) },
    }))
    .filter((selected) => selected.options.rows?.length !== 0 && selected.options.only?.length !== 0);
}

function narrow(all: readonly string[], asked: readonly string[] | null): readonly string[] | null {
  return asked?.filter((name) => all.includes(name)) ?? null;
}

function refuseUnknown(what: string, all: readonly string[], asked: readonly string[] | null): void {
  const unknown = asked?.filter((name) => !all.includes(name)) ?? [];
  if (unknown.length > 0)
    throw new UsageError(`${what} ${unknown.join(", ")} is none of ${[...new Set(all)].join(", ")}`);
}
