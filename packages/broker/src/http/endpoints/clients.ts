import type { SessionEntry } from "../../core/session-directory.ts";
import { ApiError } from "../api-error.ts";
import { durably } from "../durably.ts";
import type { ApiCall, Endpoint } from "../endpoint.ts";
import type { HttpContext } from "../http-context.ts";
import { PAGING, pageOfList, wordOf } from "../query.ts";
import {
  COUNT,
  FLAG,
  listOf,
  MAYBE_COUNT,
  MAYBE_TIME,
  objectOf,
  ok,
  oneOf,
  pageOf,
  pathParameter,
  queryParameter,
  TEXT,
} from "../schemas.ts";

const SESSION = objectOf({
  id: TEXT,
  state: oneOf("connected", "disconnected"),
  endsAtMs: MAYBE_TIME,
  expirySeconds: MAYBE_COUNT,
  isStored: FLAG,
  storedDeliveries: COUNT,
  subscriptions: listOf(objectOf({ filter: TEXT, group: { type: ["string", "null"] }, qos: COUNT })),
});
const CONNECTION = objectOf({
  id: TEXT,
  protocol: TEXT,
  protocolVersion: TEXT,
  clientId: TEXT,
  user: TEXT,
  transport: TEXT,
  secure: FLAG,
  remoteAddress: TEXT,
  remotePort: COUNT,
  unsentBytes: COUNT,
});
const SUBSCRIPTION = objectOf({ filter: TEXT, group: { type: ["string", "null"] }, subscriber: TEXT, qos: COUNT });
const DONE = objectOf({ status: oneOf("ok") });

/** Sessions, subscriptions and connections. */
export const CLIENT_ENDPOINTS: readonly Endpoint[] = [
  {
    id: "listSessions",
    method: "GET",
    path: "/api/v1/sessions",
    summary: "Sessions, with and without a connection",
    tag: "clients",
    access: "token",
    parameters: [
      queryParameter("state", "Which sessions", { ...oneOf("all", "connected", "disconnected"), default: "all" }),
      ...PAGING,
    ],
    responses: ok("Sessions by id", pageOf(SESSION)),
    handle: ({ query }, { hub }) => {
      const state = wordOf(query, "state", ["all", "connected", "disconnected"], "all");
      const wanted = hub.sessions.list().filter((entry) => state === "all" || stateOf(entry) === state);
      const page = pageOfList(wanted, query, (entry) => entry.session.id);
      return { status: 200, body: { ...page, items: page.items.map((entry) => sessionView(entry, hub)) } };
    },
  },
  {
    id: "getSession",
    method: "GET",
    path: "/api/v1/sessions/{session}",
    summary: "One session",
    tag: "clients",
    access: "token",
    parameters: [pathParameter("session", "The session's id, which is its client's")],
    responses: ok("The session", SESSION),
    handle: (call, { hub }) => ({ status: 200, body: sessionView(mustFind(call, hub), hub) }),
  },
  {
    id: "deleteSession",
    method: "DELETE",
    path: "/api/v1/sessions/{session}",
    summary: "End a session with all that waits in it; its client is disconnected",
    tag: "clients",
    access: "token",
    parameters: [pathParameter("session", "The session's id")],
    responses: ok("It is gone", DONE),
    handle: async (call, { hub }) => {
      hub.endSession(mustFind(call, hub).session, "removed");
      return await durably(hub, { status: "ok" });
    },
  },
  {
    id: "listSubscriptions",
    method: "GET",
    path: "/api/v1/subscriptions",
    summary: "Subscriptions to topics, of all protocols",
    tag: "clients",
    access: "token",
    parameters: PAGING,
    responses: ok("By filter", pageOf(SUBSCRIPTION)),
    handle: ({ query }, { hub }) => {
      const all = hub.router.subscriptions().map((subscription) => ({
        filter: subscription.filter,
        group: subscription.group,
        subscriber: subscription.subscriber.id,
        qos: subscription.guaranteeMax,
      }));
      const page = pageOfList(
        all,
        query,
        ({ filter, group, subscriber }) => `${filter}\n${subscriber}\n${group ?? ""}`,
      );
      return { status: 200, body: page };
    },
  },
  {
    id: "listConnections",
    method: "GET",
    path: "/api/v1/connections",
    summary: "Clients that are connected",
    tag: "clients",
    access: "token",
    parameters: PAGING,
    responses: ok("Connections by id", pageOf(CONNECTION)),
    handle: ({ query }, { connections }) => ({ status: 200, body: pageOfList(connections(), query, ({ id }) => id) }),
  },
  {
    id: "closeConnection",
    method: "DELETE",
    path: "/api/v1/connections/{connection}",
    summary: "Disconnect a client; its session stays as it asked for",
    tag: "clients",
    access: "token",
    parameters: [pathParameter("connection", "The connection's id")],
    responses: ok("It was told to go", DONE),
    handle: ({ path }, { closeConnection }) => {
      const id = path["connection"] ?? "";
      if (!closeConnection(id)) throw new ApiError(404, "NOT_FOUND", `there is no connection ${id}`);
      return { status: 200, body: { status: "ok" } };
    },
  },
];

function mustFind({ path }: ApiCall, hub: HttpContext["hub"]): SessionEntry {
  const id = path["session"] ?? "";
  const entry = hub.sessions.get(id);
  if (entry === null) throw new ApiError(404, "NOT_FOUND", `there is no session ${id}`);
  return entry;
}

function stateOf({ state }: SessionEntry): "connected" | "disconnected" {
  return state.is === "attached" ? "connected" : "disconnected";
}

function sessionView(entry: SessionEntry, hub: HttpContext["hub"]): Readonly<Record<string, unknown>> {
  const { session, state, expiryMs, stored } = entry;
  const endsAtMs = state.is === "detached" && Number.isFinite(state.endsAtMs) ? Math.floor(state.endsAtMs) : null;
  return {
    id: session.id,
    state: stateOf(entry),
    endsAtMs,
    expirySeconds: Number.isFinite(expiryMs) ? Math.floor(expiryMs / 1000) : null,
    isStored: stored !== null,
    storedDeliveries: stored?.deliveries.size ?? 0,
    subscriptions: hub.router
      .subscriptionsOf(session)
      .map(({ filter, group, guaranteeMax }) => ({ filter, group, qos: guaranteeMax })),
  };
}
