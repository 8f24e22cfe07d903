import { corruptFile, type Meta, type TreeRoot } from "./lmdb-format.ts";

/*
 * A page: number u64, transaction u64, padding u16, flags u16, then lower u16 and upper u16 (overflow pages: their count u32). Behind it
 * `lower` bytes of u16 node positions, counted from the end of the header. A node: u32 data bytes or low page number, u16 flags or high
 * page number, u16 key bytes, key, data. Large data lies on overflow pages; the node then holds page u64, transaction u64, count u64.
 * A value of the free tree is a list of u64: count, then page numbers; a negative number says how many pages from the next one on.
 */

const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const OVERFLOW_REF_BYTES = 24;
const P_BRANCH = 0x01;
const P_LEAF = 0x02;
const P_OVERFLOW = 0x04;
const N_BIG = 0x01;

/** Gives pages of a file. */
export interface PageReader {
  /** One page; valid until the next call. @throws when it lies outside the file */
  page(number: number): Buffer;
  /** True when the file is long enough for these pages. */
  holds(first: number, count: number): boolean;
}

/** Follows the free and the main tree of `meta`. @throws {MessagingError} ERR_STORE_CORRUPT */
export function checkTrees(meta: Meta, pages: PageReader): void {
  const used = new Uint8Array(meta.lastPage + 1 <= MAX_PAGES ? meta.lastPage + 1 : 0);
  if (used.length === 0) throw corruptFile("it claims too many pages");
  const main = new TreeWalk(meta, meta.main, pages, used);
  main.run(compareKeys);
  const free = new TreeWalk(meta, meta.free, pages, used);
  free.run(compareTransactions);
  for (const value of free.values) markFree(value, used);
}

/** Pages that a file of one TiB has; the map of used pages has a byte for each. */
const MAX_PAGES = 0x1000_0000;

type Compare = (a: Buffer, b: Buffer) => number;

interface Bounds {
  readonly from: Buffer | null;
  readonly to: Buffer | null;
}

interface Node {
  readonly at: number;
  readonly keyBytes: number;
}

/** One pass over a tree, counting what it meets. */
class TreeWalk {
  /** The values of the free tree; the main tree's are left alone. */
  readonly values: Buffer[] = [];
  readonly #meta: Meta;
  readonly #tree: TreeRoot;
  readonly #pages: PageReader;
  readonly #used: Uint8Array;
  #branchPages = 0;
  #leafPages = 0;
  #overflowPages = 0;
  #entries = 0;

  constructor(meta: Meta, tree: TreeRoot, pages: PageReader, used: Uint8Array) {
    this.#meta = meta;
    this.#tree = tree;
    this.#pages = pages;
    this.#used = used;
  }

  run(compare: Compare): void {
    const tree = this.#tree;
    if (tree.root !== null) this.#visit(tree.root, 1, { from: null, to: null }, compare);
    const counted =
      this.#branchPages === tree.branchPages &&
      this.#leafPages === tree.leafPages &&
      this.#overflowPages === tree.overflowPages &&
      this.#entries === tree.entries;
    if (!counted) throw corruptFile("a tree's counts do not match its contents");
  }

