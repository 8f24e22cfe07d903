import type { Message, MessageParts, MessageView } from "../message.ts";
import type { Queues } from "../queues/queues.ts";
import type { Route, Router } from "../router.ts";
import type { Statistics } from "../statistics.ts";

/** What exchanges meet plain topics with; the hub is one. */
export interface PlainTopics {
  readonly router: Router;
  readonly queues: Queues;
  readonly statistics: Statistics;
  /** Takes a message to everybody who gets its topic, and returns how many those are, or `REFUSED` of `Distribution`. */
  publish(message: MessageView, route: Route): number;
  /** The same, but for queues that the topic reaches through an exchange only, and without counting it as one that came in. */
  deliver(message: MessageView, route: Route): number;
  makeMessage(parts: MessageParts): Message;
}
