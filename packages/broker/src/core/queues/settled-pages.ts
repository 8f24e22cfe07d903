// Hot path: runs per settlement. No closure, promise, spread, iterator or regex here, except in storing.

/** Offsets per page. */
export const PAGE_OFFSETS = 4096;

const PAGE_BYTES = PAGE_OFFSETS / 8;

/** Takes what has changed: a page's bits, or null when it is not needed any more. */
export type PageWriter = (page: number, bits: Uint8Array | null) => void;

interface Page {
  readonly bits: Uint8Array;
  /** True while it waits to be written. */
  isListed: boolean;
}

/**
 * A set of offsets that fills up from below: everything below `base` is in it; what is above is held in pages of bits. A page is written only
 * when it changed, and goes when the base has passed it; settling in order needs none.
 */
export class SettledPages {
  #base: number;
  #above = 0;
  readonly #pages = new Map<number, Page>();
  #dirty: number[] = [];
  /** Numbers of the pages that the store has. */
  readonly #stored = new Set<number>();
  /** The page last used, for settlements lie close together. */
  #lastNumber = -1;
  #lastPage: Page | null = null;

  readonly #isStored: boolean;

  /** @param isStored false for a set that is never written: then no pages are listed for that */
  constructor(base: number, isStored = true) {
    this.#base = base;
    this.#isStored = isStored;
  }

  /** The lowest offset that is not in the set. */
  get base(): number {
    return this.#base;
  }

  /** Offsets in the set that lie above the base. */
  get countAbove(): number {
    return this.#above;
  }

  has(offset: number): boolean {
    if (offset < this.#base) return true;
    if (this.#above === 0) return false;
    const page = this.#page(Math.floor(offset / PAGE_OFFSETS));
    return page !== null && isSet(page, offset % PAGE_OFFSETS);
  }

  /** Adds an offset; false when it was there. */
  add(offset: number): boolean {
    if (offset < this.#base) return false;
    if (offset === this.#base) {
      this.#advance();
      return true;
    }
    const number = Math.floor(offset / PAGE_OFFSETS);
    const page = this.#page(number) ?? this.#make(number);
    const at = offset % PAGE_OFFSETS;
    if (isSet(page, at)) return false;
    page.bits[at >> 3] = (page.bits[at >> 3] as number) | (1 << (at & 7));
    this.#above++;
    this.#list(number, page);
    return true;
  }

  /** Adds everything below `offset`. */
  raise(offset: number): void {
    if (offset <= this.#base) return;
    for (const [number, page] of this.#pages) {
      const start = number * PAGE_OFFSETS;
      if (start >= offset) continue;
      const before = Math.min(PAGE_OFFSETS, offset - start);
      for (let at = Math.max(0, this.#base - start); at < before; at++) {
        if (isSet(page, at)) this.#above--;
      }
    }
    this.#base = offset;
    this.#dropPassed();
    this.#skipSet();
  }

  /** Forgets all, and begins anew at `base`. */
  reset(base: number): void {
    for (const number of this.#pages.keys()) if (this.#stored.has(number)) this.#dirty.push(number);
    this.#pages.clear();
    this.#lastPage = null;
    this.#above = 0;
    this.#base = base;
  }

  /** What changed is stored by nobody. */
  discard(): void {
    if (this.#dirty.length === 0) return;
    for (const number of this.#dirty) {
      const page = this.#pages.get(number);
      if (page !== undefined) page.isListed = false;
    }
    this.#dirty = [];
  }

  /** Takes up a stored page. */
  restore(number: number, bits: Uint8Array): void {
    const page: Page = { bits: bits.slice(0, PAGE_BYTES), isListed: false };
    const start = number * PAGE_OFFSETS;
    for (let at = Math.max(0, this.#base - start); at < PAGE_OFFSETS; at++) if (isSet(page, at)) this.#above++;
    this.#pages.set(number, page);
    this.#stored.add(number);
    this.#dropPassed();
    this.#skipSet();
  }

  /** Hands over the pages that changed since the last call. */
  write(writer: PageWriter): void {
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const number of dirty) {
      const page = this.#pages.get(number);
      if (page !== undefined) {
        page.isListed = false;
        this.#stored.add(number);
        writer(number, page.bits.slice());
      } else if (this.#stored.delete(number)) writer(number, null);
    }
  }

  /** Hands over every stored page as not needed any more; the set is not to be used afterwards. */
  drop(writer: PageWriter): void {
    for (const number of this.#stored) writer(number, null);
    this.#stored.clear();
    this.#dirty = [];
  }

  /** The base's own offset was added: the base goes on to the next one that is missing. */
  #advance(): void {
    this.#base++;
    if (this.#base % PAGE_OFFSETS === 0) this.#dropPassed();
    if (this.#above > 0) this.#skipSet();
  }

  #skipSet(): void {
    while (this.#above > 0) {
      const page = this.#page(Math.floor(this.#base / PAGE_OFFSETS));
      if (page === null || !isSet(page, this.#base % PAGE_OFFSETS)) return;
      this.#above--;
      this.#base++;
      if (this.#base % PAGE_OFFSETS === 0) this.#dropPassed();
    }
  }

  #dropPassed(): void {
    const first = Math.floor(this.#base / PAGE_OFFSETS);
    for (const number of this.#pages.keys()) {
      if (number >= first) continue;
      this.#pages.delete(number);
      if (number === this.#lastNumber) this.#lastPage = null;
      if (this.#stored.has(number)) this.#dirty.push(number);
    }
  }

  #page(number: number): Page | null {
    if (number === this.#lastNumber && this.#lastPage !== null) return this.#lastPage;
    const page = this.#pages.get(number) ?? null;
    this.#lastNumber = number;
    this.#lastPage = page;
    return page;
  }

  #make(number: number): Page {
    const page: Page = { bits: new Uint8Array(PAGE_BYTES), isListed: false };
    this.#pages.set(number, page);
    this.#lastNumber = number;
    this.#lastPage = page;
    return page;
  }

  #list(number: number, page: Page): void {
    if (page.isListed || !this.#isStored) return;
    page.isListed = true;
    this.#dirty.push(number);
  }
}

function isSet(page: Page, at: number): boolean {
  return ((page.bits[at >> 3] as number) & (1 << (at & 7))) !== 0;
}
