import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { QoS } from "../codec/packets.ts";
import { arrive } from "./inbound-flow.test-support.ts";
import { type AckSink, Arrival } from "./inbound-flow.ts";
import { Phase } from "./outbound-flow.ts";
import { SessionState } from "./session-state.ts";

/** A message as the test sees it, with what the receiving side was shown of it in this session. */
interface Message {
  readonly name: number;
  readonly qos: QoS;
  /** Times the receiver's handler was called, in this session. */
  delivered: number;
  withheld: number;
  /** How the handler last decided. */
  outcome: "none" | "accepted" | "refused";
  /** The sender was told that it is finished. */
  done: boolean;
}

type Up =
  | { readonly is: "publish"; readonly id: number; readonly message: Message; readonly dup: boolean }
  | { readonly is: "pubrel"; readonly id: number };
interface Down {
  readonly is: "puback" | "pubrec" | "pubcomp";
  readonly id: number;
  readonly reasonCode: number;
}

/** A running handler of the receiver. */
interface Handling {
  readonly ticket: number;
  readonly message: Message;
  readonly session: number;
}

/** A sender and a receiver with the session state under test, joined by a link that loses what is on it when it breaks. */
class World implements AckSink {
  readonly sender = new SessionState<Message>();
  readonly receiver = new SessionState<Message>();
  readonly messages: Message[] = [];
  up: Up[] = [];
  down: Down[] = [];
  handling: Handling[] = [];
  window = 3;
  session = 0;
  /** Ids that the sender has still to send again, in order. */
  resend: number[] = [];
  /** Arrivals on this link that an acknowledgement is due for, as `qos:id`, and how many of them are behind the last acknowledged. */
  #arrivals: string[] = [];
  #acknowledged = 0;
  /** Set while a PUBLISH is taken whose PUBREC was sent before: its answer has no turn to wait for. */
  #answering = false;
  /** Whether what is sent again is a repetition, or new to a receiver that has lost the session. */
  #repeats = false;

  constructor() {
    this.#open("lost");
  }

  get canPublish(): boolean {
    return this.resend.length === 0 && this.sender.outbound.quota > 0;
  }

  publish(qos: 1 | 2): void {
    const message: Message = {
      name: this.messages.length,
      qos,
      delivered: 0,
      withheld: 0,
      outcome: "none",
      done: false,
    };
    const id = this.sender.outbound.beginPublish(message, qos === 1 ? Phase.AtLeastOnce : Phase.ExactlyOnce);
    expect(id).toBeGreaterThan(0);
    this.messages.push(message);
    this.up.push({ is: "publish", id, message, dup: false });
  }

  carryUp(): void {
    const packet = this.up.shift();
    if (packet?.is === "publish") this.#onPublish(packet.id, packet.message, packet.dup);
    if (packet?.is === "pubrel") {
      this.receiver.inbound.released(packet.id);
      this.down.push({ is: "pubcomp", id: packet.id, reasonCode: 0 });
    }
  }

  carryDown(): void {
    const packet = this.down.shift();
    if (packet === undefined) return;
    const { outbound } = this.sender;
    if (packet.is === "puback") this.#done(outbound.finish(packet.id, Phase.AtLeastOnce));
    else if (packet.is === "pubcomp") this.#done(outbound.finish(packet.id, Phase.Released));
    else if (packet.reasonCode >= 0x80) this.#done(outbound.finish(packet.id, Phase.ExactlyOnce));
    else {
      outbound.release(packet.id);
      this.up.push({ is: "pubrel", id: packet.id });
    }
    this.#resendSome();
  }

  decide(index: number, how: "accepted" | "refused" | "withheld"): void {
    const [handling] = this.handling.splice(index % this.handling.length, 1);
    if (handling === undefined) return;
    const { ticket, message, session } = handling;
    const { inbound } = this.receiver;
    const open = inbound.isOpen(ticket);
    if (how !== "withheld") message.outcome = session === this.session ? how : message.outcome;
    else if (session === this.session) message.withheld++;
    const taken = how === "withheld" ? inbound.withhold(ticket) : inbound.settle(ticket, how === "refused" ? 0x80 : 0);
    expect(taken).toBe(open);
    if (session !== this.session) expect(taken).toBe(false);
    expect(inbound.isOpen(ticket)).toBe(false);
  }

