import { asMessagingError, type MessagingError } from "../../base/errors.ts";
import { backoff } from "../../supervisor/backoff.ts";
import { Supervisor } from "../../supervisor/supervisor.ts";
import type { Platform } from "../../transport/platform.ts";
import type { Connector } from "./connector.ts";
import type { Settings } from "./options.ts";

/** What a client is told of its attempts. */
export interface SupervisionOwner {
  /** A server is about to be tried; `attempt` counts rounds over all servers from 1. */
  onAttempt(attempt: number, serverIndex: number): void;
  /** No further attempt will be made. */
  onGaveUp(error: MessagingError): void;
}

/** Makes the supervisor of a client: the reconnect options in its terms, every error typed. */
export function makeSupervisor(
  settings: Settings,
  platform: Platform,
  connector: Connector,
  owner: SupervisionOwner,
): Supervisor {
  const rules = settings.reconnect ?? {};
  const { delay } = rules;
  return new Supervisor({
    clock: platform.clock,
    serverCount: () => connector.serverCount,
    connect: (index, signal) => connector.connect(index, signal),
    backoff: backoff(
      {
        initialDelayMs: rules.initialDelayMs,
        maxDelayMs: rules.maxDelayMs,
        jitter: rules.jitter,
        delay:
          delay === undefined
            ? undefined
            : (attempt, error) => delay(attempt, asMessagingError(error, "ERR_CONNECT_FAILED")),
      },
      () => platform.random(),
    ),
    attemptsMax: rules.maxAttempts,
    firstConnect: rules.retryFirstConnect === true ? "retry" : "once",
    shouldReconnect: predicate(settings),
    handler: {
      onAttempt: (attempt, index) => owner.onAttempt(attempt, index),
      onWaiting: () => undefined,
      onGaveUp: (error) => owner.onGaveUp(asMessagingError(error, "ERR_CONNECT_FAILED")),
    },
  });
}

function predicate(settings: Settings): (error: Error, attempt: number) => boolean {
  if (settings.reconnect === null) return () => false;
  const shouldReconnect = settings.reconnect.shouldReconnect ?? mayHelp;
  return (error, attempt) => shouldReconnect(asMessagingError(error, "ERR_CONNECT_FAILED"), attempt);
}

/** Another connection may go well whatever the last one was lost for; another attempt, unless what it failed with is wrong by itself. */
function mayHelp(error: MessagingError, attempt: number): boolean {
  return attempt === 0 || error.retry !== "never" || error.scope === "message";
}
