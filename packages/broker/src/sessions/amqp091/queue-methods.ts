import { type MethodOf, ReplyCode } from "polymq/amqp091/codec";
import type { HostedQueueDefinition, QueueCounts } from "../../core/topology/topology-port.ts";
import { allowedToBind, bindingOf, changeBinding } from "./exchange-methods.ts";
import type { MethodScene } from "./method-scene.ts";
import { REPLY_PREFIX } from "./publish-route.ts";
import { checkFlags, inClientWords, QUEUE_FIELDS, queueSettingsOf } from "./queue-arguments.ts";
import { inequivalent, locked, named, notFound, refusedSetting, reserved } from "./refusals.ts";
import { ReplyError } from "./reply-error.ts";

/** The name that stands for answers over direct reply-to. */
export const REPLY_QUEUE = "amq.rabbitmq.reply-to";

/** `queue.declare`. */
export function declareQueue(scene: MethodScene, method: MethodOf<"queue.declare">): void {
  const { queue: name } = method;
  if (name === REPLY_QUEUE || name.startsWith(REPLY_PREFIX)) return declareReply(scene, method);
  const asked = method.passive && name === "" ? scene.lastQueue : name;
  scene.whenAllowed(mayUse(scene, asked), `queue '${asked}'`, method, () => {
    const { host, owner } = scene;
    if (method.passive) return declared(scene, method, found(scene, asked));
    const what = named("queue", name, host.name);
    const { durable, exclusive, autoDelete } = method;
    const settings = queueSettingsOf(method.arguments, what);
    if (host.queue(name, owner).is === "not-found") checkFlags(method, settings, what);
    const definition: HostedQueueDefinition = { name, durable, exclusive, autoDelete, settings };
    const result = host.declareQueue(definition, owner);
    switch (result.is) {
      case "created":
      case "existing":
        return declared(scene, method, result.queue);
      case "inequivalent":
        if (result.field === "exclusive") throw locked(name, host.name);
        throw inequivalent(inClientWords(result), QUEUE_FIELDS, what);
      case "locked":
        throw locked(name, host.name);
      case "reserved":
        throw reserved("queue", name);
      default:
        throw refusedSetting(result, QUEUE_FIELDS, what);
    }
  });
}

/** Somebody looks whether a client still waits for its answers. */
function declareReply(scene: MethodScene, method: MethodOf<"queue.declare">): void {
  const { queue: name } = method;
  if (name !== REPLY_QUEUE && !scene.awaitsReplies(name)) throw notFound("queue", name, scene.host.name);
  declared(scene, method, { name: method.queue, messages: 0, consumers: 1 });
}

function declared(scene: MethodScene, method: MethodOf<"queue.declare">, counts: QueueCounts): void {
  scene.lastQueue = counts.name;
  if (method.noWait) return;
  scene.answer({
    method: "queue.declare-ok",
    queue: counts.name,
    messageCount: counts.messages,
    consumerCount: counts.consumers,
  });
}

/** `queue.bind` and `queue.unbind`. */
export function bindQueue(scene: MethodScene, method: MethodOf<"queue.bind"> | MethodOf<"queue.unbind">): void {
  const { exchange } = method;
  const name = queueName(scene, method.queue);
  // Without both, the key is the queue's name (AMQP 0-9-1 §1.7.2.3).
  const key = method.queue === "" && method.routingKey === "" ? name : method.routingKey;
  const is = method.method === "queue.bind" ? "bind" : "unbind";
  allowedToBind(scene, exchange, key, method, () => {
    changeBinding(scene, is, bindingOf(exchange, { is: "queue", name }, key, method.arguments));
    if (method.method === "queue.unbind") scene.answer({ method: "queue.unbind-ok" });
    else if (!method.noWait) scene.answer({ method: "queue.bind-ok" });
  });
}

/** `queue.purge`. */
export function purgeQueue(scene: MethodScene, method: MethodOf<"queue.purge">): void {
  const { host, owner } = scene;
  const name = queueName(scene, method.queue);
  scene.whenAllowed(mayUse(scene, name), `queue '${name}'`, method, () => {
    const result = host.purgeQueue(name, owner);
    if (result.is !== "purged") throw missing(result.is, name, host.name);
    if (!method.noWait) scene.answer({ method: "queue.purge-ok", messageCount: result.messages });
  });
}

/** `queue.delete`; one that is not there counts as deleted, as in RabbitMQ. */
export function deleteQueue(scene: MethodScene, method: MethodOf<"queue.delete">): void {
  const { host, owner } = scene;
  const name = queueName(scene, method.queue);
  scene.whenAllowed(mayUse(scene, name), `queue '${name}'`, method, () => {
    const { ifUnused, ifEmpty } = method;
    const result = host.deleteQueue(name, owner, { ifUnused, ifEmpty });
    const what = named("queue", name, host.name);
    if (result.is === "locked") throw locked(name, host.name);
    if (result.is === "in-use") throw new ReplyError(ReplyCode.PreconditionFailed, `${what} in use`);
    if (result.is === "not-empty") throw new ReplyError(ReplyCode.PreconditionFailed, `${what} not empty`);
    const messageCount = result.is === "deleted" ? result.messages : 0;
    if (!method.noWait) scene.answer({ method: "queue.delete-ok", messageCount });
  });
}

/** The queue that a method means: the one declared last on the channel when it names none. @throws {ReplyError} 404 */
export function queueName(scene: Pick<MethodScene, "lastQueue">, name: string): string {
  if (name !== "") return name;
  if (scene.lastQueue === "") throw new ReplyError(ReplyCode.NotFound, "no previously declared queue");
  return scene.lastQueue;
}

/** The queue, which has to be there. @throws {ReplyError} 404, 405 */
function found({ host, owner }: MethodScene, name: string): QueueCounts {
  const result = host.queue(name, owner);
  if (result.is !== "found") throw missing(result.is, name, host.name);
  return result.queue;
}

function missing(is: "locked" | "not-found", name: string, host: string): ReplyError {
  return is === "locked" ? locked(name, host) : notFound("queue", name, host);
}

/** Queues are known to access control by their address. */
function mayUse(scene: MethodScene, name: string): ReturnType<MethodScene["access"]["maySubscribe"]> {
  // A queue with a name that nobody knows yet is nobody else's.
  return name === "" ? true : scene.access.maySubscribe(`$queue/${name}`, null);
}
