import type { Option } from "commander";
import type { ClientOptions } from "polymq";
import { nodePlatform } from "polymq/transport";
import { UsageError } from "../failure.ts";
import { collectProperty, option } from "./parse.ts";

/** Flags about the way to the server. */
export interface NetworkFlags {
  readonly bindAddress?: string;
  readonly wsHeader?: Readonly<Record<string, string>>;
}

/** The options behind {@link NetworkFlags}. */
export function networkFlagOptions(): readonly Option[] {
  return [
    option("-A, --bind-address <address>", "address of this machine to connect from (default: the system chooses)"),
    option("--ws-header <name=value>", "header of the WebSocket request; repeatable", collectProperty),
  ];
}

/** How to get there, as the flags want it. @throws {UsageError} */
export function networkOptions(
  { bindAddress, wsHeader }: NetworkFlags,
  url: string,
): Pick<ClientOptions, "dial" | "webSocket"> {
  if (wsHeader !== undefined && !/^wss?:/i.test(url))
    throw new UsageError("--ws-header needs a ws:// or wss:// address");
  return {
    ...(wsHeader === undefined ? {} : { webSocket: { headers: wsHeader } }),
    ...(bindAddress === undefined ? {} : { dial: dialFrom(bindAddress) }),
  };
}

/** Connects as usual, but from this address. */
function dialFrom(localAddress: string): NonNullable<ClientOptions["dial"]> {
  const platform = nodePlatform();
  return (endpoint, options, handler) =>
    platform.dial(endpoint, { ...options, dial: undefined, localAddress }, handler);
}
