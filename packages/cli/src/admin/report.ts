import type { CommandCall } from "../command.ts";
import { textTable } from "../output/text-table.ts";
import type { Row } from "./admin-client.ts";
import type { AdminFlags } from "./with-admin.ts";

/** Prints rows: as a table of some of their fields, or with `--json` whole, one a line. */
export function printRows(
  { flags, env }: CommandCall<AdminFlags>,
  rows: readonly Row[],
  columns: readonly string[],
): void {
  if (flags.json === true) for (const row of rows) env.out(`${JSON.stringify(row)}\n`);
  else env.out(textTable(columns, rows));
}

/** Prints what was done to how many messages; the first word is the event of `--json`. */
export function printDone({ flags, env }: CommandCall<AdminFlags>, done: string, messages: number): void {
  const line =
    flags.json === true
      ? JSON.stringify({ event: done.split(" ", 1)[0], messages })
      : `${done} ${messages} message${messages === 1 ? "" : "s"}`;
  env.out(`${line}\n`);
}
