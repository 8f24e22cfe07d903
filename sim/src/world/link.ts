import { MessagingError } from "polymq/internal";
import { type MemoryPair, memoryPair } from "polymq/transport";
import { LinkEnd } from "./link-end.ts";
import { measureOf, type Wire, wireTap } from "./wire-tap.ts";
import type { World } from "./world.ts";

/** How bytes travel on a link. */
export interface LinkShape {
  /** Chunks have 1 to so many bytes; Infinity leaves writes whole. */
  readonly chunkBytesMax: number;
  readonly delayMsMax: number;
  readonly highWaterBytes: number;
}

/**
 * How a link breaks. `both`: both ends hear of it now and what is under way is lost. `client late`, `server late`: that end goes on for a while as if
 * nothing had happened. `client flushed`, `server flushed`: that end breaks off, and what it had written still arrives.
 */
export type CutKind = "both" | "client late" | "server late" | "client flushed" | "server flushed";

/** One connection between a client and the broker. */
export class Link {
  readonly name: string;
  readonly client: LinkEnd;
  readonly server: LinkEnd;
  readonly #pair: MemoryPair;

  /** @param onPacket asked before each packet that arrives */
  constructor(
    { name, wire }: { readonly name: string; readonly wire: Wire },
    shape: LinkShape,
    world: World,
    onPacket: ((link: Link) => void) | null = null,
  ) {
    const { chance, clock } = world;
    this.name = name;
    this.#pair = memoryPair({
      clock,
      highWaterBytes: shape.highWaterBytes,
      chunkBytes: Number.isFinite(shape.chunkBytesMax)
        ? () => chance.integer(1, shape.chunkBytesMax)
        : Number.POSITIVE_INFINITY,
      delayMs: shape.delayMsMax === 0 ? 0 : () => chance.integer(0, shape.delayMsMax),
    });
    const tap = world.trace.isPrinted
      ? wireTap(wire, (what, towards) => world.trace.say(`${name} to ${towards}`, what))
      : null;
    const told = onPacket === null ? null : (): void => onPacket(this);
    const parts = { world, measure: measureOf(wire), onPacket: told };
    this.client = new LinkEnd(`${name} client`, this.#pair.client, {
      ...parts,
      tap: tap === null ? null : (chunk) => tap.push("client", chunk),
    });
    this.server = new LinkEnd(`${name} broker`, this.#pair.server, {
      ...parts,
      tap: tap === null ? null : (chunk) => tap.push("broker", chunk),
    });
  }

  get isOver(): boolean {
    return this.client.isOver && this.server.isOver;
  }

  /** @param noticeMs how late is late */
  cut(kind: CutKind, noticeMs: number): void {
    const error = new MessagingError("ERR_CONNECTION_LOST", "the link was cut");
    switch (kind) {
      case "client flushed":
        return this.client.flushAndEnd(error);
      case "server flushed":
        return this.server.flushAndEnd(error);
      case "client late":
        this.client.deafen(noticeMs, error);
        break;
      case "server late":
        this.server.deafen(noticeMs, error);
        break;
      case "both":
        break;
    }
    this.#pair.cut();
  }

  /** The broker's process is gone. `flushed`: what it had written arrives; `reset`: the client hears of it now; `silent`: after `noticeMs`. */
  severServer(how: "flushed" | "reset" | "silent", noticeMs: number): void {
    this.server.sever();
    if (how === "flushed") return this.server.flushAndEnd(new Error("unheard"));
    if (how === "silent") this.client.deafen(noticeMs, new MessagingError("ERR_CONNECTION_LOST", "the peer is gone"));
    this.#pair.cut();
  }

  /** The client's process is gone. */
  severClient(how: "flushed" | "reset" | "silent", noticeMs: number): void {
    this.client.sever();
    if (how === "flushed") return this.client.flushAndEnd(new Error("unheard"));
    if (how === "silent") this.server.deafen(noticeMs, new MessagingError("ERR_CONNECTION_LOST", "the peer is gone"));
    this.#pair.cut();
  }
}
