import { until } from "./peer.ts";
import { type AmqpScenario, Inbox, refused, same } from "./scenario.ts";

/** Queues: made, looked at, emptied, deleted, and who may use them. */
export const queueScenarios: readonly AmqpScenario[] = [
  {
    name: "a queue is declared, counted and declared again",
    run: async ({ channel, name }) => {
      const queue = name("q");
      same(await channel.declareQueue(queue), { queue, messageCount: 0, consumerCount: 0 });
      await channel.publish("", queue, "x");
      same(await channel.declareQueue(queue), { queue, messageCount: 1, consumerCount: 0 });
      same(await channel.checkQueue(queue), { queue, messageCount: 1, consumerCount: 0 });
      same(await channel.deleteQueue(queue), 1);
    },
  },
  {
    name: "a queue without a name gets one",
    run: async ({ channel }) => {
      const { queue } = await channel.declareQueue("", { exclusive: true });
      same(/^amq\.gen-.{10,}/.test(queue), true);
      await channel.publish("", queue, "x");
      same((await channel.get(queue, { noAck: true }))?.body, "x");
    },
  },
  {
    name: "a queue that is not there is 404",
    run: async ({ channel, name }) => {
      await refused(channel.checkQueue(name("missing")), /NOT_FOUND - no queue 'missing-\w+' in vhost '\/'/);
    },
  },
  {
    name: "a queue declared differently is 406",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue, { autoDelete: false });
      const text =
        /PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q-\w+' in vhost '\/': received 'true' but current is 'false'/;
      await refused(channel.declareQueue(queue, { autoDelete: true }), text);
      await (await connection.channel()).deleteQueue(queue);
    },
  },
  {
    name: "a queue declared with another argument is 406",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue, { arguments: { "x-message-ttl": 60_000 } });
      await refused(
        channel.declareQueue(queue, { arguments: { "x-message-ttl": 50_000 } }),
        /inequivalent arg 'x-message-ttl' for queue 'q-\w+' in vhost '\/'/,
      );
      await (await connection.channel()).deleteQueue(queue);
    },
  },
  {
    name: "an argument of the wrong type is 406",
    run: async ({ channel, name }) => {
      const call = channel.declareQueue(name("q"), { arguments: { "x-message-ttl": "soon" } });
      await refused(call, /PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue/);
    },
  },
  {
    name: "a reserved name is 403",
    run: async ({ channel, name }) => {
      await refused(
        channel.declareQueue(`amq.${name("q")}`),
        /ACCESS_REFUSED - queue name 'amq\.q-\w+' contains reserved prefix/,
      );
    },
  },
  {
    name: "an exclusive queue is locked to others with 405, and ends with its connection",
    run: async ({ channel, connection, connect, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue, { exclusive: true });
      const other = await (await connect()).channel();
      await refused(other.checkQueue(queue), /RESOURCE_LOCKED - cannot obtain exclusive access to locked queue/);
      await connection.close();
      const third = await (await connect()).channel();
      await refused(third.checkQueue(queue), /NOT_FOUND/);
    },
  },
  {
    name: "an auto-delete queue ends with its last consumer",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue, { autoDelete: true });
      const tag = await channel.consume(queue, { noAck: true }, () => undefined);
      same((await channel.checkQueue(queue)).consumerCount, 1);
      await channel.cancel(tag);
      await refused((await connection.channel()).checkQueue(queue), /NOT_FOUND/);
    },
  },
  {
    name: "a purge removes what waits and leaves what is unsettled",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      for (const body of ["a", "b", "c"]) await channel.publish("", queue, body);
      const first = await channel.get(queue);
      same(await channel.purgeQueue(queue), 2);
      if (first !== null) channel.nack(first, { requeue: true });
      same((await channel.get(queue, { noAck: true }))?.body, "a");
      await channel.deleteQueue(queue);
    },
  },
  {
    name: "deleting a queue that is not there is no error",
    run: async ({ channel, name }) => {
      same(await channel.deleteQueue(name("missing")), 0);
    },
  },
  {
    name: "a queue in use or with messages is not deleted where that was asked",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      await channel.publish("", queue, "x");
      await refused(channel.deleteQueue(queue, { ifEmpty: true }), /PRECONDITION_FAILED - queue 'q-\w+' in vhost '\/'/);
      const second = await connection.channel();
      await second.consume(queue, {}, () => undefined);
      const third = await connection.channel();
      await refused(
        third.deleteQueue(queue, { ifUnused: true }),
        /PRECONDITION_FAILED - queue 'q-\w+' in vhost '\/' in use/,
      );
      await second.deleteQueue(queue);
    },
  },
  {
    name: "consumers are told when their queue is deleted",
    run: async ({ channel, connection, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue);
      await channel.consume(queue, { tag: "watcher" }, () => undefined);
      await (await connection.channel()).deleteQueue(queue);
      await until("the consumer is cancelled", () => channel.cancelled.length > 0);
    },
  },
  {
    name: "a message that is too old is gone",
    run: async ({ channel, name }) => {
      const [queue, dead] = [name("q"), name("dead")];
      await channel.declareQueue(dead);
      const table = { "x-message-ttl": 20, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead };
      await channel.declareQueue(queue, { arguments: table });
      const inbox = await Inbox.of(channel, dead, { noAck: true });
      await channel.publish("", queue, "old");
      const [letter] = await inbox.take(1);
      same(letter?.body, "old");
      same((await channel.checkQueue(queue)).messageCount, 0);
      await channel.deleteQueue(queue);
      await channel.deleteQueue(dead);
    },
  },
  {
    name: "a full queue drops its oldest message, or refuses the newest",
    run: async ({ channel, name }) => {
      const [head, tail] = [name("head"), name("tail")];
      await channel.declareQueue(head, { arguments: { "x-max-length": 2 } });
      for (const body of ["1", "2", "3"]) await channel.publish("", head, body);
      same((await channel.get(head, { noAck: true }))?.body, "2");
      await channel.declareQueue(tail, { arguments: { "x-max-length": 1, "x-overflow": "reject-publish" } });
      await channel.publish("", tail, "1");
      let wasRefused = false;
      await channel.publish("", tail, "2").catch(() => {
        wasRefused = true;
      });
      same(wasRefused, true);
      same((await channel.get(tail, { noAck: true }))?.body, "1");
      await channel.deleteQueue(head);
      await channel.deleteQueue(tail);
    },
  },
  {
    name: "messages of a higher priority come first",
    run: async ({ channel, name }) => {
      const queue = name("q");
      await channel.declareQueue(queue, { arguments: { "x-max-priority": 10 } });
      await channel.publish("", queue, "low", { properties: { priority: 1 } });
      await channel.publish("", queue, "high", { properties: { priority: 9 } });
      await channel.publish("", queue, "none");
      const bodies: (string | undefined)[] = [];
      for (let i = 0; i < 3; i++) bodies.push((await channel.get(queue, { noAck: true }))?.body);
      same(bodies, ["high", "low", "none"]);
      await channel.deleteQueue(queue);
    },
  },
];
