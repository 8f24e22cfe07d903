import type { Client, MessagingError } from "polymq";
import type { CommandCall } from "../command.ts";
import type { Environment } from "../environment.ts";
import { ExitCode } from "../exit-code.ts";
import { describeFailure } from "../failure.ts";
import { addressOf, type ConnectionFlags, clientOptions } from "../options/connection.ts";
import { StopRequests } from "../stop-requests.ts";

/** A connected client, and what can end its command. */
export interface Session {
  readonly client: Client;
  readonly env: Environment;
  readonly stop: StopRequests;
  /** Resolves with the reason when the connection is lost for good; never rejects. */
  readonly lost: Promise<MessagingError>;
}

/** Connects, runs `use`, and closes. Stopped meanwhile, it ends with `interrupted` unless `use` says otherwise. */
export async function withClient(
  { flags, env }: CommandCall<ConnectionFlags>,
  use: (session: Session) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { url } = addressOf(flags);
  const options = await clientOptions(flags, env.readFile);
  const stop = new StopRequests(env, "output");
  try {
    const client = await env.connect(url, { ...options, signal: stop.signal });
    try {
      return await use({ client, env, stop, lost: watch(client, flags, env) });
    } finally {
      await client.close();
    }
  } catch (error) {
    if (stop.signal.aborted) return ExitCode.interrupted;
    throw error;
  } finally {
    stop.forget();
  }
}

/** Tells of the connection on standard error, and resolves when it will not come back. */
function watch(client: Client, flags: ConnectionFlags, env: Environment): Promise<MessagingError> {
  const note = (text: string): void => {
    if (flags.quiet !== true) env.err(`polymq: ${text}\n`);
  };
  client.on("reconnected", ({ server }) => note(`connected again to ${server}`));
  client.on("handlerError", ({ error }) => note(describeFailure(error)));
  client.on("backgroundError", ({ error }) => note(describeFailure(error)));
  return new Promise((resolve) => {
    client.on("connectionLost", ({ error }) => {
      note(`connection lost: ${describeFailure(error)}`);
      if (flags.reconnect === false) resolve(error);
    });
    client.on("reconnectFailed", ({ error }) => resolve(error));
    void client.closed.then((error) => {
      if (error !== null) resolve(error);
    });
  });
}
