import { describe, expect, test } from "vitest";
import type { Names } from "../engine/engine.test-support.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import { type Lab, type LabServer, lab, quiet, until } from "./client-lab.test-support.ts";
import type { AmqpSession } from "./session.ts";
import type { AmqpTransaction } from "./transactions/transaction.ts";

/** A wait: what is called with a signal, and how far the server has to be before it is disturbed. */
interface Wait {
  readonly name: string;
  /** False for a wait that takes no signal. */
  readonly abortable: boolean;
  /** Prepares links, and gives the call. */
  prepare(made: Lab, session: AmqpSession): Promise<(signal?: AbortSignal) => Promise<unknown>>;
  /** True when the call waits for the server. */
  under(server: LabServer): boolean;
  /** What it ends with otherwise than most, by the event's code; null: it resolves. Undefined: the event is no matter of this wait. */
  readonly otherwise?: Readonly<Record<string, string | null | undefined>>;
}

const within = (signal?: AbortSignal) => (signal === undefined ? {} : { signal });
const offered = (server: LabServer): boolean => server.told.some((line) => line.startsWith("attach "));
const delivered = (server: LabServer): boolean => server.deliveries.length > 0;
const always = (): boolean => true;

/** Attaches of which the server says nothing, from now on. */
function muteAttaches(server: LabServer): void {
  server.told.length = 0;
  server.onOffer = (link) => void server.links.set("muted", link);
}

/** Frames that come from now on are read no more. */
function deafen(server: LabServer): void {
  server.onBytes = () => {};
}

/** Links and sessions that are being ended: whatever ends them ends the wait in order. */
const ENDING = {
  ERR_CONNECTION_LOST: null,
  ERR_LINK_DETACHED: null,
  ERR_SESSION_ENDED: null,
  ERR_SERVER_DISCONNECT: null,
  ERR_CLIENT_CLOSED: null,
} as const;

const UNKNOWN = "ERR_TRANSACTION_UNKNOWN";

/** A transaction of which the server says nothing more. */
async function transactionOf({ server }: Lab, session: AmqpSession): Promise<AmqpTransaction> {
  server.outcome = (delivery) =>
    void delivery.link.settle(delivery, { type: "declared", txnId: Uint8Array.of(1) } as never);
  const transaction = await (await session.createCoordinator()).begin();
  deafen(server);
  return transaction;
}

