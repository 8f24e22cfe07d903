import { deferred } from "../../base/deferred.ts";
import type { MessagingError } from "../../base/errors.ts";
import type { Method, MethodOf, SyncMethodName } from "../codec/method-types.ts";
import type { Connection } from "./connection.ts";
import { channelClosed } from "./failures.ts";
import type { Incoming, Link, Reply } from "./link.ts";

/** Sends a method that is answered and resolves with the answer; `got` makes the result of a `basic.get-ok`. */
export function call(connection: Connection, link: Link, method: MethodOf<SyncMethodName>): Promise<Method> {
  const done = deferred<Method>();
  connection.engine.request(link, method, new PromisedReply(done.resolve, done.reject, null));
  connection.answerAwaited();
  return done.promise;
}

/** A reply that settles a promise. */
export class PromisedReply implements Reply {
  readonly answered: (reply: Method) => void;
  readonly failed: (error: MessagingError) => void;
  readonly #got: ((link: Link, content: Incoming) => void) | null;

  constructor(
    answered: (reply: Method) => void,
    failed: (error: MessagingError) => void,
    got: ((link: Link, content: Incoming) => void) | null,
  ) {
    this.answered = answered;
    this.failed = failed;
    this.#got = got;
  }

  got(link: Link, content: Incoming): void {
    if (this.#got === null) this.failed(channelClosed());
    else this.#got(link, content);
  }
}

/** Fails what a channel of the engine still has to answer. */
export function failRequests(link: Link, error: MessagingError): void {
  for (let each = link.takeRequest(); each !== undefined; each = link.takeRequest()) each.request.failed(error);
}
