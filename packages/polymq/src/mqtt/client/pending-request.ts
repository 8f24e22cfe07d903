import type { Suback, Subscribe, Unsuback, Unsubscribe } from "../codec/packets.ts";
import type { Link } from "./link.ts";

/** A SUBSCRIBE or UNSUBSCRIBE without its packet id. */
export type RequestPacket = Omit<Subscribe, "packetId"> | Omit<Unsubscribe, "packetId">;

/** A packet, or what makes it for the connection of the moment. */
export type RequestSource = RequestPacket | ((link: Link) => RequestPacket);

/** A SUBSCRIBE or UNSUBSCRIBE on its way. */
export class PendingRequest {
  readonly packet: RequestSource;
  readonly settle: RequestSettler;
  sentAtMs = -1;
  /** True when nobody waits any more: it is not sent again, but its answer may still come. */
  abandoned = false;
  /** Connections that were lost while its answer was awaited. */
  #losses = 0;

  readonly #lossesMax: number;

  /** @param lossesMax connections that may be lost before its answer until it counts as failed */
  constructor(packet: RequestSource, settle: RequestSettler, lossesMax: number) {
    this.packet = packet;
    this.settle = settle;
    this.#lossesMax = lossesMax;
  }

  /** The connection was lost before the answer; false when it was one too many. */
  survivesLoss(): boolean {
    return ++this.#losses < this.#lossesMax;
  }
}

/** Who waits for a {@link PendingRequest}; told once. */
export interface RequestSettler {
  readonly answered: (packet: Suback | Unsuback) => void;
  readonly failed: (error: Error) => void;
}
