import { describe, expect, test } from "vitest";
import { Splitter } from "../../bytes/splitter.ts";
import { measureFrame } from "../codec/frame.ts";
import { MessageView } from "../codec/message-view.ts";
import { message, type Names, text } from "../engine/engine.test-support.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import { type LabServer, quiet, recoveringLab, textOfBytes, until } from "./client-lab.test-support.ts";
import type { AmqpConnection } from "./connection.ts";

/** Calls back for each frame or header of a stream. */
function frames(each: (frame: Uint8Array) => void): Splitter {
  return new Splitter(
    (buffer, at, end) => (buffer[at] === 0x41 ? 8 : measureFrame(buffer, at, end, 100_000)),
    (buffer, start, end) => {
      each(buffer.slice(start, end));
      return true;
    },
  );
}

/** A broker with one queue: what it accepted is stored, delivered, and forgotten when it is accepted by the receiver. */
class Broker {
  /** Texts by how often they were stored. */
  readonly stored = new Map<string, number>();
  readonly queue: string[] = [];
  readonly done: string[] = [];
  readonly unsettled = new Set<string>();

  attach(server: LabServer): void {
    server.outcome = (delivery) => {
      const data = textOfBytes(new MessageView(text, delivery.payload).data);
      this.stored.set(data, (this.stored.get(data) ?? 0) + 1);
      this.queue.push(data);
      delivery.link.settle(delivery, { type: "accepted" });
      this.deliver(server);
    };
    server.onOutcome = (delivery, state) => {
      this.unsettled.delete(delivery.item);
      if (state !== null && "type" in state && state.type === "accepted") this.done.push(delivery.item);
      else this.queue.unshift(delivery.item);
    };
    server.onRoom = () => this.deliver(server);
    // What was out is given back when its connection ends.
    this.queue.unshift(...this.unsettled);
    this.unsettled.clear();
  }

  deliver(server: LabServer): void {
    const link = [...server.links.values()].find((each) => each.isSender) as SenderLink<Names> | undefined;
    while (link?.sendable === true && this.queue.length > 0) {
      const next = this.queue.shift() as string;
      this.unsettled.add(next);
      link.send(message(next), next);
    }
  }
}

/** Lets the server's side of the first connection pass `passing` frames, of both directions together, and then breaks it. */
function cutAfter(server: LabServer, passing: number, onCut: () => void): void {
  let left = passing;
  const pass = (): boolean => {
    if (left-- > 0) return true;
    if (left === -1) {
      onCut();
      server.transport.destroy();
    }
    return false;
  };
  const incoming = frames((frame) => {
    if (pass()) server.engine.onBytes(frame, 0);
  });
  const outgoing = frames((frame) => {
    if (pass()) server.transport.write(frame);
  });
  server.onBytes = (chunk) => {
    incoming.push(chunk);
    server.push();
  };
  server.push = () => {
    const bytes = server.take();
    if (bytes.length > 0) outgoing.push(bytes.slice());
    if (server.engine.over) server.transport.close();
  };
}

const TEXTS = ["a", "b", "c", "d", "e", "f"];

/** Sends and receives with a cut after so many frames; resolves with what each side says of it, and whether the cut came. */
async function exchange(policy: "resend" | "fail", passing: number) {
  const broker = new Broker();
  let cut = false;
  const { connection, servers } = await recoveringLab({}, (server, index) => {
    broker.attach(server);
    if (index === 0)
      cutAfter(server, passing, () => {
        cut = true;
      });
  });
  const { sender, receiver } = await links(connection, policy);
  const said = new Map<string, string[]>();
  const note = (data: string, what: string): void => void said.set(data, [...(said.get(data) ?? []), what]);
  const sends = TEXTS.map((data) =>
    sender.send(new TextEncoder().encode(data)).then(
      () => note(data, "accepted"),
      (error: { code: string }) => note(data, error.code),
    ),
  );
  const handled = new Set<string>();
  const handling = (async () => {
    for await (const delivery of receiver) {
      handled.add(textOfBytes(delivery.message.data));
      await delivery.accept().catch(() => undefined);
    }
  })();
  await Promise.all(sends);
  await until(() => broker.unsettled.size === 0 && broker.queue.length === 0);
  await quiet();
  await connection.close();
  await handling;
  return { said, broker, cut, servers: servers.length, handled };
}

/** A session with both links, made anew as often as the connection breaks meanwhile. */
async function links(connection: AmqpConnection, whenConnectionLost: "resend" | "fail") {
  for (;;) {
    try {
      const session = await connection.createSession();
      const sender = await session.createSender("q", { name: "s", whenConnectionLost });
      const receiver = await session.createReceiver("q", { name: "r", credit: 4 });
      return { sender, receiver };
    } catch (error) {
      if (connection.state === "closed") throw error;
      await until(() => connection.state === "open");
      for (const session of connection.sessions) await session.close();
    }
  }
}

describe.each(["resend", "fail"] as const)("a cut at every frame, with whenConnectionLost %s (S18)", (policy) => {
  test("each send settles once and says what is so, and what is stored is handled", { timeout: 60_000 }, async () => {
    const seen: number[] = [];
    // The first frames are the handshake, where the first connect fails and nobody comes back.
    for (let passing = 4; ; passing++) {
      const { said, broker, cut, servers, handled } = await exchange(policy, passing);
      if (!cut) break;
      seen.push(servers);
      for (const data of TEXTS) {
        const told = said.get(data) ?? [];
        const stored = broker.stored.get(data) ?? 0;
        expect(told, `${data}, cut after ${passing}`).toHaveLength(1);
        if (policy === "resend") {
          expect([told[0], stored > 0, stored <= 2], `${data}, cut after ${passing}`).toEqual(["accepted", true, true]);
        } else {
          expect(stored, `${data}, cut after ${passing}`).toBeLessThanOrEqual(1);
          expect(told[0] === "accepted" ? stored : 1, `${data}, cut after ${passing}`).toBe(1);
        }
      }
      expect([...broker.stored.keys()].every((data) => handled.has(data) && broker.done.includes(data))).toBe(true);
    }
    // The last cuts come after all is done, when nobody needs to come back.
    expect(seen.filter((servers) => servers === 2).length).toBeGreaterThan(20);
  });
});
