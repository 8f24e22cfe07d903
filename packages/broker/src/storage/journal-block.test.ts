import { describe, expect, test } from "vitest";
import { BLOCK_BYTES, blocksOf, frameRecord, readRecords } from "./journal-block.ts";

/** A journal of 12 blocks in memory. */
class Paper {
  readonly bytes = new Uint8Array(12 * BLOCK_BYTES);
  number = 1;
  base = 1;
  at = 0;

  write(length: number, fill: number, isSynced = true): this {
    const into = new Uint8Array(blocksOf(length) * BLOCK_BYTES);
    const bytes = frameRecord(new Uint8Array(length).fill(fill), this.number, isSynced, into);
    this.bytes.set(into.subarray(0, bytes), this.at * BLOCK_BYTES);
    this.at += bytes / BLOCK_BYTES;
    this.number += bytes / BLOCK_BYTES;
    return this;
  }

  restart(): this {
    this.at = 0;
    this.base = this.number;
    return this;
  }

  lose(block: number): this {
    this.bytes.fill(0, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    return this;
  }

  /** Each record by its length and first byte. */
  read(): [number, number | undefined][] {
    return readRecords(this.bytes, this.base).map((record) => [record.length, record[0]]);
  }
}

describe("the journal's blocks", () => {
  test("give the records back in order, however many blocks each takes", () => {
    const paper = new Paper().write(1, 7).write(492, 8).write(493, 9).write(1476, 10);
    expect(paper.at).toBe(7);
    expect(paper.read()).toEqual([
      [1, 7],
      [492, 8],
      [493, 9],
      [1476, 10],
    ]);
  });

  test("of an earlier round are not read again", () => {
    const paper = new Paper().write(900, 1).write(900, 2).write(900, 3).restart().write(400, 4);
    expect(paper.read()).toEqual([[400, 4]]);
    expect(paper.restart().read()).toEqual([]);
  });

  test("of a record whose end was not written any more are left out", () => {
    expect(new Paper().write(400, 1).write(1400, 2).lose(3).read()).toEqual([[400, 1]]);
    expect(new Paper().write(400, 1).write(1400, 2).lose(1).read()).toEqual([[400, 1]]);
  });

  test("that are missing before one that was written after their sync are ERR_STORE_CORRUPT", () => {
    const lost = expect.objectContaining({ code: "ERR_STORE_CORRUPT" });
    expect(() => new Paper().write(400, 1).write(400, 2).lose(0).read()).toThrow(lost);
    expect(() => new Paper().write(400, 1).write(900, 2).write(900, 3).lose(2).read()).toThrow(lost);
  });

  test("that are missing where nobody waited for a sync end what is read", () => {
    const paper = new Paper().write(400, 1, false).write(900, 2, false).write(900, 3, false).lose(2);
    expect(paper.read()).toEqual([[400, 1]]);
  });

  test("with a flipped bit are ERR_STORE_CORRUPT, in the last record too", () => {
    for (let byte = 0; byte < 4 * BLOCK_BYTES; byte += 7) {
      const paper = new Paper().write(900, 1).write(900, 2);
      paper.bytes[byte] = (paper.bytes[byte] ?? 0) ^ (1 << (byte % 8));
      expect(() => paper.read()).toThrow(expect.objectContaining({ code: "ERR_STORE_CORRUPT" }));
    }
  });
});
