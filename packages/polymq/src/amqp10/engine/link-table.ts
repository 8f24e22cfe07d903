// Hot path: a link is looked up per frame. No closure, promise, spread, iterator or regex here.
import type { AnyLink, Owners } from "./handler.ts";

/** Handles that we use ourselves on one session. */
const HANDLES_MOST = 65_535;

/** Links of a session by our handle and by the peer's (§2.6.2). */
export class LinkTable<O extends Owners> {
  readonly #local: (AnyLink<O> | undefined)[] = [];
  readonly #remote = new Map<number, AnyLink<O>>();
  /** No handle below is free. */
  #freeFrom = 0;

  /** All links. */
  get all(): AnyLink<O>[] {
    return this.#local.filter((link) => link !== undefined);
  }

  /** The link with this handle of the peer. */
  remote(handle: number): AnyLink<O> | undefined {
    return this.#remote.get(handle);
  }

  /** The lowest free handle up to `max`, or -1. */
  free(max: number): number {
    const most = Math.min(max, HANDLES_MOST);
    for (let handle = this.#freeFrom; handle <= most; handle++) {
      this.#freeFrom = handle;
      if (this.#local[handle] === undefined) return handle;
    }
    return -1;
  }

  add(link: AnyLink<O>): void {
    this.#local[link.handle] = link;
  }

  bind(link: AnyLink<O>, remoteHandle: number): void {
    link.remoteHandle = remoteHandle;
    this.#remote.set(remoteHandle, link);
  }

  /** The peer has detached, and may use its handle again; we have not. */
  unbind(link: AnyLink<O>): void {
    this.#remote.delete(link.remoteHandle);
  }

  remove(link: AnyLink<O>): void {
    if (this.#remote.get(link.remoteHandle) === link) this.#remote.delete(link.remoteHandle);
    this.#local[link.handle] = undefined;
    this.#freeFrom = Math.min(this.#freeFrom, link.handle);
  }

  /** A link of ours by name and direction; `unanswered` only while the peer's attach has not come. */
  find(name: string, sender: boolean, which: "unanswered" | "any"): AnyLink<O> | undefined {
    for (let i = 0; i < this.#local.length; i++) {
      const link = this.#local[i];
      if (link === undefined || link.name !== name || link.isSender !== sender) continue;
      // A link whose detach overtook the peer's answer is still waiting for that answer.
      if (which === "any" || link.remoteHandle === -1) return link;
    }
    return undefined;
  }

  /** Forgets all links and returns them. */
  clear(): AnyLink<O>[] {
    const all = this.all;
    this.#local.length = 0;
    this.#remote.clear();
    this.#freeFrom = 0;
    return all;
  }
}
