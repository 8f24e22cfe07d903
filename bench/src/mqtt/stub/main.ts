import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { type Parent, runChild } from "../../harness/parent.ts";
import type { Phase } from "../client/rows.ts";
import { StubConnection, type StubPlan } from "./connection.ts";

/**
 * The stub server: one process, one connection. It says "listening" with its port, takes phases from the client's
 * process ("phase" is answered by "ready" and later by "done"), and on "finish" says what it has counted.
 */
runChild<StubPlan>(async (parent) => {
  const server = createServer({ noDelay: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = accept(server, parent.config);
  const address = server.address();
  parent.send({ type: "listening", data: typeof address === "object" ? address?.port : 0 });
  const { connection, closed } = await accepted;
  servePhases(parent, connection);
  await parent.next("finish");
  await closed;
  if (!connection.isWhole) throw new Error("the client's bytes end inside a packet");
  parent.send({ type: "final", data: connection.role.total });
});

interface Accepted {
  readonly connection: StubConnection;
  readonly closed: Promise<unknown>;
}

async function accept(server: Server, plan: StubPlan): Promise<Accepted> {
  const socket = await new Promise<Socket>((resolve) => server.once("connection", resolve));
  server.close();
  const connection = new StubConnection(socket, plan);
  socket.on("data", (chunk: Buffer) => connection.onChunk(chunk));
  return { connection, closed: once(socket, "close") };
}

function servePhases(parent: Parent<StubPlan>, connection: StubConnection): void {
  const serve = async (): Promise<never> => {
    while (true) {
      const { count, mark } = await parent.next<Phase>("phase");
      const done = connection.role.begin(count, mark);
      parent.send({ type: "ready", relay: true });
      parent.send({ type: "done", relay: true, data: await done });
    }
  };
  serve().catch((error: unknown) => {
    throw error; // becomes an unhandled rejection, which the harness reports as this process's fault
  });
}
