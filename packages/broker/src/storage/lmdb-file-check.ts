import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { MessagingError } from "polymq/internal";
import { corruptFile, type Meta, type TreeRoot } from "./lmdb-format.ts";
import { checkTrees, type PageReader } from "./lmdb-tree-check.ts";

/*
 * The file format of lmdb 3.5 (data version 2, 64 bit, little-endian), as far as it is checked here. Pages 0 and 1 begin with a
 * header of 24 bytes and a meta record; a commit writes the one whose number is its transaction id's last bit:
 *   24 magic u32 · 28 version u32 · 32 address u64 · 40 map size u64 · 48 free tree (48 bytes) · 96 main tree · 144 last page u64 ·
 *   152 transaction u64 · 160 boot id u64
 * With overlapping sync a third meta lies at half a page: the newest state that was synced.
 */

const HEADER_BYTES = 24;
const META_BYTES = 168;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const P_META = 0x08;
/** The free tree's keys are integers; the file is no directory. */
const FREE_FLAGS = 0x4008;
const OVERLAPPING_SYNC = 0x1000;

/**
 * Reads a data file and follows both trees of its current state without mapping it: page numbers, kinds, bounds, key order
 * and counts must agree, no page may be used twice. A mapped file that is damaged could end the process; after this check it cannot.
 * Record contents are not read: their own checksums tell. A missing or empty file is fine.
 * @throws {MessagingError} ERR_STORE_CORRUPT, or ERR_STORE_FAILED when it cannot be read
 */
export function checkLmdbFile(path: string): void {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return;
    throw new MessagingError("ERR_STORE_FAILED", "the data file cannot be read", { cause });
  }
  try {
    const fileBytes = fstatSync(file).size;
    if (fileBytes === 0) return;
    const meta = currentMeta(file);
    checkTrees(meta, new FilePages(file, meta.pageBytes, fileBytes));
  } finally {
    closeSync(file);
  }
}

/** Reads pages through a window, so that neighbours cost one system call. */
class FilePages implements PageReader {
  readonly #file: number;
  readonly #pageBytes: number;
  readonly #fileBytes: number;
  readonly #window: Buffer;
  #start = 0;
  #length = 0;

  constructor(file: number, pageBytes: number, fileBytes: number) {
    this.#file = file;
    this.#pageBytes = pageBytes;
    this.#fileBytes = fileBytes;
    this.#window = Buffer.alloc(16 * pageBytes);
  }

  page(number: number): Buffer {
    const start = number * this.#pageBytes;
    if (start + this.#pageBytes > this.#fileBytes) throw corruptFile(`page ${number} lies behind its end`);
    if (start < this.#start || start + this.#pageBytes > this.#start + this.#length) {
      this.#start = start;
      this.#length = readSync(this.#file, this.#window, 0, this.#window.length, start);
      if (this.#length < this.#pageBytes) throw corruptFile(`page ${number} cannot be read`);
    }
    return this.#window.subarray(start - this.#start, start - this.#start + this.#pageBytes);
  }

  holds(first: number, count: number): boolean {
    return (first + count) * this.#pageBytes <= this.#fileBytes;
  }
}

/** The state that opening the file will start from. */
function currentMeta(file: number): Meta {
  const first = readMeta(file, 0, 0);
  const second = readMeta(file, first.pageBytes, 1);
  if (first.pageBytes !== second.pageBytes) throw corruptFile("its two states disagree on the page size");
  checkSuccession(first, second);
  const newest = first.transaction >= second.transaction ? first : second;
  const isSynced = (newest.free.flags & OVERLAPPING_SYNC) === 0;
  if (isSynced || newest.bootId === bootId()) return newest;
  // The machine restarted since: what was not synced may be missing, so the synced state is taken up again.
  const synced = readMeta(file, first.pageBytes >> 1, null);
  return synced.transaction === 0 || synced.transaction > newest.transaction ? newest : synced;
}

/** Commits alternate between the two metas and count up by one. */
function checkSuccession(first: Meta, second: Meta): void {
  const fresh = first.transaction === 0 && second.transaction === 0;
  const parity = first.transaction % 2 === 0 && second.transaction % 2 === (fresh ? 0 : 1);
  const step = Math.abs(first.transaction - second.transaction);
  if (!parity || step !== (fresh ? 0 : 1)) throw corruptFile("its two states do not follow each other");
}

/** @param page the page it must be on, or null for the third meta, which has no page header and no magic number */
function readMeta(file: number, at: number, page: number | null): Meta {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(file, bytes, 0, META_BYTES, at) < META_BYTES) throw corruptFile("it ends before its header does");
  if (page !== null) checkMetaHeader(bytes, page);
  const meta: Meta = {
    pageBytes: bytes.readUInt32LE(48),
    free: readTree(bytes, 48),
    main: readTree(bytes, 96),
    lastPage: u64(bytes, 144),
    transaction: u64(bytes, 152),
    bootId: bytes.readBigInt64LE(160),
  };
  checkMeta(meta);
  return meta;
}

function checkMetaHeader(bytes: Buffer, page: number): void {
  if (bytes.readUInt32LE(HEADER_BYTES) !== MAGIC) throw corruptFile("it has no LMDB header");
  if (u64(bytes, 0) !== page || bytes.readUInt16LE(18) !== P_META) throw corruptFile("its header page is damaged");
  const version = bytes.readUInt32LE(28) & 0xffff;
  if (version !== DATA_VERSION) {
    throw new MessagingError("ERR_STORE_VERSION", `the data file has format ${version}, known is ${DATA_VERSION}`);
  }
}

function checkMeta(meta: Meta): void {
  const { pageBytes, free, main } = meta;
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) {
    throw corruptFile(`pages of ${pageBytes} bytes`);
  }
  if ((free.flags & ~OVERLAPPING_SYNC) !== FREE_FLAGS || main.flags !== 0) throw corruptFile("unknown flags");
  for (const tree of [free, main]) {
    if (tree.root !== null && (tree.root < 2 || tree.root > meta.lastPage))
      throw corruptFile("a root outside the file");
    if ((tree.root === null) !== (tree.depth === 0) || tree.depth > 32) throw corruptFile("a tree's depth");
  }
}

function readTree(bytes: Buffer, at: number): TreeRoot {
  const root = bytes.readBigUInt64LE(at + 40);
  return {
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    branchPages: u64(bytes, at + 8),
    leafPages: u64(bytes, at + 16),
    overflowPages: u64(bytes, at + 24),
    entries: u64(bytes, at + 32),
    root: root === NO_PAGE ? null : safe(root),
  };
}

/** The database's number for this run of the machine: the first 8 hexadecimal digits that the kernel gives. */
function bootId(): bigint {
  try {
    const text = readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
    return BigInt(`0x${text.slice(0, text.indexOf("-"))}`);
  } catch {
    return 0n; // other systems give no such number
  }
}

function u64(bytes: Buffer, at: number): number {
  return safe(bytes.readBigUInt64LE(at));
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corruptFile("a number is out of range");
  return Number(value);
}

/** What an empty tree has for a root. */
const NO_PAGE: bigint = 0xffff_ffff_ffff_ffffn;
