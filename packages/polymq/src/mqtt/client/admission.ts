import { MessagingError } from "../../base/errors.ts";
import { unusable } from "./check-usable.ts";
import type { DropReason } from "./events.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";
import type { PendingPublish } from "./pending.ts";
import type { WaitingLine } from "./waiting-line.ts";

/** What the client is doing, as far as a publish is concerned. */
export type Availability = "online" | "offline" | "none" | "draining" | "closed";

/** What an {@link Admission} is told by and tells. */
export interface AdmissionOwner {
  availability(): Availability;
  dropped(item: PendingPublish, reason: DropReason): void;
}

/** Says whether a message that cannot be sent now may wait, by the client's state and the policies of its options. */
export class Admission {
  readonly #settings: Settings;
  readonly #owner: AdmissionOwner;
  readonly #waiting: WaitingLine;
  readonly #fail: (item: PendingPublish, error: Error) => void;

  /** @param fail settles a message that gives its place to a newer one */
  constructor(
    settings: Settings,
    owner: AdmissionOwner,
    waiting: WaitingLine,
    fail: (item: PendingPublish, error: Error) => void,
  ) {
    this.#settings = settings;
    this.#owner = owner;
    this.#waiting = waiting;
    this.#fail = fail;
  }

  /** Why a message may not wait, or null; the message has its payload. */
  refusal(link: Link | null, windowFull: boolean, message: PendingPublish): MessagingError | null {
    const availability = this.#owner.availability();
    const error = availability === "draining" && message.settles ? null : unusable(availability);
    if (error !== null) return error;
    return link === null ? this.#offline(message) : this.#busy(link, windowFull, message);
  }

  #offline(message: PendingPublish): MessagingError | null {
    const policy = this.#settings.whenOffline ?? (message.qos === 0 ? "reject" : "block");
    if (policy === "reject") return new MessagingError("ERR_NOT_CONNECTED", "the connection is being made again");
    if (this.#waiting.fits(message)) return null;
    if (policy === "dropOldest" && this.#dropOldest(message)) return null;
    if (policy !== "block") this.#owner.dropped(message, "offlineFull");
    return new MessagingError("ERR_OFFLINE_FULL", "too many messages wait for a connection");
  }

  #busy(link: Link, windowFull: boolean, message: PendingPublish): MessagingError | null {
    if (message.qos !== 0 && windowFull && this.#settings.whenInflightFull === "reject") {
      return new MessagingError("ERR_MAX_INFLIGHT", "too many messages in flight");
    }
    // Messages in hand bound what belongs to them.
    if (message.settles || this.#waiting.fits(message)) return null;
    return link.outbox.full
      ? new MessagingError("ERR_OUTBOUND_BACKPRESSURE", "too many messages wait for a slow server")
      : new MessagingError("ERR_MAX_INFLIGHT", "too many messages in flight and waiting");
  }

  #dropOldest(message: PendingPublish): boolean {
    // What could never fit must not cost the others their place.
    if (!this.#waiting.couldFit(message)) return false;
    while (!this.#waiting.fits(message)) {
      const oldest = this.#waiting.shift();
      if (oldest === undefined) return false;
      this.#owner.dropped(oldest, "offlineFull");
      this.#fail(oldest, new MessagingError("ERR_OFFLINE_FULL", "dropped for a newer message"));
    }
    return true;
  }
}
