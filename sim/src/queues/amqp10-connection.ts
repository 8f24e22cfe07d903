import type { AmqpConnection } from "polymq/amqp10";
import type { MessagingError } from "polymq/internal";
import type { Stage } from "../run/workload.ts";
import { connectAmqp10 } from "../world/sim-amqp10-client.ts";

/** Connects with the run's own settings; what ends that should not is a violation. */
export async function openAmqp10(name: string, stage: Stage): Promise<AmqpConnection> {
  const { world, network, profile } = stage;
  const made = await connectAmqp10(
    name,
    {
      idleTimeoutMs: 1_000 * profile.keepAliveSeconds,
      connectTimeoutMs: 5_000,
      reconnect: { retryFirstConnect: true, initialDelayMs: 50, maxDelayMs: 2_000 },
    },
    { world, network },
  );
  world.trace.note(name, "open");
  // What breaks with the connection while it is being opened is told by the call.
  const wrong = (what: string, error: MessagingError | null): void => {
    if (error !== null && error.code !== "ERR_CLIENT_CLOSED" && error.scope !== "connection")
      world.violations.push(`${name}: ${what}: ${error.message}`);
  };
  made.on("close", ({ error }) => {
    if (error !== null && error.code !== "ERR_CLIENT_CLOSED")
      world.violations.push(`${name}: gave up: ${error.message}`);
  });
  made.on("sessionClose", ({ error }) => wrong("a session was ended", error));
  made.on("linkClose", ({ error }) => wrong("a link was detached", error));
  made.on("handlerError", ({ error }) => void world.violations.push(`${name}: a handler failed: ${String(error)}`));
  made.on("connectionLost", () => world.trace.note(name, "reconnecting"));
  made.on("reconnected", () => world.trace.note(name, "open"));
  return made;
}
