import { MqttClient } from "polymq/mqtt";
import { expect } from "vitest";
import type { Amqp10Peer, PeerConnection, PeerMessage, PeerOutcome } from "./peer.ts";

/** What a scenario plays with. */
export interface Amqp10Stage {
  readonly peer: Amqp10Peer;
  readonly connection: PeerConnection;
  readonly port: number;
  /** A name that nobody else uses. */
  readonly name: string;
}

export interface Amqp10Scenario {
  readonly name: string;
  run(stage: Amqp10Stage): Promise<void>;
}

/** Sends a message to a queue and takes it out again. */
async function roundTrip({ connection, name }: Amqp10Stage, message: PeerMessage): Promise<PeerMessage> {
  const address = `$queue/${name}`;
  expect(await connection.send(address, message)).toBe("accepted");
  const receiver = await connection.receiver({ address });
  const delivery = await receiver.next();
  delivery.settle("accepted");
  return delivery.message;
}

/** A scenario in which these parts of a message arrive as they were sent. */
function arrives(what: string, message: PeerMessage): Amqp10Scenario {
  const { application_properties, ...rest } = message;
  return {
    name: `arrives as it was sent: ${what}`,
    run: async (stage) => {
      const got = await roundTrip(stage, message);
      expect(got).toMatchObject(rest);
      if (application_properties !== undefined)
        expect(got.application_properties).toMatchObject(application_properties);
    },
  };
}

const MESSAGES: readonly Amqp10Scenario[] = [
  arrives("a text", { body: "grüße 😀" }),
  arrives("an empty text", { body: "" }),
  arrives("a number", { body: 42 }),
  arrives("a boolean", { body: true }),
  arrives("a list", { body: [1, "two", true, null] }),
  arrives("a map", { body: { a: 1, b: "c" } }),
  arrives("a text of a megabyte", { body: "x".repeat(1_048_576) }),
  arrives("a subject", { body: "x", subject: "greeting" }),
  arrives("a correlation-id", { body: "x", correlation_id: "c-1" }),
  arrives("reply-to", { body: "x", reply_to: "answers" }),
  arrives("a content type and encoding", { body: "x", content_type: "text/plain", content_encoding: "identity" }),
  arrives("a group and its sequence", { body: "x", group_id: "g", group_sequence: 7 }),
  arrives("a time of creation", { body: "x", creation_time: new Date(1_700_000_000_123) }),
  arrives("durable", { body: "x", durable: true }),
  arrives("a priority", { body: "x", priority: 7 }),
  arrives("application properties", { body: "x", application_properties: { text: "t", number: 5, yes: true } }),
  arrives("a message annotation", { body: "x", message_annotations: { "x-opt-mine": "m" } }),
];

function settled(outcome: PeerOutcome, after: (stage: Amqp10Stage, count: number | undefined) => void): Amqp10Scenario {
  return {
    name: `a message that is ${outcome} comes again`,
    run: async (stage) => {
      const { connection, name } = stage;
      const address = `$queue/${name}`;
      await connection.send(address, { body: "x" });
      const receiver = await connection.receiver({ address, credit: 5 });
      (await receiver.next()).settle(outcome);
      const again = await receiver.next();
      expect(again.message.body).toBe("x");
      after(stage, again.message.delivery_count);
      again.settle("accepted");
    },
  };
}