  /** The link breaks, with everything on it, and comes back; the receiver has kept the session or has lost it. */
  reconnect(session: "kept" | "lost", window: number): void {
    this.receiver.inbound.suspend();
    this.window = window;
    this.#open(session);
  }

  sendAck(packetId: number, exactlyOnce: boolean, reasonCode: number): void {
    this.down.push({ is: exactlyOnce ? "pubrec" : "puback", id: packetId, reasonCode });
    if (this.#answering) return;
    const turn = this.#arrivals.indexOf(`${exactlyOnce ? 2 : 1}:${packetId}`, this.#acknowledged);
    expect(turn, "an acknowledgement out of turn").toBeGreaterThanOrEqual(this.#acknowledged);
    this.#acknowledged = turn + 1;
  }

  #open(session: "kept" | "lost"): void {
    this.up = [];
    this.down = [];
    this.#arrivals = [];
    this.#acknowledged = 0;
    this.receiver.inbound.open(this, this.window, session === "kept");
    const { outbound } = this.sender;
    outbound.openWindow(this.window);
    this.#repeats = session === "kept";
    if (session === "lost") this.#beginSession();
    this.resend = outbound.publishIds();
    this.#resendSome();
  }

  #beginSession(): void {
    this.session++;
    const { outbound } = this.sender;
    for (const id of outbound.publishIds()) {
      // The receiver had said PUBREC: the message has arrived.
      if (outbound.phase(id) === Phase.Released) this.#done(outbound.finish(id, Phase.Released));
    }
    for (const message of this.messages) {
      message.delivered = 0;
      message.withheld = 0;
      if (!message.done) message.outcome = "none";
    }
  }

  /** In the first order: a PUBLISH waits for room, and what is behind it waits with it. */
  #resendSome(): void {
    const { outbound } = this.sender;
    for (let id = this.resend[0]; id !== undefined; id = this.resend[0]) {
      const message = outbound.item(id);
      const released = outbound.phase(id) === Phase.Released;
      if (message !== undefined && !released && outbound.quota <= 0) return;
      this.resend.shift();
      if (message === undefined) continue;
      if (released) this.up.push({ is: "pubrel", id });
      else {
        outbound.charge();
        this.up.push({ is: "publish", id, message, dup: this.#repeats });
      }
    }
  }

  #onPublish(id: number, message: Message, dup: boolean): void {
    const { inbound } = this.receiver;
    this.#answering = message.qos === 2 && inbound.receivedIds().includes(id);
    if (!this.#answering) this.#arrivals.push(`${message.qos}:${id}`);
    const arrival = arrive(inbound, { id, qos: message.qos === 2 ? 2 : 1, dup, says: { payload: `${message.name}` } });
    this.#answering = false;
    expect(arrival, "within the receive maximum").not.toBe(Arrival.TooMany);
    if (arrival !== Arrival.Deliver) return;
    message.delivered++;
    this.handling.push({ ticket: inbound.lastTicket, message, session: this.session });
    // Neither a running handler nor an accepted message is shown a second time, unless a refusal was lost on its way.
    if (message.qos === 2 && message.outcome !== "refused") {
      expect(message.outcome, "delivered after it was accepted").toBe("none");
      expect(message.delivered).toBeLessThanOrEqual(1 + message.withheld);
    }
  }

  #done(message: Message | undefined): void {
    if (message !== undefined) message.done = true;
  }

  /** Lets everything end: handlers accept, nothing is lost any more, and withheld messages come again on a new link. */
  finish(): void {
    for (let links = 0; links < 3; links++) {
      while (this.up.length + this.down.length + this.handling.length > 0) {
        while (this.handling.length > 0) this.decide(0, "accepted");
        while (this.up.length > 0) this.carryUp();
        while (this.down.length > 0) this.carryDown();
      }
      if (this.sender.outbound.inflight === 0) return;
      this.reconnect("kept", this.window);
    }
  }

