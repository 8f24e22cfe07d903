import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { outcomeOf, unifiedContract } from "../../../packages/polymq/src/unified/contract.test-support.ts";
import { readMatrix, tableOf, writeMatrix } from "./matrix.ts";
import { columnOf, type RunningServer, Site, servers } from "./sites.test-support.ts";

/*
 * The unified client's contract: one program text over every protocol of every server. docs/brokers.md says of each cell what it comes to, and that is what
 * happens. With MATRIX_UPDATE=1 the document is written instead.
 */

/** A cell of what a server loses or does not do, though it said that it would. */
const LOST = "server does not";

/** A server on Java may take minutes on a machine that has much else to do. */
const SLOW_MS = 200_000;

const update = process.env["MATRIX_UPDATE"] === "1";
const expected = readMatrix();
const found = new Map<string, Map<string, string>>();
const names = unifiedContract.map((each) => each.name);
const columns = servers.flatMap((server) => server.protocols.map((protocol) => columnOf(server, protocol)));

function note(name: string, column: string, cell: string): void {
  const row = found.get(name) ?? new Map<string, string>();
  found.set(name, row.set(column, cell));
}

afterAll(() => {
  const table = tableOf(names, columns, (name, column) => found.get(name)?.get(column) ?? "skipped");
  process.stdout.write(`${table.join("\n")}\n`);
  if (update) writeMatrix(found, names, columns);
});

describe.each(servers)("the unified contract on $name", (server) => {
  const reason = server.missing;
  describe.skipIf(reason !== null)(reason === null ? "is here" : `(skipped: ${reason})`, () => {
    let running: RunningServer;

    beforeAll(async () => {
      running = await server.start();
    }, SLOW_MS);
    afterAll(async () => {
      await running?.stop();
    });

    describe.each(server.protocols)("over %s", (protocol) => {
      const column = columnOf(server, protocol);
      const isLost = (name: string): boolean => !update && expected.get(name)?.get(column) === LOST;
      const title = (name: string): string => (isLost(name) ? `${name} (skipped: the server does not)` : name);
      test.for(unifiedContract.map((each) => [title(each.name), each] as const))("%s", async ([, each], { skip }) => {
        // In plain sight: what the server itself loses, however it is asked.
        skip(isLost(each.name));
        const site = new Site(server, running, protocol);
        try {
          const outcome = await outcomeOf(each, site);
          const cell = outcome.is === "pass" ? "yes" : `cannot: \`${outcome.code}\``;
          note(each.name, column, cell);
          if (!update) expect(cell).toBe(expected.get(each.name)?.get(column));
        } catch (error) {
          if (!found.get(each.name)?.has(column)) note(each.name, column, "fails");
          throw error;
        } finally {
          await site.close();
        }
      });
    });
  });
});

test("docs/brokers.md has a row for each case and a column for each server and protocol", () => {
  if (update) return;
  expect([...expected.keys()]).toEqual(names);
  for (const row of expected.values()) expect([...row.keys()]).toEqual(columns);
});
