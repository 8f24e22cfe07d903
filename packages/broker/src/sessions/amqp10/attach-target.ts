import { Condition, type TargetInput } from "polymq/amqp10/codec";
import { type TargetAddress, targetAddress } from "./addresses.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { EngineReceiver } from "./amqp10-types.ts";
import type { Attach, Opening } from "./attach-link.ts";
import { CoordinatorLink } from "./coordinator-link.ts";
import { Refused } from "./refused.ts";
import { TargetLink } from "./target-link.ts";
import { temporaryQueue } from "./temporary-queue.ts";

/** What the coordinator can do (§4.5.2). */
const COORDINATOR_CAPABILITIES = ["amqp:local-transactions", "amqp:multi-txns-per-ssn", "amqp:multi-ssns-per-txn"];

/** A link on which the client wants to send: to a node, to the anonymous relay, or to the coordinator. @throws {Refused} */
export function attachTarget(connection: Amqp10Connection, link: EngineReceiver, attach: Attach): Opening {
  const { target } = attach;
  if (target === null || !("type" in target)) throw new Refused(Condition.invalidField, "a sender needs a target");
  if (target.type === "coordinator") return coordinator(connection, link);
  if (target.dynamic) return dynamic(connection, link, target);
  if (target.address === null) return relay(connection, link);
  if (typeof target.address !== "string") throw new Refused(Condition.invalidField, "an address is a string");
  const address = targetAddress(target.address, connection.nameFacts(target.capabilities));
  return {
    decision: connection.mayPublish(address.acl),
    what: `publishing to ${address.acl}`,
    open: () => {
      checkExists(connection, address);
      return opened(connection, link, address, target);
    },
  };
}

function opened(
  connection: Amqp10Connection,
  link: EngineReceiver,
  address: TargetAddress | null,
  target: TargetInput,
): ReturnType<Opening["open"]> {
  const owner = new TargetLink(connection, link, address);
  const { maximumMessageSize } = connection.context.settings;
  return { owner, target, maxMessageSize: maximumMessageSize, start: () => owner.start() };
}

function coordinator(connection: Amqp10Connection, link: EngineReceiver): Opening {
  const open = (): ReturnType<Opening["open"]> => {
    const owner = new CoordinatorLink(connection, link);
    const target = { type: "coordinator", capabilities: COORDINATOR_CAPABILITIES } as const;
    return { owner, target, start: () => owner.start() };
  };
  return { decision: true, what: "transactions", open };
}

function relay(connection: Amqp10Connection, link: EngineReceiver): Opening {
  const target: TargetInput = { type: "target", address: null };
  return { decision: true, what: "publishing", open: () => opened(connection, link, null, target) };
}

/** A queue of the connection's own that ends with the link (§3.5.4). */
function dynamic(connection: Amqp10Connection, link: EngineReceiver, target: TargetInput): Opening {
  const open = (): ReturnType<Opening["open"]> => {
    const queue = temporaryQueue(connection);
    const to: TargetAddress = { is: "queue", name: queue.name, acl: queue.address };
    const owner = new TargetLink(connection, link, to, () => queue.delete());
    return {
      owner,
      target: { ...target, address: queue.address },
      maxMessageSize: connection.context.settings.maximumMessageSize,
      start: () => owner.start(),
    };
  };
  return { decision: true, what: "a temporary queue", open };
}

/** Nodes that are not made by using them. */
function checkExists(connection: Amqp10Connection, address: TargetAddress): void {
  const { host } = connection;
  if (address.is === "queue" && host.queue(address.name, connection).is === "not-found") {
    throw new Refused(Condition.notFound, `there is no queue ${address.name}`);
  }
  if (address.is !== "exchange") return;
  const exchange = host.exchange(address.exchange);
  if (exchange === null) throw new Refused(Condition.notFound, `there is no exchange ${address.exchange}`);
  if (exchange.internal) throw new Refused(Condition.notAllowed, `the exchange ${address.exchange} is internal`);
}