const WAITS: readonly Wait[] = [
  {
    name: "createSession",
    abortable: true,
    prepare: async ({ connection, server }) => {
      deafen(server);
      return (signal) => connection.createSession(within(signal));
    },
    under: always,
    otherwise: { ERR_LINK_DETACHED: undefined, ERR_SESSION_ENDED: undefined },
  },
  {
    name: "createRelay",
    abortable: true,
    prepare: async ({ server }, session) => {
      muteAttaches(server);
      return (signal) => session.createRelay({ mode: "anonymous", ...within(signal) });
    },
    under: offered,
  },
  {
    name: "createRequester",
    abortable: true,
    prepare: async ({ server }, session) => {
      muteAttaches(server);
      return (signal) => session.createRequester("q", within(signal));
    },
    under: offered,
  },
  {
    name: "createCoordinator",
    abortable: true,
    prepare: async ({ server }, session) => {
      muteAttaches(server);
      return (signal) => session.createCoordinator(within(signal));
    },
    under: offered,
  },
  {
    name: "a request without an answer",
    abortable: true,
    prepare: async (_made, session) => {
      const requester = await session.createRequester("q", { timeoutMs: 0 });
      return (signal) => requester.request({ body: { type: "value", value: "x" } }, within(signal));
    },
    under: delivered,
  },
  {
    name: "a commit",
    abortable: true,
    prepare: async (made, session) => {
      const transaction = await transactionOf(made, session);
      return (signal) => transaction.commit(within(signal));
    },
    under: always,
    otherwise: {
      ERR_CONNECTION_LOST: UNKNOWN,
      ERR_LINK_DETACHED: UNKNOWN,
      ERR_SESSION_ENDED: UNKNOWN,
      ERR_SERVER_DISCONNECT: UNKNOWN,
      ERR_CLIENT_CLOSED: UNKNOWN,
    },
  },
  {
    name: "a rollback",
    abortable: true,
    prepare: async (made, session) => {
      const transaction = await transactionOf(made, session);
      return (signal) => transaction.rollback(within(signal));
    },
    under: always,
    otherwise: ENDING,
  },
  {
    name: "the close of a link",
    abortable: true,
    prepare: async ({ server }, session) => {
      const receiver = await session.createReceiver("q");
      deafen(server);
      return (signal) => receiver.close(within(signal));
    },
    under: always,
    otherwise: ENDING,
  },
  {
    name: "the close of a session",
    abortable: true,
    prepare: async ({ server }, session) => {
      await session.createReceiver("q");
      deafen(server);
      return (signal) => session.close(within(signal));
    },
    under: always,
    otherwise: { ...ENDING, ERR_LINK_DETACHED: undefined },
  },
  {
    name: "the close of a connection",
    abortable: true,
    prepare: async ({ connection, server }, session) => {
      await session.createReceiver("q");
      deafen(server);
      return (signal) => connection.close(within(signal));
    },
    under: always,
    otherwise: { ...ENDING, ERR_LINK_DETACHED: undefined, ERR_SESSION_ENDED: undefined },
  },
  {
    name: "publishToQueue without an outcome",
    abortable: true,
    prepare: async ({ connection, server }) => {
      server.outcome = null;
      return (signal) => connection.publishToQueue("q", "x", within(signal));
    },
    under: delivered,
    // Its session is one of its own.
    otherwise: { ERR_SESSION_ENDED: undefined },
  },
  {
    name: "subscribeToQueue",
    abortable: true,
    prepare: async ({ connection, server }) => {
      muteAttaches(server);
      return (signal) => connection.subscribeToQueue("q", "g", within(signal));
    },
    under: offered,
    otherwise: { ERR_SESSION_ENDED: undefined, ERR_LINK_DETACHED: undefined },
  },
  {
    name: "a queue's next message",
    abortable: false,
    prepare: async ({ connection }) => {
      const messages = (await connection.subscribeToQueue("q", "g"))[Symbol.asyncIterator]();
      return () => messages.next();
    },
    under: always,
    otherwise: { ERR_SESSION_ENDED: undefined },
  },
  {
    name: "createSender",
    abortable: true,
    prepare: async ({ server }, session) => {
      muteAttaches(server);
      return (signal) => session.createSender("q", within(signal));
    },
    under: offered,
  },
  {
    name: "createReceiver",
    abortable: true,
    prepare: async ({ server }, session) => {
      muteAttaches(server);
      return (signal) => session.createReceiver("q", within(signal));
    },
    under: offered,
  },
  {
    name: "send without credit",
    abortable: true,
    prepare: async ({ server }, session) => {
      server.credit = 0;
      const sender = await session.createSender("q");
      return (signal) => sender.send("x", within(signal));
    },
    under: always,
  },
  {
    name: "send without an outcome",
    abortable: true,
    prepare: async ({ server }, session) => {
      server.outcome = null;
      const sender = await session.createSender("q");
      return (signal) => sender.send("x", within(signal));
    },
    under: delivered,
  },
  {
    name: "sendWithReceipt without credit",
    abortable: true,
    prepare: async ({ server }, session) => {
      server.credit = 0;
      const sender = await session.createSender("q");
      return (signal) => sender.sendWithReceipt("x", within(signal));
    },
    under: always,
  },
  {
    name: "a receipt's wait",
    abortable: true,
    prepare: async ({ server }, session) => {
      server.outcome = null;
      const receipt = await (await session.createSender("q")).sendWithReceipt("x");
      return (signal) => receipt.wait(within(signal));
    },
    under: delivered,
  },
  {
    name: "a relay's send",
    abortable: true,
    prepare: async ({ server }, session) => {
      server.outcome = null;
      const relay = await session.createRelay();
      return (signal) => relay.send("q", "x", within(signal));
    },
    under: delivered,
  },
  {
    name: "receive",
    abortable: true,
    prepare: async (_made, session) => {
      const receiver = await session.createReceiver("q");
      return (signal) => receiver.receive({ signal });
    },
    under: always,
  },
  {
    name: "receive of a batch",
    abortable: true,
    prepare: async (_made, session) => {
      const receiver = await session.createReceiver("q");
      return (signal) => receiver.receive({ max: 5, signal });
    },
    under: always,
  },
  {
    name: "an iterator's next",
    abortable: false,
    prepare: async (_made, session) => {
      const messages = (await session.createReceiver("q"))[Symbol.asyncIterator]();
      return () => messages.next();
    },
    under: always,
  },
  {
    name: "drainCredit",
    abortable: true,
    prepare: async ({ server }, session) => {
      const receiver = await session.createReceiver("q", { credit: "manual" });
      receiver.issueCredit(5);
      await until(() => server.link().credit === 5);
      // Frames that come are read no more: the drain has no answer.
      return (signal) => {
        server.onBytes = () => {};
        return receiver.drainCredit(within(signal));
      };
    },
    under: always,
  },
  {
    name: "accept in mode second",
    abortable: false,
    prepare: async ({ server }, session) => {
      server.settlesSeconds = false;
      server.onOffer = (link) => {
        server.links.set(link.name, link);
        link.accept({ rcvSettleMode: 1 });
      };
      const receiver = await session.createReceiver("q", { settlementMode: "second" });
      await until(() => (server.link() as SenderLink<Names>).credit > 0);
      server.deliver(["x"]);
      const delivery = await receiver.receive();
      return () => delivery.accept();
    },
    under: (server) => server.outcomes.length > 0,
  },
  {
    name: "a coordinator's begin",
    abortable: true,
    prepare: async ({ server }, session) => {
      server.outcome = null;
      const coordinator = await session.createCoordinator();
      return (signal) => coordinator.begin(within(signal));
    },
    under: delivered,
  },
];

