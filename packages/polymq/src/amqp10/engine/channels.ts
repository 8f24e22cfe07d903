import type { Owners } from "./handler.ts";
import type { Session } from "./session.ts";

/** Sessions of a connection by our channel and by the peer's (§2.5.1). */
export class Channels<O extends Owners> {
  readonly #local: (Session<O> | undefined)[] = [];
  readonly #remote = new Map<number, Session<O>>();
  /** Sessions for whose end nobody waits any more, the one that was given up first at the front. */
  readonly #unanswered = new Set<Session<O>>();

  /** All sessions. */
  get all(): Session<O>[] {
    return this.#local.filter((session) => session !== undefined);
  }

  /** The lowest channel of ours up to `max` that is free, else that of the session that was given up first, or -1. */
  free(max: number): number {
    for (let channel = 0; channel <= max; channel++) if (this.#local[channel] === undefined) return channel;
    for (const { channel } of this.#unanswered) if (channel <= max) return channel;
    return -1;
  }

  /** Nobody waits for the end of this session any more. */
  unanswered(session: Session<O>): void {
    this.#unanswered.add(session);
  }

  local(channel: number): Session<O> | undefined {
    return this.#local[channel];
  }

  remote(channel: number): Session<O> | undefined {
    return this.#remote.get(channel);
  }

  /** Takes its channel, also from a session that was given up. */
  add(session: Session<O>): void {
    const before = this.#local[session.channel];
    if (before !== undefined) this.remove(before, before.remoteChannel);
    this.#local[session.channel] = session;
  }

  bind(remoteChannel: number, session: Session<O>): void {
    this.#remote.set(remoteChannel, session);
  }

  remove(session: Session<O>, remoteChannel: number): void {
    this.#remote.delete(remoteChannel);
    this.#unanswered.delete(session);
    this.#local[session.channel] = undefined;
  }

  /** Forgets all sessions and returns them. */
  clear(): Session<O>[] {
    const all = this.all;
    this.#local.length = 0;
    this.#remote.clear();
    this.#unanswered.clear();
    return all;
  }
}
