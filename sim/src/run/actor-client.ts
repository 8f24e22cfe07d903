import { isMessagingError, type MqttClientOptions } from "polymq/mqtt";
import { SimClient } from "../world/sim-client.ts";
import { passed } from "../world/world.ts";
import type { Stage } from "./workload.ts";

/** Sessions outlive every run. */
const SESSION_SECONDS = 86_400;

/** A client whose session lasts, with the run's own settings; version and window are drawn. */
export function lastingClient(name: string, stage: Stage, options: Partial<MqttClientOptions> = {}): SimClient {
  const { world, network, profile } = stage;
  const protocolVersion = options.protocolVersion ?? world.chance.pick(profile.protocolVersions);
  const client = new SimClient(
    name,
    {
      protocolVersion,
      cleanStart: false,
      ...(protocolVersion === 5
        ? { sessionExpirySeconds: SESSION_SECONDS, topicAliasMaximum: world.chance.pick([0, 2]) }
        : {}),
      maxInflight: profile.maxInflight,
      keepAliveSeconds: profile.keepAliveSeconds,
      connectTimeoutMs: 5_000,
      reconnect: { retryFirstConnect: true, initialDelayMs: 50, maxDelayMs: 2_000 },
      ...options,
    },
    { world, network },
  );
  client.on("reconnectFailed", ({ error }) => world.violations.push(`${name} gave up: ${error.message}`));
  client.on("backgroundError", ({ error }) => world.violations.push(`${name}: ${error.message}`));
  client.on("state", ({ state }) => world.trace.note(name, state));
  return client;
}

/** Does something that a broken link may fail until it succeeds; other than typed errors are violations. */
export async function untilDone<T>(stage: Stage, what: string, attempt: () => Promise<T>): Promise<T> {
  const { world } = stage;
  for (;;) {
    try {
      return await world.promises.track(what, attempt());
    } catch (error) {
      if (!isMessagingError(error)) world.violations.push(`${what}: an untyped error: ${String(error)}`);
      world.trace.note(what, `failed, ${isMessagingError(error) ? error.code : String(error)}`);
      await passed(world, 100);
    }
  }
}
