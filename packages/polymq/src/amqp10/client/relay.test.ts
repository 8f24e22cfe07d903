import { describe, expect, test } from "vitest";
import { MessageView } from "../codec/message-view.ts";
import { text } from "../engine/engine.test-support.ts";
import { type Lab, lab, textOfBytes, until } from "./client-lab.test-support.ts";
import type { AmqpRelay, RelayOptions } from "./relay.ts";

async function relayLab(
  capabilities: readonly string[],
  options: RelayOptions = {},
): Promise<Lab & { relay: AmqpRelay }> {
  const made = await lab({}, { open: { containerId: "s", offeredCapabilities: capabilities } });
  const relay = await (await made.connection.createSession()).createRelay(options);
  return { ...made, relay };
}

function addressOf(target: unknown): string {
  return (target as { address: string }).address;
}

/** What a server got: address of the link, property `to`, data. */
function got({ server }: Lab): unknown[] {
  return server.deliveries.map((delivery) => {
    const view = new MessageView(text, delivery.payload);
    const target = delivery.link.remote?.target as { address: string | null } | null;
    return [target?.address, view.properties?.to, textOfBytes(view.data)];
  });
}

const bytes = (data: string): Uint8Array => new TextEncoder().encode(data);

describe("a relay", () => {
  test("sends the bytes as they were at the call, also when a link is still to be attached", async () => {
    const made = await relayLab([]);
    const data = bytes("mine");
    const sections = { body: { type: "data", data: [data, data] } } as const;
    const sending = [made.relay.send("a", data), made.relay.send("b", sections)];
    data.fill(0);
    await Promise.all(sending);
    const bodies = made.server.deliveries.map((delivery) => new MessageView(text, delivery.payload).body);
    expect(bodies).toEqual([
      { type: "data", data: [bytes("mine")] },
      { type: "data", data: [bytes("mine"), bytes("mine")] },
    ]);
    await made.connection.close();
  });

  test("uses the anonymous terminus where the server offers it, and says the address in each message", async () => {
    const made = await relayLab(["ANONYMOUS-RELAY"]);
    const { relay, connection } = made;
    expect(relay.anonymous).toBe(true);
    expect(await relay.send("a", bytes("1"))).toEqual({ type: "accepted" });
    const message = { properties: { subject: "s" }, body: { type: "data", data: bytes("2") } } as const;
    await (await relay.sendWithReceipt("b", message)).wait();
    expect(got(made)).toEqual([
      [null, "a", "1"],
      [null, "b", "2"],
    ]);
    await relay.close();
    await expect(relay.send("a", "x")).rejects.toMatchObject({ code: "ERR_CLIENT_CLOSED" });
    await connection.close();
  });

  test("has a link for each address elsewhere, made once", async () => {
    const made = await relayLab([]);
    const { relay, connection, server } = made;
    await Promise.all(["a", "b", "a", "a"].map((address, i) => relay.send(address, bytes(`${i}`))));
    expect([relay.anonymous, server.links.size]).toEqual([false, 2]);
    const sent = got(made) as [string, string, string][];
    expect(sent.filter(([link]) => link === "a")).toEqual([
      ["a", "a", "0"],
      ["a", "a", "2"],
      ["a", "a", "3"],
    ]);
    await relay.close();
    await connection.close();
  });

  test("closes the link that was idle for longest for a new address, and none that is in use", async () => {
    const made = await relayLab([], { sendersMax: 2 });
    const { relay, connection, server } = made;
    const open = (): string[] =>
      server.engine.sessions.flatMap((session) => session.links.map((link) => addressOf(link.remote?.target)));
    await relay.send("a", "1");
    await relay.send("b", "1");
    await relay.send("a", "2");
    await relay.send("c", "1");
    expect(open().sort()).toEqual(["a", "c"]);
    server.outcome = null;
    const stuck = [relay.send("a", "3"), relay.send("c", "2")].map((each) => each.catch(() => undefined));
    await until(() => server.deliveries.length === 6);
    await expect(relay.send("d", "1")).rejects.toMatchObject({ code: "ERR_OUTBOUND_BACKPRESSURE" });
    await connection.close();
    await Promise.all(stuck);
  });

  test("attaches anew to an address whose link the server ended", async () => {
    const { relay, connection, server } = await relayLab([]);
    await relay.send("a", "1");
    server.link().detach({ closed: true, error: { type: "error", condition: "amqp:link:detach-forced" } });
    server.push();
    await until(() => connection.sessions[0]?.links.length === 0);
    expect(await relay.send("a", "2")).toEqual({ type: "accepted" });
    await connection.close();
  });

  test("refuses a message that is encoded already: it could not say where it goes", async () => {
    const { relay, connection } = await relayLab([]);
    await expect(relay.send("a", bytes("x"), { encoded: true })).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
    await connection.close();
  });
});
