import { describe, expect, test } from "vitest";
import { MessageView } from "../../codec/message-view.ts";
import type { AmqpValue } from "../../codec/values.ts";
import type { ReceivedDelivery } from "../../engine/deliveries.ts";
import { message, type Names, text } from "../../engine/engine.test-support.ts";
import type { SenderLink } from "../../engine/sender-link.ts";
import { type LabServer, quiet, recoveringLab, textOfBytes, until } from "../client-lab.test-support.ts";
import type { RequesterOptions } from "./requester.ts";

/** A server that makes a node for each dynamic source and sends what comes for a node to it. */
function routing(server: LabServer, index = 0): void {
  const nodes = new Map<string, SenderLink<Names>>();
  server.onOffer = (link) => {
    server.links.set(link.name, link);
    const attach = link.state.is === "offered" ? link.state.attach : null;
    const source = attach?.source as { dynamic: boolean; address: string | null } | null;
    if (!link.isSender) {
      link.accept();
      return link.setCredit(100);
    }
    const address = source?.dynamic ? `node-${index}-${nodes.size}` : String(source?.address);
    nodes.set(address, link);
    link.accept({ source: { type: "source", address, dynamic: source?.dynamic ?? false } });
  };
  server.outcome = (delivery: ReceivedDelivery<Names>) => {
    const target = (delivery.link.remote?.target as { address: string | null } | null)?.address ?? null;
    const to = target ?? String(new MessageView(text, delivery.payload).properties?.to);
    nodes.get(to)?.send(delivery.payload as Uint8Array, "m", { settled: false });
    delivery.link.settle(delivery, { type: "accepted" });
  };
}

const ask = (data: string) => message(data);
const answerOf = (view: MessageView): string => textOfBytes(view.data);

async function requesting(options: RequesterOptions = {}) {
  const made = await recoveringLab({}, routing);
  const session = await made.connection.createSession();
  const responder = await session.createResponder("service", async (request) => {
    const data = answerOf(request);
    if (data === "silence") return null;
    if (data === "fail") throw new Error("no");
    return ask(`answer to ${data}`);
  });
  const requester = await session.createRequester("service", options);
  return { ...made, session, responder, requester };
}

describe("request", () => {
  test("resolves with the answer that carries its message-id, over a dynamic node", async () => {
    const { requester, responder, connection } = await requesting();
    expect([requester.replyTo, responder.address]).toEqual(["node-0-1", "service"]);
    const answers = await Promise.all(["a", "b", "c"].map((data) => requester.request(ask(data))));
    expect(answers.map(answerOf)).toEqual(["answer to a", "answer to b", "answer to c"]);
    expect(requester.openRequests).toBe(0);
    await requester.close();
    await responder.close();
    await connection.close();
  });

  test("without an answer in time is ERR_TIMEOUT, and a signal gives up before", async () => {
    const { requester, connection } = await requesting();
    await expect(requester.request(ask("silence"), { timeoutMs: 1 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    const abort = new AbortController();
    const asking = requester.request(ask("silence"), { signal: abort.signal });
    await quiet();
    abort.abort();
    await expect(asking).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(requester.openRequests).toBe(0);
    expect(answerOf(await requester.request(ask("x")))).toBe("answer to x");
    await connection.close();
  });

  test("rejects when the connection is lost before the answer, and asks again over a new node", async () => {
    const { requester, connection, servers } = await requesting({ timeoutMs: 0 });
    const asking = requester.request(ask("silence"));
    await until(() => servers[0]?.deliveries.length === 1);
    servers[0]?.transport.destroy();
    await expect(asking).rejects.toMatchObject({ code: "ERR_CONNECTION_LOST" });
    await expect(requester.request(ask("x"))).rejects.toMatchObject({ code: "ERR_NOT_CONNECTED" });
    await until(() => connection.state === "open");
    expect(requester.replyTo).toBe("node-1-1");
    expect(answerOf(await requester.request(ask("x")))).toBe("answer to x");
    await connection.close();
  });

  test("beyond requestsMax is refused, and closing rejects what is open", async () => {
    const { requester, connection } = await requesting({ requestsMax: 1 });
    const asking = requester.request(ask("silence"));
    await expect(requester.request(ask("x"))).rejects.toMatchObject({ code: "ERR_OUTBOUND_BACKPRESSURE" });
    const closing = requester.close();
    await expect(asking).rejects.toMatchObject({ code: "ERR_LINK_DETACHED" });
    await closing;
    await connection.close();
  });
});

describe("a responder", () => {
  test("that is closed answers and accepts what it is at work on, and gives back what it has not begun", async () => {
    const { connection, servers } = await recoveringLab({}, routing);
    const outcomes: unknown[] = [];
    const server = servers[0] as LabServer;
    server.onOutcome = ({ item }, state) => outcomes.push([item, (state as { type: string } | null)?.type]);
    const session = await connection.createSession();
    let finish = (): void => undefined;
    const responder = await session.createResponder("work", () => {
      return new Promise((resolve) => {
        finish = () => resolve(ask("done"));
      });
    });
    const replies = await session.createReceiver(null, { source: { dynamic: true } });
    const to = server.engine.sessions[0]?.links.find((link) => link.isSender) as SenderLink<Names>;
    for (const item of ["begun", "not begun"]) {
      to.send({ ...message(item), properties: { messageId: item, replyTo: replies.address } }, item, {
        settled: false,
      });
    }
    server.push();
    await quiet();
    let isOver = false;
    const closing = responder.close().then(() => {
      isOver = true;
    });
    await until(() => outcomes.length === 1);
    await quiet();
    expect([outcomes, isOver]).toEqual([[["not begun", "released"]], false]);
    finish();
    await closing;
    expect(answerOf((await replies.receive()).message)).toBe("done");
    expect(outcomes).toEqual([
      ["not begun", "released"],
      ["begun", "accepted"],
    ]);
    await connection.close();
  });

  test("rejects requests whose handler fails, with its text, and goes on", async () => {
    const { connection, servers, requester } = await requesting({ timeoutMs: 1 });
    const outcomes: unknown[] = [];
    (servers[0] as LabServer).onOutcome = (_delivery, state) => void outcomes.push(state);
    await expect(requester.request(ask("fail"))).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await until(() => outcomes.length === 1);
    expect(outcomes).toMatchObject([{ type: "rejected", error: { description: "no" } }]);
    expect(answerOf(await requester.request(ask("x"), { timeoutMs: 0 }))).toBe("answer to x");
    await connection.close();
  });

  test("answers with the correlation-id of a request that has one, and accepts one that wants no answer", async () => {
    const { connection, servers, session } = await requesting();
    const sender = await session.createSender("service");
    const replies = await session.createReceiver(null, { source: { dynamic: true } });
    const correlationId: AmqpValue = "mine";
    await sender.send({ ...ask("q"), properties: { messageId: "other", correlationId, replyTo: replies.address } });
    expect((await replies.receive()).message.properties?.correlationId).toBe("mine");
    const outcomes: unknown[] = [];
    (servers[0] as LabServer).onOutcome = (_delivery, state) => void outcomes.push(state);
    await sender.send(ask("no reply-to"));
    await until(() => outcomes.length > 0);
    expect(outcomes).toEqual([{ type: "accepted" }]);
    await connection.close();
  });
});
