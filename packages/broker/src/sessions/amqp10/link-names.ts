import { Condition } from "polymq/amqp10/codec";
import type { AnyLink } from "polymq/amqp10/engine";
import type { Amqp10Types } from "./amqp10-types.ts";
import { Refused, said } from "./refused.ts";

type Link = AnyLink<Amqp10Types>;

/** Who attaches. */
interface Attacher {
  readonly container: string;
  readonly user: string;
  /** Its connection, in the order in which they came. */
  readonly connection: number;
}

/**
 * Links by the client's container and user, their direction and their name (§2.6.1): there is one of a name. Who attaches it again, on the same
 * connection or a later one, takes it from where it was. An earlier connection does not take it back: that attach was on its way when the client lost
 * the connection, and went on over the later one.
 */
export class LinkNames {
  readonly #byKey = new Map<string, { readonly link: Link; readonly connection: number }>();

  /** A link has come; one of the same name that is still there is detached. Throws {@link Refused} when a later connection has it. */
  take({ container, user, connection }: Attacher, link: Link): void {
    const key = keyOf(container, user, link);
    const before = this.#byKey.get(key);
    if (before !== undefined && before.connection > connection) {
      throw new Refused(Condition.stolen, "the link was attached on a later connection");
    }
    this.#byKey.set(key, { link, connection });
    if (before !== undefined && before.link !== link) {
      before.link.owner?.end({ scope: "link", by: "us", error: null, cause: null }, false);
      before.link.detach({ closed: false, error: said(Condition.stolen, "the link was attached again elsewhere") });
    }
  }

  /** A link is over. */
  leave(container: string, user: string, link: Link): void {
    const key = keyOf(container, user, link);
    if (this.#byKey.get(key)?.link === link) this.#byKey.delete(key);
  }
}

function keyOf(container: string, user: string, link: Link): string {
  return JSON.stringify([container, user, link.isSender, link.name]);
}
