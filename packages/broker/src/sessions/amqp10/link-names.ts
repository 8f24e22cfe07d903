import { Condition } from "polymq/amqp10/codec";
import type { AnyLink } from "polymq/amqp10/engine";
import type { Amqp10Types } from "./amqp10-types.ts";
import { said } from "./refused.ts";

type Link = AnyLink<Amqp10Types>;

/**
 * Links by the client's container and user, their direction and their name (§2.6.1): there is one of a name. Who attaches it again, on any connection,
 * takes it from where it was.
 */
export class LinkNames {
  readonly #byKey = new Map<string, Link>();

  /** A link has come; one of the same name that is still there is detached. */
  take(container: string, user: string, link: Link): void {
    const key = keyOf(container, user, link);
    const before = this.#byKey.get(key);
    this.#byKey.set(key, link);
    if (before !== undefined && before !== link) {
      before.owner?.end({ scope: "link", by: "us", error: null, cause: null }, false);
      before.detach({ closed: false, error: said(Condition.stolen, "the link was attached again elsewhere") });
    }
  }

  /** A link is over. */
  leave(container: string, user: string, link: Link): void {
    const key = keyOf(container, user, link);
    if (this.#byKey.get(key) === link) this.#byKey.delete(key);
  }
}

function keyOf(container: string, user: string, link: Link): string {
  return JSON.stringify([container, user, link.isSender, link.name]);
}
