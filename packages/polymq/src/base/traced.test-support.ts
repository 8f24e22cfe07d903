import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** What comes on a diagnostics channel while `run` does its work. */
export async function traced(name: string, run: () => Promise<unknown>): Promise<unknown[]> {
  const traces: unknown[] = [];
  const listen = (message: unknown): void => void traces.push(message);
  subscribe(name, listen);
  try {
    await run();
  } finally {
    unsubscribe(name, listen);
  }
  return traces;
}
