import { describe, expect, test } from "vitest";
import { type LabServer, recoveringLab, until } from "../client/client-lab.test-support.ts";
import { MessageView } from "../codec/message-view.ts";
import { AmqpMap, type AmqpValue } from "../codec/values.ts";
import { type Names, text } from "../engine/engine.test-support.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import { RabbitmqManagement } from "./management.ts";

/** A request as the server got it. */
interface Asked {
  readonly verb: string;
  readonly path: string;
  readonly body: AmqpValue;
}

/** Answers of the management node, in turn: a status and a body. */
async function managed(answers: readonly [string, AmqpValue][]) {
  const asked: Asked[] = [];
  const left = [...answers];
  const { connection, servers } = await recoveringLab({}, (server: LabServer) => {
    server.outcome = (delivery) => {
      const { properties, body } = new MessageView(text, delivery.payload);
      const { subject, to, messageId, replyTo } = properties ?? {};
      expect(replyTo).toBe("$me");
      const value = body?.type === "value" ? body.value : null;
      asked.push({ verb: String(subject), path: String(to), body: value });
      const [status, answer] = left.shift() ?? ["204", null];
      const link = [...server.links.values()].find((each) => each.isSender) as SenderLink<Names>;
      const answered = { subject: status, correlationId: messageId ?? null };
      link.send({ properties: answered, body: { type: "value", value: answer } }, "m", { settled: true });
    };
    // Both links have one name: the labs' table knows the last, which is enough with its direction.
    server.onOffer = (each) => {
      server.links.set(`${each.name}-${each.isSender}`, each);
      each.accept();
      if (!each.isSender) each.setCredit(100);
    };
  });
  return { connection, servers, asked, management: await RabbitmqManagement.open(connection) };
}

const INFO = new AmqpMap([
  ["name", "q"],
  ["type", "quorum"],
  ["durable", true],
  ["message_count", 3],
  ["consumer_count", 1],
]);

describe("the management of RabbitMQ 4", () => {
  test("is a pair of links of one name, paired, settled, to /management", async () => {
    const { connection, servers, management } = await managed([]);
    const attaches = [...(servers[0]?.links.values() ?? [])].map((link) => ({ name: link.name, ...link.remote }));
    expect(attaches).toHaveLength(2);
    for (const attach of attaches) {
      expect(attach).toMatchObject({ name: "management-link-pair", sndSettleMode: 1 });
      expect(attach.properties?.get("paired")).toBe(true);
    }
    expect(attaches.map((attach) => (attach.target as { address: string }).address)).toEqual([
      "/management",
      "/management",
    ]);
    expect((attaches[0]?.source as { address: string } | undefined)?.address).toBe("/management");
    await management.close();
    await connection.close();
  });

  test("declares, describes, purges and deletes queues", async () => {
    const counted = new AmqpMap([["message_count", 5]]);
    const { connection, asked, management } = await managed([
      ["201", INFO],
      ["200", INFO],
      ["200", counted],
      ["200", counted],
    ]);
    const info = await management.declareQueue("a/b %", { type: "quorum", arguments: { "x-max-length": 9 } });
    expect(info).toMatchObject({ name: "q", type: "quorum", durable: true, messageCount: 3, consumerCount: 1 });
    await management.queueInfo("q");
    expect([await management.purgeQueue("q"), await management.deleteQueue("q")]).toEqual([5, 5]);
    expect(asked.map(({ verb, path }) => `${verb} ${path}`)).toEqual([
      "PUT /queues/a%2Fb%20%25",
      "GET /queues/q",
      "DELETE /queues/q/messages",
      "DELETE /queues/q",
    ]);
    const body = asked[0]?.body as AmqpMap;
    expect([...body].filter(([key]) => key !== "arguments")).toEqual([
      ["durable", true],
      ["exclusive", false],
      ["auto_delete", false],
    ]);
    expect([...(body.get("arguments") as AmqpMap)]).toEqual([
      ["x-queue-type", "quorum"],
      ["x-max-length", 9],
    ]);
    await connection.close();
  });

  test("declares and deletes exchanges, binds and unbinds, and gives a new token", async () => {
    const bindings = [
      new AmqpMap([
        ["arguments", new AmqpMap([["a", 2]])],
        ["location", "/bindings/other"],
      ]),
      new AmqpMap([
        ["arguments", new AmqpMap([["a", 1]])],
        ["location", "/bindings/this"],
      ]),
    ];
    const { connection, asked, management } = await managed([
      ["204", null],
      ["204", null],
      ["204", null],
      ["200", bindings],
    ]);
    await management.declareExchange("x", { type: "topic" });
    await management.bind({ source: "x", queue: "q", key: "a.#" });
    await management.unbind({ source: "x", queue: "q", key: "a.#" });
    await management.unbind({ source: "x", exchange: "y", arguments: { a: 1 } });
    await management.deleteExchange("x");
    await management.refreshToken("jwt");
    expect(asked.map(({ verb, path }) => `${verb} ${path}`)).toEqual([
      "PUT /exchanges/x",
      "POST /bindings",
      "DELETE /bindings/src=x;dstq=q;key=a.%23;args=",
      "GET /bindings?src=x&dste=y&key=",
      "DELETE /bindings/this",
      "DELETE /exchanges/x",
      "PUT /auth/tokens",
    ]);
    const bound = asked[1]?.body as AmqpMap | undefined;
    expect(bound?.get("destination_queue")).toBe("q");
    expect(asked[6]?.body).toEqual(new TextEncoder().encode("jwt"));
    await connection.close();
  });

  test.each([
    ["400", "ERR_INVALID_ARGUMENT"],
    ["403", "ERR_PUBLISH_REJECTED"],
    ["404", "ERR_QUEUE_NOT_FOUND"],
    ["409", "ERR_QUEUE_EXISTS"],
    ["503", "ERR_PUBLISH_REJECTED"],
  ])("%s is %s with the server's text", async (status, code) => {
    const { connection, management } = await managed([[status, "what is wrong"]]);
    await expect(management.declareQueue("q")).rejects.toMatchObject({
      code,
      peer: { code: Number(status), text: "what is wrong" },
    });
    await connection.close();
  });

  test("goes on after a reconnect", async () => {
    const { connection, servers, management } = await managed([["200", INFO]]);
    servers[0]?.transport.destroy();
    await until(() => servers.length === 2 && connection.state === "open");
    expect((await management.queueInfo("q")).name).toBe("q");
    await connection.close();
  });
});