  #visit(number: number, level: number, bounds: Bounds, compare: Compare): void {
    this.#take(number, 1);
    const page = Buffer.from(this.#pages.page(number)); // a copy: children are read into the same window
    const isLeaf = level === this.#tree.depth;
    this.#checkHeader(page, number, isLeaf ? P_LEAF : P_BRANCH);
    const nodes = readNodes(page, number, isLeaf);
    const keys = nodes.map((node) => page.subarray(node.at + NODE_BYTES, node.at + NODE_BYTES + node.keyBytes));
    checkOrder(isLeaf ? keys : keys.slice(1), bounds, compare, number);
    if (isLeaf) {
      this.#leafPages++;
      for (const node of nodes) this.#visitLeafNode(page, node, number);
      return;
    }
    this.#branchPages++;
    for (const [i, node] of nodes.entries()) {
      // The first key of a branch page is not stored: its child begins where the page does.
      const below: Bounds = { from: i === 0 ? bounds.from : (keys[i] ?? null), to: keys[i + 1] ?? bounds.to };
      this.#visit(
        page.readUInt32LE(node.at) + page.readUInt16LE(node.at + 4) * 0x1_0000_0000,
        level + 1,
        below,
        compare,
      );
    }
  }

  #visitLeafNode(page: Buffer, node: Node, number: number): void {
    this.#entries++;
    const flags = page.readUInt16LE(node.at + 4);
    const bytes = page.readUInt32LE(node.at);
    const at = node.at + NODE_BYTES + node.keyBytes;
    if ((flags & ~N_BIG) !== 0) throw corruptFile(`a record of unknown kind on page ${number}`);
    const end = at + (flags === N_BIG ? OVERFLOW_REF_BYTES : bytes);
    if (end > page.length) throw corruptFile(`a record reaches over the end of page ${number}`);
    const value = flags === N_BIG ? this.#overflow(page, at, bytes) : page.subarray(at, end);
    if (this.#tree === this.#meta.free) this.values.push(Buffer.from(value));
  }

  /** Checks the pages of a large value; returns it when it belongs to the free tree, else nothing. */
  #overflow(page: Buffer, at: number, bytes: number): Buffer {
    const first = pageNumber(page, at);
    const count = pageNumber(page, at + 16);
    const pageBytes = this.#meta.pageBytes;
    if (count < Math.ceil((HEADER_BYTES + bytes) / pageBytes))
      throw corruptFile(`too few pages for a record at ${first}`);
    this.#take(first, count);
    if (!this.#pages.holds(first, count)) throw corruptFile(`page ${first + count - 1} lies behind its end`);
    const head = this.#pages.page(first);
    this.#checkHeader(head, first, P_OVERFLOW);
    if (head.readUInt32LE(20) !== count) throw corruptFile(`page ${first} claims another length`);
    this.#overflowPages += count;
    if (this.#tree !== this.#meta.free) return EMPTY;
    const parts: Buffer[] = [];
    for (let i = 0; i < count; i++) parts.push(Buffer.from(this.#pages.page(first + i)));
    return Buffer.concat(parts).subarray(HEADER_BYTES, HEADER_BYTES + bytes);
  }

  #checkHeader(page: Buffer, number: number, kind: number): void {
    if (pageNumber(page, 0) !== number) throw corruptFile(`page ${number} bears another number`);
    if (pageNumber(page, 8) > this.#meta.transaction) throw corruptFile(`page ${number} is newer than the file`);
    if (page.readUInt16LE(18) !== kind) throw corruptFile(`page ${number} is of another kind`);
  }

  /** Marks pages as used; none may be used twice. */
  #take(first: number, count: number): void {
    if (first < 2 || count < 1 || first + count - 1 > this.#meta.lastPage)
      throw corruptFile(`page ${first} out of range`);
    for (let number = first; number < first + count; number++) {
      if (this.#used[number] !== 0) throw corruptFile(`page ${number} is used twice`);
      this.#used[number] = 1;
    }
  }
}

/** The nodes of a page, each inside it. */
function readNodes(page: Buffer, number: number, isLeaf: boolean): Node[] {
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  const room = page.length - HEADER_BYTES;
  if (lower % 2 !== 0 || lower > upper || upper > room) throw corruptFile(`page ${number} has impossible bounds`);
  if (lower < (isLeaf ? 2 : 4)) throw corruptFile(`page ${number} is too empty`);
  const nodes: Node[] = [];
  for (let i = 0; i < lower / 2; i++) {
    const position = page.readUInt16LE(HEADER_BYTES + 2 * i);
    const at = HEADER_BYTES + position;
    if (position < upper || at + NODE_BYTES > page.length) throw corruptFile(`a position outside page ${number}`);
    const keyBytes = page.readUInt16LE(at + 6);
    if (at + NODE_BYTES + keyBytes > page.length) throw corruptFile(`a key reaches over the end of page ${number}`);
    nodes.push({ at, keyBytes });
  }
  return nodes;
}

function checkOrder(keys: Buffer[], bounds: Bounds, compare: Compare, number: number): void {
  let last = bounds.from;
  for (const [i, key] of keys.entries()) {
    const order = last === null ? -1 : compare(last, key);
    // The first key may equal the one that led here.
    if (order > 0 || (order === 0 && i > 0)) throw corruptFile(`keys out of order on page ${number}`);
    last = key;
  }
  if (bounds.to !== null && last !== null && compare(last, bounds.to) >= 0) {
    throw corruptFile(`a key on page ${number} belongs behind it`);
  }
}

/** Marks a list of free pages; one that is in use, or listed twice, would be overwritten one day. */
function markFree(list: Buffer, used: Uint8Array): void {
  if (list.length % 8 !== 0 || list.length < 8) throw corruptFile("a list of free pages has a wrong length");
  const count = list.readBigUInt64LE(0);
  if (BigInt(list.length / 8 - 1) < count) throw corruptFile("a list of free pages is cut short");
  for (let i = 1; i <= Number(count); i++) {
    let length = 1;
    const entry = Number(list.readBigInt64LE(8 * i));
    if (entry === 0) continue;
    if (entry < 0) {
      length = -entry;
      i++;
      if (i > Number(count)) throw corruptFile("a list of free pages is cut short");
    }
    const first = entry < 0 ? Number(list.readBigInt64LE(8 * i)) : entry;
    if (first < 2 || first + length > used.length) throw corruptFile(`free page ${first} out of range`);
    for (let number = first; number < first + length; number++) {
      if (used[number] !== 0) throw corruptFile(`page ${number} is both free and in use`);
      used[number] = 1;
    }
  }
}

function compareKeys(a: Buffer, b: Buffer): number {
  return a.compare(b);
}

/** Keys of the free tree are transaction ids, little-endian. */
function compareTransactions(a: Buffer, b: Buffer): number {
  if (a.length !== 8 || b.length !== 8) throw corruptFile("a key of the free tree has a wrong length");
  const difference = a.readBigUInt64LE() - b.readBigUInt64LE();
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function pageNumber(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corruptFile("a page number out of range");
  return Number(value);
}

const EMPTY: Buffer = Buffer.alloc(0);
