import type { QueueInspection } from "../../core/queues/queue-inspection.ts";
import { ApiError } from "../api-error.ts";
import { durably } from "../durably.ts";
import type { ApiCall, Endpoint } from "../endpoint.ts";
import type { HttpContext } from "../http-context.ts";
import { LIMIT, limitOf, PAGING, pageOfList } from "../query.ts";
import { messagesOf, messageView, peekParameters, QUEUED_MESSAGE } from "../queued-message.ts";
import { COUNT, listOf, objectOf, ok, pageOf, pathParameter, TEXT } from "../schemas.ts";

const QUEUE_NAME = pathParameter("queue", "The queue whose messages died");
const DONE = objectOf({ messages: COUNT });

/** Dead letters by the queue in which they died. */
export const DEAD_LETTER_ENDPOINTS: readonly Endpoint[] = [
  {
    id: "listDeadLetterQueues",
    method: "GET",
    path: "/api/v1/dead-letters",
    summary: "Queues that have dead letters",
    tag: "dead letters",
    access: "token",
    parameters: PAGING,
    responses: ok(
      "By the queue's name",
      pageOf(objectOf({ queue: TEXT, deadLetterQueue: TEXT, messages: COUNT, bytes: COUNT })),
    ),
    handle: ({ query }, { hub }) => {
      const buried = hub.queues.list().flatMap((queue) => lettersOf(queue, hub));
      return { status: 200, body: pageOfList(buried, query, (row) => row.queue) };
    },
  },
  {
    id: "peekDeadLetters",
    method: "GET",
    path: "/api/v1/dead-letters/{queue}",
    summary: "Look at a queue's dead letters, and why they died",
    tag: "dead letters",
    access: "token",
    parameters: [QUEUE_NAME, ...peekParameters()],
    responses: ok("Dead letters, oldest first", objectOf({ items: listOf(QUEUED_MESSAGE) })),
    handle: (call, context) => {
      const letters = messagesOf(deadLettersOf(call, context), call.query, context);
      return { status: 200, body: { items: letters.map(messageView(call, context)) } };
    },
  },
  {
    id: "replayDeadLetters",
    method: "POST",
    path: "/api/v1/dead-letters/{queue}/replay",
    summary: "Send dead letters back to the queue in which they died, oldest first",
    tag: "dead letters",
    access: "token",
    parameters: [QUEUE_NAME, LIMIT],
    responses: ok("How many went back; one that the queue does not take stays", DONE),
    handle: async (call, context) => {
      const request = { countMax: limitOf(call.query) };
      return await durably(context.hub, { messages: context.hub.queues.move(deadLettersOf(call, context), request) });
    },
  },
  {
    id: "purgeDeadLetters",
    method: "POST",
    path: "/api/v1/dead-letters/{queue}/purge",
    summary: "Remove a queue's dead letters",
    tag: "dead letters",
    access: "token",
    parameters: [QUEUE_NAME],
    responses: ok("How many are gone", DONE),
    handle: async (call, context) => {
      return await durably(context.hub, { messages: context.hub.queues.purge(deadLettersOf(call, context)) });
    },
  },
];

function lettersOf(
  { name, settings }: QueueInspection,
  hub: HttpContext["hub"],
): readonly {
  readonly queue: string;
  readonly deadLetterQueue: string;
  readonly messages: number;
  readonly bytes: number;
}[] {
  const letters = settings.deadLetter.enabled ? hub.queues.get(settings.deadLetter.queue) : null;
  if (letters === null || letters.depth === 0) return [];
  return [{ queue: name, deadLetterQueue: letters.name, messages: letters.depth, bytes: letters.bytes }];
}

/** @throws {ApiError} 404 */
function deadLettersOf({ path }: ApiCall, { hub }: HttpContext): string {
  const name = path["queue"] ?? "";
  const queue = hub.queues.get(name);
  if (queue === null) throw new ApiError(404, "ERR_QUEUE_NOT_FOUND", `there is no queue ${name}`);
  const letters = queue.settings.deadLetter.queue;
  if (hub.queues.has(letters)) return letters;
  throw new ApiError(404, "ERR_QUEUE_NOT_FOUND", `queue ${name} has no dead letters`);
}