const QUEUES: readonly Amqp10Scenario[] = [
  {
    name: "a hundred messages come in order",
    run: async ({ connection, name }) => {
      const address = `$queue/${name}`;
      const bodies = Array.from({ length: 100 }, (_, i) => `m${i}`);
      await Promise.all(bodies.map((body) => connection.send(address, { body })));
      const receiver = await connection.receiver({ address, credit: 200 });
      const got: unknown[] = [];
      for (const _ of bodies) {
        const delivery = await receiver.next();
        delivery.settle("accepted");
        got.push(delivery.message.body);
      }
      expect(got).toEqual(bodies);
    },
  },
  {
    name: "messages that are sent settled arrive",
    run: async ({ connection, name }) => {
      const address = `$queue/${name}`;
      await connection.sendSettled(address, [{ body: "a" }, { body: "b" }]);
      const receiver = await connection.receiver({ address });
      expect([(await receiver.next()).message.body, (await receiver.next()).message.body]).toEqual(["a", "b"]);
    },
  },
  settled("released", (_, count) => expect(count ?? 0).toBe(0)),
  settled("modified", (_, count) => expect(count).toBe(1)),
  {
    name: "a message that is rejected is a dead letter",
    run: async ({ connection, name }) => {
      await connection.send(`$queue/${name}`, { body: "bad" });
      const receiver = await connection.receiver({ address: `$queue/${name}` });
      (await receiver.next()).settle("rejected");
      const dead = await connection.receiver({ address: `$queue/$dlq/${name}` });
      const { message } = await dead.next();
      expect(message.body).toBe("bad");
      expect(message.application_properties).toMatchObject({ "x-dead-letter-reason": "rejected" });
    },
  },
  {
    name: "what a connection has not settled goes to the next one",
    run: async ({ peer, port, connection, name }) => {
      const address = `$queue/${name}`;
      await connection.send(address, { body: "kept" });
      const first = await peer.connect({ port });
      await (await first.receiver({ address })).next();
      await first.close();
      const receiver = await connection.receiver({ address });
      expect((await receiver.next()).message.body).toBe("kept");
    },
  },
  {
    name: "no more comes than there is credit for",
    run: async ({ connection, name }) => {
      const address = `$queue/${name}`;
      for (const body of ["a", "b", "c"]) await connection.send(address, { body });
      const one = await connection.receiver({ address, credit: 1 });
      const first = await one.next();
      const rest = await connection.receiver({ address, credit: 5 });
      const others = [(await rest.next()).message.body, (await rest.next()).message.body];
      expect([first.message.body, ...others]).toEqual(["a", "b", "c"]);
      expect(one.waiting).toBe(0);
    },
  },
  {
    name: "receivers of a queue compete, so that each message comes once",
    run: async ({ connection, name }) => {
      const address = `$queue/${name}`;
      const receivers = [await connection.receiver({ address }), await connection.receiver({ address })];
      for (let i = 0; i < 10; i++) await connection.send(address, { body: i });
      const got: unknown[] = [];
      for (const receiver of receivers) {
        for (let i = 0; i < 5; i++) got.push((await receiver.next()).message.body);
      }
      expect(got.map(Number).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
  },
  {
    name: "each consumer group gets every message",
    run: async ({ connection, name }) => {
      const address = `$queue/${name}`;
      const groups = [
        await connection.receiver({ address, group: "one" }),
        await connection.receiver({ address, group: "two" }),
      ];
      await connection.send(address, { body: "for all" });
      const got = await Promise.all(groups.map(async (receiver) => (await receiver.next()).message));
      expect(got.map(({ body }) => body)).toEqual(["for all", "for all"]);
      expect(got.map((message) => message.application_properties?.["group-id"])).toEqual(["one", "two"]);
    },
  },
  {
    name: "a routing key leads to receivers whose filter has it",
    run: async ({ connection, name }) => {
      const receiver = await connection.receiver({ address: `$queue/${name}/eu/#`, group: "g" });
      await connection.send(`$queue/${name}/us/1`, { body: "us" });
      await connection.send(`$queue/${name}/eu/1`, { body: "eu" });
      expect((await receiver.next()).message.body).toBe("eu");
    },
  },
  {
    name: "a delivery says where it comes from",
    run: async (stage) => {
      const got = await roundTrip(stage, { body: "x", message_id: "mine" });
      expect(got).toMatchObject({ message_id: `${stage.name}:0`, to: `$queue/${stage.name}` });
      expect(got.application_properties).toMatchObject({ queue: stage.name, offset: "0", protocol: "amqp1" });
    },
  },
  {
    name: "a selector brings what matches",
    run: async ({ connection, name }) => {
      const address = `$queue/${name}`;
      const receiver = await connection.receiver({ address, selector: "colour = 'red' AND size BETWEEN 2 AND 9" });
      for (const [colour, size] of [
        ["red", 1],
        ["blue", 5],
        ["red", 5],
      ] as const) {
        await connection.send(address, { body: `${colour}${size}`, application_properties: { colour, size } });
      }
      expect((await receiver.next()).message.body).toBe("red5");
    },
  },
  {
    name: "a selector that cannot be read is refused",
    run: async ({ connection, name }) => {
      const refused = connection.receiver({ address: `$queue/${name}`, selector: "colour = " });
      await expect(refused).rejects.toThrowError("amqp:invalid-field");
    },
  },
  {
    name: "a queue that there is not is refused",
    run: async ({ connection, name }) => {
      await expect(connection.receiver({ address: `/queues/${name}` })).rejects.toThrowError("amqp:not-found");
    },
  },
];

const TOPICS: readonly Amqp10Scenario[] = [
  {
    name: "a topic's receivers all get what is sent to it",
    run: async ({ connection, name }) => {
      const receivers = [
        await connection.receiver({ address: `${name}/a` }),
        await connection.receiver({ address: `${name}/+` }),
        await connection.receiver({ address: `${name}/#` }),
      ];
      await connection.send(`${name}/a`, { body: "news" });
      for (const receiver of receivers) expect((await receiver.next()).message.body).toBe("news");
    },
  },
  {
    name: "a dynamic node can be sent to",
    run: async ({ connection }) => {
      const receiver = await connection.receiver({ address: null });
      await connection.send(receiver.address, { body: "answer" });
      expect((await receiver.next()).message.body).toBe("answer");
    },
  },
  {
    name: "the anonymous relay takes a message where `to` says",
    run: async ({ connection, name }) => {
      expect(await connection.send(null, { to: `$queue/${name}`, body: "relayed" })).toBe("accepted");
      const receiver = await connection.receiver({ address: `$queue/${name}` });
      expect((await receiver.next()).message.body).toBe("relayed");
    },
  },
  {
    name: "MQTT subscribers get what is sent, with its properties",
    run: async ({ connection, port, name }) => {
      const mqtt = new MqttClient({ servers: `mqtt://127.0.0.1:${port}`, clientId: name, protocolVersion: 5 });
      await mqtt.connect();
      try {
        const got = await mqtt.subscribe(`${name}/a`);
        await connection.send(`${name}/a`, { body: "hello", application_properties: { colour: "red" } });
        for await (const message of got) {
          expect(new TextDecoder().decode(message.payload)).toBe("hello");
          expect(message.properties?.userProperties).toContainEqual(["colour", "red"]);
          break;
        }
      } finally {
        await mqtt.close();
      }
    },
  },
  {
    name: "what MQTT publishes to a queue arrives, with its properties",
    run: async ({ connection, port, name }) => {
      const mqtt = new MqttClient({ servers: `mqtt://127.0.0.1:${port}`, clientId: name, protocolVersion: 5 });
      await mqtt.connect();
      try {
        const properties = { contentType: "text/plain", userProperties: [["colour", "red"]] as [string, string][] };
        await mqtt.publish(`$queue/${name}`, "by mqtt", { qos: 1, properties });
        const receiver = await connection.receiver({ address: `$queue/${name}` });
        const { message } = await receiver.next();
        expect(message).toMatchObject({ content_type: "text/plain" });
        expect(message.application_properties).toMatchObject({ colour: "red" });
      } finally {
        await mqtt.close();
      }
    },
  },
];

/** What every foreign client of AMQP 1.0 does with our broker. */
export const allAmqp10Scenarios: readonly Amqp10Scenario[] = [...MESSAGES, ...QUEUES, ...TOPICS];