  expectNothingLeft(): void {
    expect(this.messages.filter((message) => !message.done)).toEqual([]);
    expect(this.sender.outbound.inflight).toBe(0);
    expect(this.sender.outbound.publishIds()).toEqual([]);
    expect(this.sender.outbound.quota).toBe(this.window);
    expect(this.receiver.inbound.unsettled).toBe(0);
    // Ids whose PUBREL the sender gave up together with a session that it lost are gone with that session.
    expect(this.receiver.inbound.receivedIds()).toEqual([]);
  }
}

interface Counted {
  steps: number;
}

class Step implements fc.Command<Counted, World> {
  readonly #name: string;
  readonly #run: (world: World) => void;

  constructor(name: string, run: (world: World) => void) {
    this.#name = name;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  run(model: Counted, world: World): void {
    model.steps++;
    this.#run(world);
  }

  toString(): string {
    return this.#name;
  }
}

const reconnect = (session: "kept" | "lost") =>
  fc
    .integer({ min: 1, max: 5 })
    .map((window) => new Step(`${session}(${window})`, (world) => world.reconnect(session, window)));

const decide = (how: "accepted" | "refused" | "withheld") =>
  fc.nat(9).map(
    (index) =>
      new Step(`${how}(${index})`, (world) => {
        if (world.handling.length > 0) world.decide(index, how);
      }),
  );

const publish = fc.constantFrom<1 | 2>(1, 2).map(
  (qos) =>
    new Step(`publish(${qos})`, (world) => {
      if (world.canPublish) world.publish(qos);
    }),
);

/** Commands by weight: an interruption now and then, mostly messages on their way. */
function commands(interruptions: readonly fc.Arbitrary<Step>[]): fc.Arbitrary<Iterable<fc.Command<Counted, World>>> {
  const carryUp = fc.constant(new Step("up", (world) => world.carryUp()));
  const carryDown = fc.constant(new Step("down", (world) => world.carryDown()));
  return fc.commands([publish, publish, carryUp, carryUp, carryDown, carryDown, decide("accepted"), ...interruptions], {
    maxCommands: 200,
    size: "max",
  });
}

function runAll(steps: Iterable<fc.Command<Counted, World>>): World {
  const world = new World();
  fc.modelRun(() => ({ model: { steps: 0 }, real: world }), steps);
  world.finish();
  return world;
}

describe("SessionState: two sides over a link that breaks", () => {
  test("everything finishes, QoS 2 is delivered exactly once, acknowledgements keep their order [MQTT-4.4.0-1] [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT3-4.4.0-1]", () => {
    fc.assert(
      fc.property(commands([reconnect("kept")]), (steps) => {
        const world = runAll(steps);
        world.expectNothingLeft();
        for (const message of world.messages) {
          if (message.qos === 2) expect(message.delivered).toBe(1);
          else expect(message.delivered).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 400 },
    );
  });

  test("withheld messages come again and refused ones do not break anything [MQTT-4.4.0-2]", () => {
    fc.assert(
      fc.property(commands([reconnect("kept"), decide("withheld"), decide("refused")]), (steps) => {
        const world = runAll(steps);
        world.expectNothingLeft();
        for (const message of world.messages) expect(message.outcome).not.toBe("none");
      }),
      { numRuns: 400 },
    );
  });

  test("a session that is lost takes its tickets and ids with it; within each session QoS 2 stays exactly once [MQTT-3.2.2-5]", () => {
    fc.assert(
      fc.property(commands([reconnect("kept"), reconnect("lost"), decide("withheld")]), (steps) => {
        runAll(steps).expectNothingLeft();
      }),
      { numRuns: 400 },
    );
  });
});

test("a new session state has nothing in flight in either direction", () => {
  const session = new SessionState<string>();
  expect([session.outbound.inflight, session.inbound.unsettled, session.inbound.receivedIds()]).toEqual([0, 0, []]);
});
