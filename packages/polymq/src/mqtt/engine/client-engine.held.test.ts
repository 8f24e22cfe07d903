import { describe, expect, test } from "vitest";
import { webText } from "../../bytes/text.ts";
import type { ProtocolLevel } from "../codec/packets.ts";
import { TopicDecoder } from "../codec/topic-decoder.ts";
import { CUTS, type Cut, connackPacket, DrivenClient, encoded, hex, LEVELS } from "./engine-pair.test-support.ts";
import { InboundFlow } from "./inbound-flow.ts";
import { Receiver } from "./receiver.ts";

const CASES: readonly { readonly level: ProtocolLevel; readonly cut: Cut }[] = LEVELS.flatMap((level) =>
  CUTS.map((cut) => ({ level, cut })),
);

/** A connected client that can receive from `ready()` on. */
function late(level: ProtocolLevel, cut: Cut): { readonly client: DrivenClient; ready(): void } {
  const inbound = new InboundFlow();
  const topics = new TopicDecoder<unknown>(webText());
  let there = false;
  const client: DrivenClient = new DrivenClient(cut, {
    level,
    receiver: (reception) => (there ? new Receiver(reception, { handler: client, inbound, topics }) : null),
  });
  client.engine.start();
  client.feed(encoded(connackPacket(), level));
  const ready = (): void => {
    there = true;
    client.engine.receive();
  };
  return { client, ready };
}

describe.each(CASES)("ClientEngine before anybody can receive, at level $level, $cut", ({ level, cut }) => {
  const v5 = level === 5;
  const properties = v5 ? "00" : "";

  test("messages are held, and handled in order when somebody can", () => {
    const { client, ready } = late(level, cut);
    client.engine.receive();
    client.feed(`32 ${v5 ? "08" : "07"} 0001 't' 0001 ${properties} 'hi'`);
    client.feed(`30 ${v5 ? "06" : "05"} 0001 't' ${properties} 'yo'`);
    client.feed("62 02 0007");
    expect(client.told()).toEqual(["connected", "held", "released 7 unknown"]);
    ready();
    ready();
    client.feed(`30 ${v5 ? "06" : "05"} 0001 't' ${properties} 'hu'`);
    expect(client.told()).toEqual(["publish t q1 hi", "publish t q0 yo", "publish t q0 hu"]);
    client.sent();
    expect([client.engine.settle(0, 0), client.sent()]).toEqual([true, [hex("40 02 0001")]]);
  });

  test("one that is malformed ends the connection when it is read", () => {
    const { client, ready } = late(level, cut);
    client.feed("36 07 0001 't' 0001 'hi'");
    expect(client.told()).toEqual(["connected", "held"]);
    ready();
    expect([client.told(), client.engine.over]).toEqual([["failed ERR_MALFORMED_PACKET"], true]);
  });

  test("they end with the connection", () => {
    const { client, ready } = late(level, cut);
    client.feed(`30 ${v5 ? "06" : "05"} 0001 't' ${properties} 'yo'`);
    client.engine.end();
    client.told();
    ready();
    expect(client.told()).toEqual([]);
  });
});
