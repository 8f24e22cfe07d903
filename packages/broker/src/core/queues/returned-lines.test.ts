import { expect, test } from "vitest";
import { Pending } from "./pending.ts";
import { WaitingLine } from "./returned-lines.ts";

test("what was settled while it waited does not stay until it would have been due", () => {
  const line = new WaitingLine();
  const first = waiting(line, 0, 1_000);
  for (let offset = 1; offset <= 10_000; offset++) {
    const entry = waiting(line, offset, 2_000 + offset);
    entry.state = "done";
  }
  expect(line.length).toBeLessThan(1_000);
  expect(line.takeDue(1_000)).toBe(first);
  expect(line.takeDue(Number.MAX_SAFE_INTEGER)).toBeNull();
});

test("those that wait stay, whatever was settled around them", () => {
  const line = new WaitingLine();
  for (let offset = 0; offset < 1_000; offset++) {
    const entry = waiting(line, offset, 5_000 - offset);
    if (offset % 10 !== 0) entry.state = "done";
  }
  const due: number[] = [];
  for (let entry = line.takeDue(5_000); entry !== null; entry = line.takeDue(5_000)) due.push(entry.offset);
  expect(due).toEqual(Array.from({ length: 100 }, (_, i) => 990 - 10 * i));
});

function waiting(line: WaitingLine, offset: number, dueMs: number): Pending {
  const entry = new Pending(offset, 0, 1);
  entry.dueMs = dueMs;
  line.push(entry);
  return entry;
}
