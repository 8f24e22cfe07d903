import { connect, saslAnonymous } from "polymq/amqp10";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type ProtonBroker, startProtonBroker } from "../harness/start-proton-broker.ts";
import { brokerScenarios, next, transactionScenario } from "./amqp10-broker.test-support.ts";

const tools = requireOrSkip("python:proton");

describe.skipIf(tools.skip)(tools.title("the AMQP 1.0 client and Qpid Proton as a broker"), () => {
  let broker: ProtonBroker;

  beforeAll(async () => {
    broker = await startProtonBroker();
  });

  afterAll(async () => {
    await broker?.stop();
  });

  brokerScenarios(() => ({ url: broker.url, address: (name) => name }));

  test("SASL ANONYMOUS lets us in", async () => {
    const connection = await connect(broker.url, { sasl: saslAnonymous() });
    expect(connection.state).toBe("open");
    await connection.close();
  });

  test("a rejected message is ERR_PUBLISH_REJECTED", async () => {
    const connection = await connect(broker.url);
    const sender = await (await connection.createSession()).createSender("rejecting");
    const message = { properties: { subject: "reject me" }, body: { type: "value", value: "x" } } as const;
    await expect(sender.send(message)).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    expect(await sender.send("fine")).toEqual({ type: "accepted" });
    await connection.close();
  });

  test("draining gets what is there and takes the rest of the credit back", async () => {
    const connection = await connect(broker.url);
    const session = await connection.createSession();
    await (await session.createSender("draining")).send("x");
    const receiver = await session.createReceiver("draining", { credit: "manual" });
    receiver.issueCredit(10);
    await receiver.drainCredit({ signal: AbortSignal.timeout(10_000) });
    expect([receiver.bufferedMessages, receiver.availableCredit]).toEqual([1, 0]);
    await (await next(receiver)).accept();
    await connection.close();
  });

  test("a dynamic node can be sent to", async () => {
    const connection = await connect(broker.url);
    const session = await connection.createSession();
    const receiver = await session.createReceiver(null, { source: { dynamic: true } });
    await (await session.createSender(receiver.address)).send("answer");
    expect((await next(receiver)).message.body).toEqual({ type: "value", value: "answer" });
    await connection.close();
  });

  test("requests are answered over a dynamic node", async () => {
    const connection = await connect(broker.url);
    const session = await connection.createSession();
    await session.createResponder("doubling", (request) => {
      const { body } = request;
      return { body: { type: "value", value: body?.type === "value" ? Number(body.value) * 2 : null } };
    });
    const requester = await session.createRequester("doubling");
    const answers = await Promise.all([1, 2, 3].map((value) => requester.request({ body: { type: "value", value } })));
    expect(answers.map((answer) => answer.body)).toEqual([2, 4, 6].map((value) => ({ type: "value", value })));
    await connection.close();
  });

  transactionScenario(() => ({ url: broker.url, address: (name) => name }));
});
