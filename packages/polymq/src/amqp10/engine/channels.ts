import type { Owners } from "./handler.ts";
import type { Session } from "./session.ts";

/** Sessions of a connection by our channel and by the peer's (§2.5.1). */
export class Channels<O extends Owners> {
  readonly #local: (Session<O> | undefined)[] = [];
  readonly #remote = new Map<number, Session<O>>();

  /** All sessions. */
  get all(): Session<O>[] {
    return this.#local.filter((session) => session !== undefined);
  }

  /** The lowest channel of ours up to `max` that is free, or -1. */
  free(max: number): number {
    for (let channel = 0; channel <= max; channel++) if (this.#local[channel] === undefined) return channel;
    return -1;
  }

  local(channel: number): Session<O> | undefined {
    return this.#local[channel];
  }

  remote(channel: number): Session<O> | undefined {
    return this.#remote.get(channel);
  }

  add(session: Session<O>): void {
    this.#local[session.channel] = session;
  }

  bind(remoteChannel: number, session: Session<O>): void {
    this.#remote.set(remoteChannel, session);
  }

  remove(session: Session<O>, remoteChannel: number): void {
    this.#remote.delete(remoteChannel);
    this.#local[session.channel] = undefined;
  }

  /** Forgets all sessions and returns them. */
  clear(): Session<O>[] {
    const all = this.all;
    this.#local.length = 0;
    this.#remote.clear();
    return all;
  }
}
