import type { Option } from "commander";
import type { CommandCall } from "../command.ts";
import { ExitCode } from "../exit-code.ts";
import { UsageError } from "../failure.ts";
import { envOption, option } from "../options/parse.ts";
import { StopRequests } from "../stop-requests.ts";
import { AdminClient } from "./admin-client.ts";

/** Flags of commands that ask the broker's HTTP side. */
export interface AdminFlags {
  readonly httpUrl?: string;
  readonly httpToken?: string;
  readonly json?: boolean;
}

/** Where `polymq broker` answers HTTP unless it is told. */
const URL_DEFAULT = "http://127.0.0.1:1883";

/** The options behind {@link AdminFlags}. */
export function adminOptions(): readonly Option[] {
  return [
    envOption("--http-url <url>", `the broker's HTTP side (default: ${URL_DEFAULT})`, "POLYMQ_HTTP_URL"),
    envOption("--http-token <token>", "what it wants to be shown", "POLYMQ_HTTP_TOKEN"),
    option("--json", "print lines of JSON"),
  ].map((each) => each.helpGroup("Broker:"));
}

/** Runs `use` with the broker's HTTP side. */
export async function withAdmin(
  { flags, env }: CommandCall<AdminFlags>,
  use: (admin: AdminClient) => Promise<void>,
): Promise<ExitCode> {
  const { httpUrl: url = URL_DEFAULT, httpToken: token } = flags;
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new UsageError("--http-url is an address such as http://127.0.0.1:1883");
  }
  const stop = new StopRequests(env, "output");
  try {
    await use(new AdminClient({ url, token }, env, stop.signal));
    return ExitCode.ok;
  } catch (error) {
    if (stop.signal.aborted) return ExitCode.interrupted;
    throw error;
  } finally {
    stop.forget();
  }
}
