import { expect, test } from "vitest";
import { QueueLedger } from "./queue-ledger.test-support.ts";

/** Two messages, delivered to and acknowledged by both groups. */
function ledger(): QueueLedger {
  const books = new QueueLedger(["a", "b"]);
  for (const [offset, id] of ["x", "y"].entries()) {
    books.published();
    books.confirmed(id);
    for (const group of ["a", "b"]) {
      books.delivered(group, offset, id, 1);
      books.acknowledged(group, offset, 1);
    }
  }
  return books;
}

const FINE = { lost: [], reused: [], gaps: [], repeated: [] };

test("books that are in order say so", () => {
  const books = ledger();
  expect(books.isComplete).toBe(true);
  expect(books.verdict()).toEqual({
    published: 2,
    confirmed: 2,
    deliveries: 4,
    redeliveries: 0,
    acknowledged: 4,
    ...FINE,
  });
});

test("a confirmed message that a group did not get is lost, and its offset a gap", () => {
  const books = ledger();
  books.confirmed("z");
  books.delivered("a", 2, "z", 1);
  expect(books.isComplete).toBe(false);
  expect(books.verdict()).toMatchObject({ ...FINE, lost: ["b: z"], gaps: ["b: 2"] });
});

test("an offset with two messages is reused", () => {
  const books = ledger();
  books.delivered("a", 1, "z", 2);
  expect(books.verdict().reused).toEqual(["1: y and z"]);
});

test("a delivery after a confirmed acknowledgement is repeated, unless an earlier broker sent it", () => {
  const books = ledger();
  books.delivered("b", 1, "y", 0);
  expect(books.verdict()).toMatchObject(FINE);
  books.delivered("b", 1, "y", 2);
  expect(books.verdict().repeated).toEqual(["b: 1, confirmed by broker 1, sent by 2"]);
});
