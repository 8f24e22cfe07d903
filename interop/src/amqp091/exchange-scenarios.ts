import type { PeerChannel } from "./peer.ts";
import { type AmqpScenario, refused, same } from "./scenario.ts";

/** The bodies that wait in a queue, which is empty afterwards. */
async function bodies(channel: PeerChannel, queue: string): Promise<string[]> {
  const found: string[] = [];
  for (
    let next = await channel.get(queue, { noAck: true });
    next !== null;
    next = await channel.get(queue, { noAck: true })
  )
    found.push(next.body);
  return found;
}

async function queueAt(channel: PeerChannel, exchange: string, keys: readonly string[]): Promise<string> {
  const { queue } = await channel.declareQueue("", { exclusive: true });
  for (const key of keys) await channel.bindQueue(queue, exchange, key);
  return queue;
}

/** Clients tell of a channel's end by what waits for an answer, or by an event. */
function failing(channel: PeerChannel, call: Promise<unknown>): Promise<unknown> {
  return Promise.any([
    channel.failed,
    call.then(
      () => "it was done",
      (error: unknown) => String(error),
    ),
  ]).then((said) => Promise.reject(new Error(said)));
}

/** Exchanges: how each kind routes, and what happens to what none of them can route. */
export const exchangeScenarios: readonly AmqpScenario[] = [
  {
    name: "a direct exchange compares keys",
    run: async ({ channel, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "direct");
      const queue = await queueAt(channel, exchange, ["a", "b"]);
      for (const key of ["a", "b", "c"]) await channel.publish(exchange, key, key);
      same(await bodies(channel, queue), ["a", "b"]);
      await channel.deleteExchange(exchange);
    },
  },
  {
    name: "a fanout exchange takes everything everywhere",
    run: async ({ channel, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "fanout");
      const [one, two] = [await queueAt(channel, exchange, [""]), await queueAt(channel, exchange, ["k"])];
      await channel.publish(exchange, "whatever", "x");
      same([await bodies(channel, one), await bodies(channel, two)], [["x"], ["x"]]);
      await channel.deleteExchange(exchange);
    },
  },
  {
    name: "a topic exchange matches words",
    run: async ({ channel, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "topic");
      const star = await queueAt(channel, exchange, ["a.*.c"]);
      const hash = await queueAt(channel, exchange, ["a.#"]);
      const middle = await queueAt(channel, exchange, ["#.c"]);
      for (const key of ["a.b.c", "a", "a.b.b.c", "c"]) await channel.publish(exchange, key, key);
      same(await bodies(channel, star), ["a.b.c"]);
      same(await bodies(channel, hash), ["a.b.c", "a", "a.b.b.c"]);
      same(await bodies(channel, middle), ["a.b.c", "a.b.b.c", "c"]);
      await channel.deleteExchange(exchange);
    },
  },
  {
    name: "a headers exchange compares all headers, or any",
    run: async ({ channel, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "headers");
      const { queue: all } = await channel.declareQueue("", { exclusive: true });
      const { queue: any } = await channel.declareQueue("", { exclusive: true });
      await channel.bindQueue(all, exchange, "", { "x-match": "all", kind: "a", size: 1 });
      await channel.bindQueue(any, exchange, "", { "x-match": "any", kind: "a", size: 1 });
      await channel.publish(exchange, "", "both", { properties: { headers: { kind: "a", size: 1 } } });
      await channel.publish(exchange, "", "one", { properties: { headers: { kind: "a", size: 2 } } });
      await channel.publish(exchange, "", "none", { properties: { headers: { kind: "b" } } });
      same([await bodies(channel, all), await bodies(channel, any)], [["both"], ["both", "one"]]);
      await channel.deleteExchange(exchange);
    },
  },
  {
    name: "two matching bindings bring one copy, and unbinding takes one away",
    run: async ({ channel, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "topic");
      const queue = await queueAt(channel, exchange, ["a.*", "a.#"]);
      await channel.publish(exchange, "a.b", "1");
      await channel.unbindQueue(queue, exchange, "a.#");
      await channel.publish(exchange, "a.b", "2");
      await channel.unbindQueue(queue, exchange, "a.*");
      await channel.publish(exchange, "a.b", "3");
      same(await bodies(channel, queue), ["1", "2"]);
      await channel.deleteExchange(exchange);
    },
  },
  {
    name: "exchanges are bound to exchanges",
    run: async ({ channel, name }) => {
      const [source, destination] = [name("from"), name("to")];
      await channel.declareExchange(source, "topic");
      await channel.declareExchange(destination, "fanout");
      await channel.bindExchange(destination, source, "a.*");
      const queue = await queueAt(channel, destination, [""]);
      await channel.publish(source, "a.b", "1");
      await channel.publish(source, "b.b", "2");
      await channel.unbindExchange(destination, source, "a.*");
      await channel.publish(source, "a.b", "3");
      same(await bodies(channel, queue), ["1"]);
      await channel.deleteExchange(source);
      await channel.deleteExchange(destination);
    },
  },
  {
    name: "an alternate exchange gets what another one cannot route",
    run: async ({ channel, name }) => {
      const [exchange, alternate] = [name("x"), name("alt")];
      await channel.declareExchange(alternate, "fanout");
      await channel.declareExchange(exchange, "direct", { arguments: { "alternate-exchange": alternate } });
      const queue = await queueAt(channel, alternate, [""]);
      await channel.publish(exchange, "nobody", "lost", { mandatory: true });
      same([await bodies(channel, queue), channel.returned], [["lost"], []]);
      await channel.deleteExchange(exchange);
      await channel.deleteExchange(alternate);
    },
  },
  {
    name: "an exchange that is not there is 404",
    run: async ({ channel, name }) => {
      await refused(channel.checkExchange(name("missing")), /NOT_FOUND - no exchange 'missing-\w+' in vhost '\/'/);
    },
  },
  {
    name: "publishing to an exchange that is not there closes the channel with 404",
    run: async ({ channel, name }) => {
      const publish = channel.publish(name("missing"), "k", "x");
      await refused(failing(channel, publish), /NOT_FOUND - no exchange 'missing-\w+' in vhost '\/'/);
    },
  },
  {
    name: "an exchange declared as another type is 406",
    run: async ({ channel, connection, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "direct");
      await refused(
        channel.declareExchange(exchange, "fanout"),
        /PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x-\w+' in vhost '\/': received 'fanout' but current is 'direct'/,
      );
      await (await connection.channel()).deleteExchange(exchange);
    },
  },
  {
    name: "an exchange in use is not deleted where that was asked",
    run: async ({ channel, connection, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "direct");
      await queueAt(channel, exchange, ["a"]);
      await refused(
        channel.deleteExchange(exchange, { ifUnused: true }),
        /PRECONDITION_FAILED - exchange 'x-\w+' in vhost '\/' in use/,
      );
      await (await connection.channel()).deleteExchange(exchange);
    },
  },
  {
    name: "clients cannot publish to an internal exchange",
    run: async ({ channel, connection, name }) => {
      const exchange = name("x");
      await channel.declareExchange(exchange, "fanout", { internal: true });
      const publish = channel.publish(exchange, "", "x");
      const text = /ACCESS_REFUSED - cannot publish to internal exchange 'x-\w+' in vhost '\/'/;
      await refused(failing(channel, publish), text);
      await (await connection.channel()).deleteExchange(exchange);
    },
  },
  {
    name: "nothing is bound to the default exchange",
    run: async ({ channel }) => {
      const { queue } = await channel.declareQueue("", { exclusive: true });
      await refused(
        channel.bindQueue(queue, "", "k"),
        /ACCESS_REFUSED - operation not permitted on the default exchange/,
      );
    },
  },
];
