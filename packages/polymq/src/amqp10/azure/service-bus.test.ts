import { describe, expect, test } from "vitest";
import { type LabServer, recoveringLab, until } from "../client/client-lab.test-support.ts";
import type { AmqpDelivery } from "../client/delivery.ts";
import { MessageView } from "../codec/message-view.ts";
import { Described, symbol, typed } from "../codec/values.ts";
import { message, type Names, text } from "../engine/engine.test-support.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import {
  abandon,
  azureWebSocketUrl,
  BATCH_FORMAT,
  batchOf,
  complete,
  deadLetter,
  defer,
  eventPositionFilter,
  lockTokenOf,
  sessionFilter,
  sessionIdOf,
} from "./service-bus.ts";

describe("Service Bus", () => {
  test("complete, abandon, defer and deadLetter are its outcomes", async () => {
    const states: unknown[] = [];
    const { connection, servers } = await recoveringLab({}, (server: LabServer) => {
      server.onOutcome = (_delivery, state) => void states.push(state);
    });
    const receiver = await (await connection.createSession()).createReceiver("q");
    const link = servers[0]?.link() as SenderLink<Names>;
    await until(() => link.credit > 0);
    const tag = Uint8Array.of(3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15);
    link.send(message("0"), "0", { tag });
    for (let i = 1; i < 4; i++) link.send(message(`${i}`), `${i}`);
    servers[0]?.push();
    const [a, b, c, d] = (await receiver.receive({ max: 4 })) as [
      AmqpDelivery,
      AmqpDelivery,
      AmqpDelivery,
      AmqpDelivery,
    ];
    expect(lockTokenOf(a)).toBe("00010203-0405-0607-0809-0a0b0c0d0e0f");
    expect(() => lockTokenOf(b)).toThrow(expect.objectContaining({ code: "ERR_INVALID_MESSAGE" }));
    await Promise.all([
      complete(a),
      abandon(b, { tries: 1 }),
      defer(c),
      deadLetter(d, { reason: "r", description: "t" }),
    ]);
    await until(() => states.length === 4);
    expect(states).toMatchObject([
      { type: "accepted" },
      { type: "modified", undeliverableHere: false },
      { type: "modified", undeliverableHere: true },
      { type: "rejected", error: { condition: "com.microsoft:dead-letter" } },
    ]);
    const { info } = (states[3] as { error: { info: Map<unknown, unknown> } }).error;
    expect([info.get("DeadLetterReason"), info.get("DeadLetterErrorDescription")]).toEqual(["r", "t"]);
    await connection.close();
  });

  test("a session is asked for by filter, and the one that was given is told", async () => {
    const { connection, servers } = await recoveringLab({}, (server: LabServer) => {
      server.onOffer = (link) => {
        server.links.set(link.name, link);
        const filter = new Map([[symbol("com.microsoft:session-filter"), "session-7"]]);
        link.accept({ source: { type: "source", address: "q", filter } });
      };
    });
    const session = await connection.createSession();
    const receiver = await session.createReceiver("q", { source: { filters: [sessionFilter(null)] } });
    const asked = servers[0]?.link().remote?.source as { filter: Map<unknown, unknown> } | undefined;
    expect(asked?.filter.get("com.microsoft:session-filter")).toEqual(
      new Described(typed("ulong", 0x137000000c), null),
    );
    expect(sessionIdOf(receiver)).toBe("session-7");
    await connection.close();
  });

  test("a batch holds whole messages as its data sections", () => {
    const { body } = batchOf([message("a"), message("b")]);
    const data = body.type === "data" ? (body.data as readonly Uint8Array[]) : [];
    expect(data.map((each) => new TextDecoder().decode(new MessageView(text, each).data ?? undefined))).toEqual([
      "a",
      "b",
    ]);
    expect(BATCH_FORMAT).toBe(2_147_563_264);
  });

  test("positions of an event hub are selectors", () => {
    expect(eventPositionFilter({ offset: "12" }).value).toBe("amqp.annotation.x-opt-offset > '12'");
    expect(eventPositionFilter({ sequenceNumber: 5n, inclusive: true }).value).toBe(
      "amqp.annotation.x-opt-sequence-number >= '5'",
    );
    expect(eventPositionFilter({ enqueuedAtMs: 7 }).value).toBe("amqp.annotation.x-opt-enqueued-time > '7'");
    expect(azureWebSocketUrl("ns.example")).toBe("wss://ns.example:443/$servicebus/websocket");
  });
});
