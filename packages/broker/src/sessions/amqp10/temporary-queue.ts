import { Condition } from "polymq/amqp10/codec";
import { QUEUE_PREFIX } from "../../core/queues/queue-address.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import { Refused } from "./refused.ts";

/** A queue that a link has made (§3.5.4, `dynamic`): whoever knows its address may send to it, only its connection receives from it. */
export interface TemporaryQueue {
  readonly name: string;
  readonly address: string;
  /** Its link is over, and it with that. Harmless when it is gone already. */
  delete(): void;
}

/** Makes a queue with a name that nobody can guess, which ends with its connection at the latest. @throws {Refused} */
export function temporaryQueue(connection: Amqp10Connection): TemporaryQueue {
  const { host } = connection;
  const result = host.declareQueue({ name: "", durable: false, exclusive: true, autoDelete: false }, connection);
  if (result.is !== "created") throw new Refused(Condition.resourceLimitExceeded, "no further queue can be made");
  const { name } = result.queue;
  // In other virtual hosts nothing below `$queue/` can be reached.
  const address = host.name === "/" ? QUEUE_PREFIX + name : `/queues/${encodeURIComponent(name)}`;
  return { name, address, delete: () => void host.deleteQueue(name, connection) };
}
