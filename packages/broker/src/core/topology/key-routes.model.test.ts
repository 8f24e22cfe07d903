import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RoutingModel } from "./routing-model.test-support.ts";
import type { BindingDefinition, ExchangeDefinition } from "./topology-port.ts";
import { TopologyScene } from "./topology-scene.test-support.ts";

const exchangeNames = fc.constantFrom("a", "b", "c", "d", "a", "b", "c", "amq.topic", "amq.headers");
const queueNames = fc.constantFrom("q", "r", "s");
const keys = fc.constantFrom("", "x", "y", "x.y", "x.y.z", "y.x");
const patterns = fc.oneof(keys, fc.constantFrom("#", "*", "x.*", "x.#", "#.y", "*.#", "#.x.#"));
const headers = fc.record({ h: fc.constantFrom(1, 2), i: fc.constantFrom("a", "b") }, { requiredKeys: [] });

const OWN = ["a", "b", "c", "d"];

function definitionsOf(names: fc.Arbitrary<string>): fc.Arbitrary<ExchangeDefinition> {
  return fc.record({
    name: names,
    kind: fc.constantFrom("direct", "fanout", "topic", "headers"),
    durable: fc.boolean(),
    autoDelete: fc.boolean(),
    internal: fc.constant(false),
    alternate: fc.option(fc.constantFrom("a", "b", "c"), { nil: null }),
  });
}

/** What there is to begin with: all exchanges. */
const beginnings = fc.tuple(...OWN.map((name) => definitionsOf(fc.constant(name))));

const bindings: fc.Arbitrary<BindingDefinition> = fc.record({
  source: exchangeNames,
  destination: fc.oneof(
    fc.record({ is: fc.constant("queue" as const), name: queueNames }),
    fc.record({ is: fc.constant("exchange" as const), name: exchangeNames }),
  ),
  key: patterns,
  arguments: fc.option(fc.record({ match: fc.constantFrom("all", "any"), values: headers }), { nil: null }),
});

/** Does the same to both. */
type Step = (scene: TopologyScene, model: RoutingModel) => void;

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: definitionsOf(fc.constantFrom(...OWN)).map(
      (definition): Step =>
        (scene, model) =>
          declare(scene, model, definition),
    ),
  },
  {
    weight: 2,
    arbitrary: queueNames.map(
      (name): Step =>
        (scene, model) =>
          declareQueue(scene, model, name),
    ),
  },
  {
    weight: 8,
    arbitrary: bindings.map(
      (binding): Step =>
        (scene, model) =>
          bind(scene, model, binding),
    ),
  },
  {
    weight: 2,
    arbitrary: bindings.map(
      (binding): Step =>
        (scene, model) =>
          unbind(scene, model, binding),
    ),
  },
  {
    weight: 1,
    arbitrary: exchangeNames.map(
      (name): Step =>
        (scene, model) => {
          if (scene.host.deleteExchange(name) === "deleted") model.deleteExchange(name);
        },
    ),
  },
  {
    weight: 1,
    arbitrary: queueNames.map(
      (name): Step =>
        (scene, model) => {
          if (scene.host.deleteQueue(name, scene.owner).is === "deleted") model.deleteQueue(name);
        },
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(exchangeNames, keys, headers).map(
      ([exchange, key, has]): Step =>
        (scene, model) => {
          send(scene, model, exchange, key, has);
        },
    ),
  },
);

function declare(scene: TopologyScene, model: RoutingModel, definition: ExchangeDefinition): void {
  const result = scene.host.declareExchange(definition);
  expect(result.is === "created").toBe(model.exchange(definition.name) === undefined);
  if (result.is === "created") model.exchanges.push(definition);
}

function declareQueue(scene: TopologyScene, model: RoutingModel, name: string): void {
  if (scene.queue(name).is === "created") model.queues.push(name);
}

function bind(scene: TopologyScene, model: RoutingModel, binding: BindingDefinition): void {
  const expected = model.canBind(binding) ? (model.has(binding) ? "existing" : "bound") : "refused";
  const { is } = scene.host.bind(binding, scene.owner);
  expect(is.startsWith("no-") ? "refused" : is).toBe(expected);
  if (is === "bound") model.bindings.push(binding);
}

function unbind(scene: TopologyScene, model: RoutingModel, binding: BindingDefinition): void {
  expect(scene.host.unbind(binding, scene.owner) === "unbound").toBe(model.has(binding));
  model.unbind(binding);
}

function send(
  scene: TopologyScene,
  model: RoutingModel,
  exchange: string,
  key: string,
  has: Readonly<Record<string, string | number>>,
): void {
  const before = model.queues.map((name) => scene.waiting(name)[0] as number);
  const result = scene.send(exchange, key, "m", { headers: has });
  const got = model.queues.filter((name, i) => (scene.waiting(name)[0] as number) === (before[i] as number) + 1);
  const expected = model.route(exchange, key, has);
  expect(got.sort()).toEqual(expected);
  const isThere = model.exchange(exchange) !== undefined;
  expect(result).toBe(isThere ? (expected.length > 0 ? "routed" : "unroutable") : "no-exchange");
}

describe("routing", () => {
  test("is what the rules say, whatever is declared, bound and deleted, with cached routes and fresh ones", () => {
    fc.assert(
      fc.property(beginnings, fc.array(steps, { minLength: 20, maxLength: 60, size: "max" }), (definitions, list) => {
        const scene = new TopologyScene({ store: null });
        const model = new RoutingModel(scene.host.exchanges());
        for (const definition of definitions) declare(scene, model, definition);
        for (const name of ["q", "r", "s"]) declareQueue(scene, model, name);
        for (const step of list) step(scene, model);
        const expected = model.exchanges.map((one) => one.name).sort();
        expect(
          scene.host
            .exchanges()
            .map((one) => one.name)
            .sort(),
        ).toEqual(expected);
        expect(scene.host.bindings()).toEqual(model.bindings);
        expect(scene.errors).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});
