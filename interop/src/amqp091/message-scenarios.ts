import { until } from "./peer.ts";
import { type AmqpScenario, Inbox, refused, same } from "./scenario.ts";

/** Messages: published, delivered, settled, returned, and what becomes of those that nobody takes. */
export const messageScenarios: readonly AmqpScenario[] = [
  {
    name: "a message arrives as it was published",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      const properties = {
        contentType: "text/x-plain",
        contentEncoding: "identity",
        headers: { text: "a", count: 5, yes: true, nested: { list: ["x", 1] } },
        priority: 3,
        correlationId: "c-1",
        replyTo: "somewhere",
        expiration: "60000",
        messageId: "m-1",
        type: "order",
        appId: "shop",
      };
      await channel.publish("", queue, "hello", { properties });
      const message = await channel.get(queue, { noAck: true });
      same([message?.body, message?.exchange, message?.routingKey, message?.redelivered], ["hello", "", queue, false]);
      const got = message?.properties as Record<string, unknown>;
      for (const [key, value] of Object.entries(properties)) {
        same(JSON.parse(JSON.stringify(got[key])), value, key);
      }
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "a message larger than a frame arrives whole",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      const body = "0123456789".repeat(100_000);
      await channel.publish("", queue, body);
      await channel.publish("", queue, "");
      const inbox = await Inbox.of(channel, queue, { noAck: true });
      await inbox.take(2);
      same([inbox.bodies[0] === body, inbox.bodies[1]], [true, ""]);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "an empty queue gives nothing",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      same(await channel.get(queue), null);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "messages come in order, and what is returned comes again in its place",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      for (const body of ["1", "2", "3"]) await channel.publish("", queue, body);
      const first = await channel.get(queue);
      if (first === null) throw new Error("nothing there");
      channel.nack(first, { requeue: true });
      const again = await channel.get(queue);
      same([again?.body, again?.redelivered], ["1", true]);
      if (again !== null) channel.ack(again);
      same((await channel.get(queue, { noAck: true }))?.body, "2");
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "one acknowledgement settles all before it",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      for (let i = 0; i < 5; i++) await channel.publish("", queue, String(i));
      const second = await connection.channel();
      const inbox = await Inbox.of(second, queue);
      const messages = await inbox.take(5);
      const fourth = messages[3];
      if (fourth !== undefined) second.ack(fourth, true);
      await second.checkQueue(queue);
      await second.close();
      const last = await channel.get(queue);
      same([last?.body, last?.redelivered], ["4", true]);
      same(await channel.get(queue), null);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "what a channel has not settled goes back when it closes",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      for (const body of ["a", "b"]) await channel.publish("", queue, body);
      const second = await connection.channel();
      await (await Inbox.of(second, queue)).take(2);
      same((await channel.checkQueue(queue)).messageCount, 0);
      await second.close();
      const inbox = await Inbox.of(channel, queue);
      await inbox.take(2);
      same([inbox.bodies, inbox.messages[0]?.redelivered], [["a", "b"], true]);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "prefetch bounds what a consumer has unsettled",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      for (let i = 0; i < 6; i++) await channel.publish("", queue, String(i));
      await channel.prefetch(2);
      const inbox = await Inbox.of(channel, queue);
      await inbox.take(2);
      same((await channel.checkQueue(queue)).messageCount, 4);
      same(inbox.messages.length, 2);
      const [first] = inbox.messages;
      if (first !== undefined) channel.ack(first);
      await inbox.take(3);
      same((await channel.checkQueue(queue)).messageCount, 3);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "consumers of a queue share its messages",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      await channel.prefetch(1);
      const second = await connection.channel();
      await second.prefetch(1);
      const [one, two] = [await Inbox.of(channel, queue), await Inbox.of(second, queue)];
      await channel.publish("", queue, "1");
      await channel.publish("", queue, "2");
      await one.take(1);
      await two.take(1);
      same([...one.bodies, ...two.bodies].sort(), ["1", "2"]);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "an exclusive consumer keeps others away with 403",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      await channel.consume(queue, { exclusive: true }, () => undefined);
      const second = await connection.channel();
      await refused(
        second.consume(queue, {}, () => undefined),
        /ACCESS_REFUSED - queue 'q-\w+' in vhost '\/' in exclusive use/,
      );
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "a single active consumer is followed by the next",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue, { arguments: { "x-single-active-consumer": true } });
      const second = await connection.channel();
      const [one, two] = [
        await Inbox.of(channel, queue, { noAck: true, tag: "one" }),
        await Inbox.of(second, queue, { noAck: true }),
      ];
      for (const body of ["1", "2"]) await channel.publish("", queue, body);
      await one.take(2);
      await channel.cancel("one");
      await channel.publish("", queue, "3");
      await two.take(1);
      same([one.bodies, two.bodies], [["1", "2"], ["3"]]);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "a consumer that is cancelled gets nothing more, and may settle what it has",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      await channel.publish("", queue, "1");
      const inbox = await Inbox.of(channel, queue, { tag: "mine" });
      const [first] = await inbox.take(1);
      await channel.cancel("mine");
      await channel.publish("", queue, "2");
      if (first !== undefined) channel.ack(first);
      const rest = await channel.get(queue, { noAck: true });
      same([inbox.bodies, rest?.body, await channel.get(queue)], [["1"], "2", null]);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "a rejected message is a dead letter that tells of its death",
    run: async ({ channel, name }) => {
      const [queue, dead, exchange] = [name("q"), name("dead"), name("dlx")];
      await channel.declareExchange(exchange, "fanout");
      await channel.declareQueue(dead);
      await channel.bindQueue(dead, exchange, "");
      await channel.declareQueue(queue, { arguments: { "x-dead-letter-exchange": exchange } });
      await channel.publish("", queue, "bad");
      const message = await channel.get(queue);
      if (message !== null) channel.nack(message, { requeue: false });
      const inbox = await Inbox.of(channel, dead, { noAck: true });
      const [letter] = await inbox.take(1);
      const headers = letter?.properties.headers ?? {};
      const [death] = headers["x-death"] as Record<string, unknown>[];
      same([letter?.body, letter?.exchange, letter?.routingKey], ["bad", exchange, queue]);
      same(
        [death?.["queue"], death?.["reason"], Number(death?.["count"]), death?.["exchange"]],
        [queue, "rejected", 1, ""],
      );
      same([death?.["routing-keys"], headers["x-first-death-reason"]], [[queue], "rejected"]);
      await channel.deleteQueue(queue);
      await channel.deleteQueue(dead);
      await channel.deleteExchange(exchange);
    },
  },
  {
    name: "headers of a publisher that look like the server's come as published, and a death stands before them",
    run: async ({ channel, name }) => {
      const [queue, dead] = [name("q"), name("dead")];
      await channel.declareQueue(dead);
      const table = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
      await channel.declareQueue(queue, { arguments: table });
      const headers = { "x-death": [{ queue: "elsewhere", reason: "expired" }], queue: "mine", protocol: "mine" };
      await channel.publish("", queue, "x", { properties: { headers } });
      const seen = (got: Readonly<Record<string, unknown>> = {}): unknown =>
        JSON.parse(JSON.stringify([got["x-death"], got["queue"], got["protocol"]]));
      const published = [headers["x-death"], "mine", "mine"];
      const first = await channel.get(queue);
      same(seen(first?.properties.headers), published);
      if (first !== null) channel.nack(first, { requeue: true });
      const again = await channel.get(queue);
      same(seen(again?.properties.headers), published, "given again");
      if (again !== null) channel.nack(again, { requeue: false });
      const [letter] = await (await Inbox.of(channel, dead, { noAck: true })).take(1);
      const [death] = (letter?.properties.headers?.["x-death"] ?? []) as Record<string, unknown>[];
      same([death?.["queue"], death?.["reason"], Number(death?.["count"])], [queue, "rejected", 1]);
      await channel.deleteQueue(queue);
      await channel.deleteQueue(dead);
    },
  },
  {
    name: "a message whose own time ran out is a dead letter",
    run: async ({ channel, name }) => {
      const [queue, dead] = [name("q"), name("dead")];
      await channel.declareQueue(dead);
      const table = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
      await channel.declareQueue(queue, { arguments: table });
      const inbox = await Inbox.of(channel, dead, { noAck: true });
      await channel.publish("", queue, "old", { properties: { expiration: "20" } });
      const [letter] = await inbox.take(1);
      const [death] = (letter?.properties.headers?.["x-death"] ?? []) as Record<string, unknown>[];
      same([letter?.body, death?.["reason"]], ["old", "expired"]);
      await channel.deleteQueue(queue);
      await channel.deleteQueue(dead);
    },
  },
  {
    name: "a mandatory message that nobody gets comes back",
    run: async ({ channel, name }) => {
      await channel.publish("", name("nobody"), "lost", { mandatory: true });
      await until("the message is back", () => channel.returned.length > 0);
      const [back] = channel.returned;
      same([back?.replyCode, back?.replyText, back?.exchange, back?.body], [312, "NO_ROUTE", "", "lost"]);
    },
  },
  {
    name: "recover delivers again what is unsettled",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      await channel.publish("", queue, "x");
      const inbox = await Inbox.of(channel, queue);
      await inbox.take(1);
      await channel.recover();
      const messages = await inbox.take(2);
      same([messages[1]?.body, messages[1]?.redelivered], ["x", true]);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "an acknowledgement of what was never delivered closes the channel with 406",
    run: async ({ channel }) => {
      channel.ack({ deliveryTag: 99 } as Parameters<typeof channel.ack>[0]);
      same(/PRECONDITION_FAILED - unknown delivery tag 99/.test(await channel.failed), true);
    },
  },
  {
    name: "the same consumer tag twice ends the connection with 530",
    run: async ({ connect, name }) => {
      const connection = await connect();
      const channel = await connection.channel();
      const queue = name("q");
      await channel.declareQueue(queue, { autoDelete: true });
      await channel.consume(queue, { tag: "t" }, () => undefined);
      await refused(
        channel.consume(queue, { tag: "t" }, () => undefined),
        /NOT_ALLOWED - attempt to reuse consumer tag 't'|closed/i,
      );
    },
  },
  {
    name: "an answer comes over direct reply-to",
    run: async ({ channel, connection, name }) => {
      const queue = name("rpc");
      const server = await connection.channel();
      await server.declareQueue(queue);
      await server.consume(queue, { noAck: true }, (request) => {
        const { replyTo = "", correlationId = "" } = request.properties;
        void server.publish("", replyTo, `${request.body}!`, { properties: { correlationId } });
      });
      const inbox = await Inbox.of(channel, "amq.rabbitmq.reply-to", { noAck: true });
      const properties = { replyTo: "amq.rabbitmq.reply-to", correlationId: "7" };
      await channel.publish("", queue, "ping", { properties });
      const [answer] = await inbox.take(1);
      same([answer?.body, answer?.properties.correlationId], ["ping!", "7"]);
      await server.deleteQueue(queue);
    },
  },
  {
    name: "a thousand confirmed messages arrive once each, in order",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      const all = Array.from({ length: 1_000 }, (_, i) => String(i));
      await Promise.all(all.map((body) => channel.publish("", queue, body)));
      const inbox = await Inbox.of(channel, queue, { noAck: true });
      await inbox.take(1_000);
      same(inbox.bodies, all);
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "a quorum queue gives up after its delivery limit",
    run: async ({ channel, name }) => {
      const [queue, dead] = [name("q"), name("dead")];
      await channel.declareQueue(dead);
      const limit = { "x-queue-type": "quorum", "x-delivery-limit": 2 };
      const letters = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
      await channel.declareQueue(queue, { durable: true, arguments: { ...limit, ...letters } });
      await channel.publish("", queue, "x");
      const deliveries = new Inbox();
      await channel.consume(queue, {}, (message) => {
        deliveries.messages.push(message);
        channel.nack(message, { requeue: true });
      });
      const inbox = await Inbox.of(channel, dead, { noAck: true });
      const [letter] = await inbox.take(1);
      const [death] = (letter?.properties.headers?.["x-death"] ?? []) as Record<string, unknown>[];
      same([deliveries.messages.length, death?.["reason"]], [3, "delivery_limit"]);
      await channel.deleteQueue(queue);
      await channel.deleteQueue(dead);
    },
  },
  {
    name: "a stream is read from its beginning by everyone",
    run: async ({ channel, connection, name }) => {
      const queue = name("stream");
      await channel.declareQueue(queue, { durable: true, arguments: { "x-queue-type": "stream" } });
      for (const body of ["1", "2", "3"]) await channel.publish("", queue, body);
      const second = await connection.channel();
      await second.prefetch(10);
      await channel.prefetch(10);
      const from = { arguments: { "x-stream-offset": "first" } };
      const [one, two] = [await Inbox.of(channel, queue, from), await Inbox.of(second, queue, from)];
      await one.take(3);
      await two.take(3);
      same(
        [one.bodies, two.bodies],
        [
          ["1", "2", "3"],
          ["1", "2", "3"],
        ],
      );
      same(Number(one.messages[2]?.properties.headers?.["x-stream-offset"]), 2);
      await channel.deleteQueue(queue);
    },
  },
];
