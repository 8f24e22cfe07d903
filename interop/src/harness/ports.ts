import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { pollUntil } from "./deadline.ts";

/**
 * Below Linux's range for outgoing connections (32768 and up), so that no client socket of another test can take a
 * broker's port between its stop and its restart.
 */
const PORT_MIN = 20_000;
const PORT_MAX = 32_767;
const ATTEMPTS_MAX = 200;
const CONNECT_TIMEOUT_MS = 1_000;

/** `count` different ports that nothing listened on at the time of asking, on 127.0.0.1. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let attempt = 0; attempt < ATTEMPTS_MAX && found.size < count; attempt++) {
    const port = randomInt(PORT_MIN, PORT_MAX + 1);
    if (!found.has(port) && (await canListen(port))) found.add(port);
  }
  if (found.size < count) throw new Error(`no ${count} free ports between ${PORT_MIN} and ${PORT_MAX}`);
  return [...found];
}

/** Whether something accepts TCP connections on 127.0.0.1:`port` right now. */
export async function isPortOpen(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error("no answer")));
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Resolves once 127.0.0.1:`port` accepts connections; rejects after `timeoutMs`. */
export function waitForPort(port: number, timeoutMs: number): Promise<void> {
  return pollUntil(
    () => isPortOpen(port),
    timeoutMs,
    () => `nothing listens on 127.0.0.1:${port}`,
  );
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer();
  server.listen({ host: "127.0.0.1", port, exclusive: true });
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