/** What can happen meanwhile, and the code of the error that it ends a wait with. */
const EVENTS: readonly [string, string, (made: Lab, abort: AbortController) => void][] = [
  ["its signal fires", "ERR_ABORTED", (_made, abort) => abort.abort()],
  ["the connection breaks", "ERR_CONNECTION_LOST", ({ server }) => server.transport.destroy()],
  [
    "the server detaches",
    "ERR_LINK_DETACHED",
    ({ server }) => end(server, () => server.link().detach({ closed: true })),
  ],
  [
    "the server ends the session",
    "ERR_SESSION_ENDED",
    ({ server }) => end(server, () => server.engine.sessions[0]?.end()),
  ],
  ["the server closes", "ERR_SERVER_DISCONNECT", ({ server }) => end(server, () => server.engine.close())],
  ["we cut the connection", "ERR_CLIENT_CLOSED", ({ connection }) => connection.destroy()],
];

function end(server: LabServer, how: () => void): void {
  how();
  server.push();
}

/** Timers that run. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((each) => each === "Timeout").length;
}

describe.each(WAITS)("$name (S13)", ({ name, abortable, prepare, under, otherwise = {} }) => {
  const possible = EVENTS.filter(
    ([event, code]) =>
      !(code in otherwise && otherwise[code] === undefined) &&
      (abortable || event !== "its signal fires") &&
      // A link that is not attached yet cannot be detached; it is refused, which has tests of its own.
      (!name.startsWith("create") || event !== "the server detaches"),
  );

  test.each(possible)("ends as documented once %s: %s", async (_event, code, happens) => {
    const before = timers();
    const made = await lab();
    const session = await made.connection.createSession();
    const call = await prepare(made, session);
    const abort = new AbortController();
    let settled = 0;
    const waiting = call(abortable ? abort.signal : undefined).then(
      () => {
        settled++;
        return null;
      },
      (error: { code: string }) => {
        settled++;
        return error.code;
      },
    );
    await until(() => under(made.server));
    expect(settled).toBe(0);
    happens(made, abort);
    expect(await waiting).toBe(otherwise[code] === undefined ? code : otherwise[code]);
    expect(settled).toBe(1);
    made.connection.destroy();
    await quiet();
    expect(timers()).toBeLessThanOrEqual(before);
  });
});

describe("a sender that has no credit", () => {
  test("keeps 100,000 messages at most as its bounds say, in order, and throws nothing (S8)", async () => {
    const { connection, server } = await lab({}, {}, (each) => {
      each.credit = 0;
    });
    const session = await connection.createSession();
    const sender = await session.createSender("q", { waitingMessagesMax: 50_000 });
    const results = Array.from({ length: 100_000 }, (_, i) =>
      sender.send(`${i}`).then(
        () => "accepted",
        (error: { code: string }) => error.code,
      ),
    );
    expect([sender.waitingMessages, sender.pendingMessages]).toEqual([50_000, 50_000]);
    const link = server.link();
    server.deliveries.length = 0;
    const ids: number[] = [];
    server.onMessage = (delivery) => {
      ids.push(delivery.id);
      delivery.link.settle(delivery, { type: "accepted" });
    };
    if (!link.isSender) link.setCredit(100_000);
    server.push();
    const all = await Promise.all(results);
    expect(all.filter((each) => each === "accepted")).toHaveLength(50_000);
    expect(all.slice(50_000).every((each) => each === "ERR_OUTBOUND_BACKPRESSURE")).toBe(true);
    expect(ids.every((id, i) => id === i)).toBe(true);
    expect(sender.pendingMessages).toBe(0);
    await connection.close();
  });
});
