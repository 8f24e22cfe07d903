import { type FieldTable, type MethodOf, ReplyCode } from "polymq/amqp091/codec";
import {
  type BindingArguments,
  type BindingDefinition,
  type BindResult,
  type ExchangeDefinition,
  type ExchangeKind,
  type HeaderMatch,
  TOPICS_EXCHANGE,
  type UnbindResult,
} from "../../core/topology/topology-port.ts";
import { ArgumentReader, argumentValue, erlangType } from "./arguments.ts";
import type { MethodScene } from "./method-scene.ts";
import { filterOf } from "./publish-route.ts";
import {
  defaultExchange,
  inequivalent,
  locked,
  named,
  notFound,
  refusedSetting,
  reserved,
  systemExchange,
} from "./refusals.ts";
import { ReplyError } from "./reply-error.ts";

const KINDS: readonly ExchangeKind[] = ["direct", "fanout", "topic", "headers"];

/** The arguments' names of fields that the core compares. */
const FIELDS: Readonly<Record<string, string>> = {
  kind: "type",
  autoDelete: "auto_delete",
  alternate: "alternate-exchange",
};

/** `exchange.declare`. */
export function declareExchange(scene: MethodScene, method: MethodOf<"exchange.declare">): void {
  const { exchange: name } = method;
  const { host } = scene;
  const decision = scene.access.mayPublish(name, false, scene.nowMs);
  scene.whenAllowed(decision, `exchange '${name}'`, method, () => {
    if (method.passive) {
      if (exchangeName(name) === "") throw defaultExchange();
      if (host.exchange(exchangeName(name)) === null) throw notFound("exchange", name, host.name);
    } else declare(scene, method);
    if (!method.noWait) scene.answer({ method: "exchange.declare-ok" });
  });
}

function declare({ host }: MethodScene, method: MethodOf<"exchange.declare">): void {
  const { exchange: name, type } = method;
  const what = named("exchange", name, host.name);
  if (exchangeName(name) === "") throw defaultExchange();
  const kind = KINDS.find((each) => each === type);
  if (kind === undefined) throw new ReplyError(ReplyCode.CommandInvalid, `unknown exchange type '${type}'`);
  const alternate = new ArgumentReader(method.arguments, what).exchange("alternate-exchange") ?? null;
  const { durable, autoDelete, internal } = method;
  const definition: ExchangeDefinition = { name, kind, durable, autoDelete, internal, alternate };
  const result = host.declareExchange(definition);
  switch (result.is) {
    case "created":
    case "existing":
      return;
    case "inequivalent":
      throw inequivalent(result, FIELDS, what);
    case "reserved":
      throw reserved("exchange", name);
    default:
      throw refusedSetting(result, FIELDS, what);
  }
}

/** `exchange.delete`; one that is not there counts as deleted, as in RabbitMQ. */
export function deleteExchange(scene: MethodScene, method: MethodOf<"exchange.delete">): void {
  const { exchange: name } = method;
  const { host } = scene;
  scene.whenAllowed(scene.access.mayPublish(name, false, scene.nowMs), `exchange '${name}'`, method, () => {
    if (exchangeName(name) === "") throw defaultExchange();
    const result = host.deleteExchange(name, { ifUnused: method.ifUnused });
    if (result === "reserved") throw systemExchange(name, host.name);
    if (result === "in-use") {
      throw new ReplyError(ReplyCode.PreconditionFailed, `${named("exchange", name, host.name)} in use`);
    }
    if (!method.noWait) scene.answer({ method: "exchange.delete-ok" });
  });
}

/** `exchange.bind` and `exchange.unbind`. */
export function bindExchange(
  scene: MethodScene,
  method: MethodOf<"exchange.bind"> | MethodOf<"exchange.unbind">,
): void {
  const { source, destination, routingKey } = method;
  const is = method.method === "exchange.bind" ? "bind" : "unbind";
  allowedToBind(scene, source, routingKey, method, () => {
    const binding = bindingOf(
      source,
      { is: "exchange", name: exchangeName(destination) },
      routingKey,
      method.arguments,
    );
    changeBinding(scene, is, binding);
    if (!method.noWait) scene.answer({ method: is === "bind" ? "exchange.bind-ok" : "exchange.unbind-ok" });
  });
}

/** Makes or removes a binding; one that is not there counts as removed, as in RabbitMQ. @throws {ReplyError} 403, 404, 405, 406 */
export function changeBinding({ host, owner }: MethodScene, is: "bind" | "unbind", binding: BindingDefinition): void {
  const { source, destination } = binding;
  const result: BindResult | { readonly is: UnbindResult } =
    is === "bind" ? host.bind(binding, owner) : { is: host.unbind(binding, owner) };
  switch (result.is) {
    case "no-source":
      if (is === "unbind") return;
      throw notFound("exchange", source, host.name);
    case "no-destination":
      if (is === "unbind") return;
      throw notFound(destination.is, destination.name, host.name);
    case "locked":
      throw locked(destination.name, host.name);
    case "reserved":
      throw defaultExchange();
    case "invalid":
    case "limit":
      throw refusedSetting(result, {}, `binding of ${named(destination.is, destination.name, host.name)}`);
    default:
  }
}

/** A binding as the core knows it. */
export function bindingOf(
  source: string,
  destination: BindingDefinition["destination"],
  key: string,
  table: FieldTable,
): BindingDefinition {
  return { source: exchangeName(source), destination, key, arguments: bindingArguments(table) };
}

/** To bind is to subscribe to what the exchange gets: to plain topics, or to what stands below its name. */
export function allowedToBind(
  scene: MethodScene,
  source: string,
  key: string,
  method: MethodOf<"exchange.bind" | "exchange.unbind" | "queue.bind" | "queue.unbind">,
  action: () => void,
): void {
  const filter = source === TOPICS_EXCHANGE ? filterOf(key) : `${source}/${filterOf(key)}`;
  scene.whenAllowed(scene.access.maySubscribe(filter, null), `exchange '${source}'`, method, action);
}

/** The default exchange has a second name. */
export function exchangeName(name: string): string {
  return name === "amq.default" ? "" : name;
}

function matchOf(table: FieldTable): HeaderMatch {
  const asked = new ArgumentReader(table, "").value("x-match");
  if (asked === undefined) return "all";
  const match = MATCHES.find((each) => each === asked);
  if (match !== undefined) return match;
  const why =
    typeof asked === "string"
      ? `value <<"${asked}">>; expected all, any, all-with-x, or any-with-x`
      : `type ${erlangType(asked)}${valueText(asked)}; expected longstr`;
  throw new ReplyError(ReplyCode.PreconditionFailed, `Invalid x-match field ${why}`);
}

/** As RabbitMQ writes what is no text; nothing of what has no short form. */
function valueText(value: unknown): string {
  const isPlain = typeof value === "number" || typeof value === "bigint" || typeof value === "boolean";
  return isPlain ? ` (value ${value})` : "";
}

const MATCHES: readonly HeaderMatch[] = ["all", "any", "all-with-x", "any-with-x"];

function bindingArguments(table: FieldTable): BindingArguments | null {
  const names = Object.keys(table);
  if (names.length === 0) return null;
  const values = Object.create(null) as Record<string, ReturnType<typeof argumentValue>>;
  for (const name of names) if (name !== "x-match") values[name] = argumentValue(table[name]);
  return { match: matchOf(table), values };
}
