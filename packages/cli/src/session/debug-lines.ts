import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** What clients of this process tell of: connections, publishes, deliveries, settlements, warnings. */
const CHANNELS = ["connect", "publish", "deliver", "settle", "warning"] as const;

/** Fields that say the same on each line of a command that has one client. */
const LEFT_OUT: ReadonlySet<string> = new Set(["protocol", "clientId"]);

/** Tells `write` of what clients do, a line each, until the returned function is called. */
export function debugLines(write: (line: string) => void): () => void {
  const listeners = CHANNELS.map((name) => {
    const listener = (trace: unknown): void => write(lineOf(name, trace as object));
    subscribe(`polymq:${name}`, listener);
    return () => void unsubscribe(`polymq:${name}`, listener);
  });
  return () => {
    for (const stop of listeners) stop();
  };
}

/** The kind, and each field with its value; what is nothing is left out. */
function lineOf(name: string, trace: object): string {
  const fields = Object.entries(trace).flatMap(([key, value]) =>
    LEFT_OUT.has(key) || value === null || value === "" ? [] : [`${key}=${valueText(value)}`],
  );
  return `${name} ${fields.join(" ")}`;
}

function valueText(value: unknown): string {
  if (!(value instanceof Error)) return String(value);
  return JSON.stringify("code" in value ? `${String(value.code)}: ${value.message}` : value.message);
}
