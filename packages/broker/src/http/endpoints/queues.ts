import { OptionReader } from "../../base/option-reader.ts";
import type { QueueInspection } from "../../core/queues/queue-inspection.ts";
import { ApiError } from "../api-error.ts";
import { durably } from "../durably.ts";
import type { ApiCall, ApiReply, Endpoint } from "../endpoint.ts";
import type { HttpContext } from "../http-context.ts";
import { LIMIT, limitOf, PAGING, pageOfList } from "../query.ts";
import { GROUP, groupView, QUEUE, queueView } from "../queue-view.ts";
import { messagesOf, messageView, peekParameters, QUEUED_MESSAGE } from "../queued-message.ts";
import { COUNT, FLAG, listOf, objectOf, ok, oneOf, pageOf, pathParameter, queryParameter, TEXT } from "../schemas.ts";

const QUEUE_NAME = pathParameter("queue", "The queue's name, percent-encoded where it holds a slash");
const REMOVED = objectOf({ messages: COUNT });

/** Queues: what there is, and what an operator does with them. */
export const QUEUE_ENDPOINTS: readonly Endpoint[] = [
  {
    id: "listQueues",
    method: "GET",
    path: "/api/v1/queues",
    summary: "All queues, dead-letter queues included",
    tag: "queues",
    access: "token",
    parameters: PAGING,
    responses: ok("Queues by name", pageOf(QUEUE)),
    handle: ({ query }, { hub }) => {
      const page = pageOfList(hub.queues.list(), query, (queue) => queue.name);
      return { status: 200, body: { ...page, items: page.items.map(queueView) } };
    },
  },
  {
    id: "declareQueue",
    method: "POST",
    path: "/api/v1/queues",
    summary: "Make a queue, or see that it is as it should be",
    tag: "queues",
    access: "token",
    body: {
      type: "object",
      required: ["name"],
      properties: { name: TEXT },
      description: "The fields of `QueueDefinition` in @polymq/broker",
    },
    responses: {
      200: { description: "It exists already, with these settings", schema: QUEUE },
      201: { description: "It was made, and is stored as configured", schema: QUEUE },
    },
    handle: declareQueue,
  },
  {
    id: "getQueue",
    method: "GET",
    path: "/api/v1/queues/{queue}",
    summary: "One queue",
    tag: "queues",
    access: "token",
    parameters: [QUEUE_NAME],
    responses: ok("The queue", QUEUE),
    handle: (call, context) => ({ status: 200, body: queueView(mustFind(call, context)) }),
  },
  {
    id: "deleteQueue",
    method: "DELETE",
    path: "/api/v1/queues/{queue}",
    summary: "Delete a queue with all it holds",
    tag: "queues",
    access: "token",
    parameters: [
      QUEUE_NAME,
      queryParameter("if_unused", "Only without consumers", { ...FLAG, default: false }),
      queryParameter("if_empty", "Only without messages", { ...FLAG, default: false }),
    ],
    responses: ok("It is gone; how many messages it held", REMOVED),
    handle: async ({ path, query }, { hub }) => {
      const conditions = { ifUnused: query.get("if_unused") === "true", ifEmpty: query.get("if_empty") === "true" };
      const messages = hub.queues.delete(path["queue"] ?? "", conditions);
      return await durably(hub, { messages });
    },
  },
  {
    id: "listGroups",
    method: "GET",
    path: "/api/v1/queues/{queue}/groups",
    summary: "A queue's consumer groups",
    tag: "queues",
    access: "token",
    parameters: [QUEUE_NAME],
    responses: ok("The groups", objectOf({ items: listOf(GROUP) })),
    handle: (call, context) => ({ status: 200, body: { items: mustFind(call, context).groups.map(groupView) } }),
  },
  {
    id: "deleteGroup",
    method: "DELETE",
    path: "/api/v1/queues/{queue}/groups/{group}",
    summary: "Delete a group; what only this group had still to settle is gone",
    tag: "queues",
    access: "token",
    parameters: [QUEUE_NAME, pathParameter("group", "The group's id, such as `workers` or `workers@eu/#`")],
    responses: ok("It is gone", objectOf({ status: oneOf("ok") })),
    handle: async ({ path }, { hub }) => {
      hub.queues.deleteGroup(path["queue"] ?? "", path["group"] ?? "");
      return await durably(hub, { status: "ok" });
    },
  },
  {
    id: "peekMessages",
    method: "GET",
    path: "/api/v1/queues/{queue}/messages",
    summary: "Look at messages that somebody has still to settle, without taking them",
    tag: "queues",
    access: "token",
    parameters: [QUEUE_NAME, ...peekParameters()],
    responses: ok(
      "Messages by offset; fewer than asked for when they are large",
      objectOf({ items: listOf(QUEUED_MESSAGE) }),
    ),
    handle: (call, context) => {
      const name = call.path["queue"] ?? "";
      return { status: 200, body: { items: messagesOf(name, call.query, context).map(messageView(call, context)) } };
    },
  },
  {
    id: "purgeQueue",
    method: "POST",
    path: "/api/v1/queues/{queue}/purge",
    summary: "Remove all messages that nobody works on",
    tag: "queues",
    access: "token",
    parameters: [QUEUE_NAME],
    responses: ok("How many are gone", REMOVED),
    handle: async ({ path }, { hub }) => await durably(hub, { messages: hub.queues.purge(path["queue"] ?? "") }),
  },
  {
    id: "moveMessages",
    method: "POST",
    path: "/api/v1/queues/{queue}/move",
    summary: "Move messages that nobody works on to another queue, oldest first",
    tag: "queues",
    access: "token",
    parameters: [QUEUE_NAME, LIMIT],
    body: objectOf({ to: TEXT }),
    responses: ok("How many were moved; one that the other queue does not take stays", REMOVED),
    handle: moveMessages,
  },
];

async function declareQueue({ body }: ApiCall, { hub, readQueue }: HttpContext): Promise<ApiReply> {
  const { is, queue } = hub.queues.declare(readQueue(body));
  const reply = await durably(hub, queueView(queue));
  return { ...reply, status: is === "created" ? 201 : 200 };
}

async function moveMessages({ path, query, body }: ApiCall, { hub }: HttpContext): Promise<ApiReply> {
  const reader = new OptionReader(body, "");
  const to = reader.text("to");
  reader.done();
  if (to === null) throw new ApiError(400, "ERR_INVALID_OPTIONS", "to: is required");
  if (!hub.queues.has(to)) throw new ApiError(404, "ERR_QUEUE_NOT_FOUND", `there is no queue ${to}`);
  return await durably(hub, { messages: hub.queues.move(path["queue"] ?? "", { to, countMax: limitOf(query) }) });
}

function mustFind({ path }: ApiCall, { hub }: HttpContext): QueueInspection {
  const name = path["queue"] ?? "";
  const queue = hub.queues.get(name);
  if (queue === null) throw new ApiError(404, "ERR_QUEUE_NOT_FOUND", `there is no queue ${name}`);
  return queue;
}
