import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { type Parent, runChild } from "../harness/parent.ts";
import type { Phase } from "../mqtt/client/rows.ts";
import type { StubPlan } from "./plan.ts";

/** The protocol's side of a stub server: one connection of a client. */
export interface Stub {
  /** Messages counted since the start. */
  readonly total: number;
  /** True when the client's bytes ended with a frame. */
  readonly isWhole: boolean;
  /** As of `Progress`. */
  begin(count: number, mark: number): Promise<number>;
  onChunk(chunk: Buffer): void;
}

/** Runs a stub server for one client: says "listening", takes phases ("ready", then "done"), and at "finish" what it has counted. */
export function runStub(make: (socket: Socket, plan: StubPlan) => Stub): void {
  runChild<StubPlan>(async (parent) => {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const accepted = accept(server);
    const address = server.address();
    parent.send({ type: "listening", data: typeof address === "object" ? address?.port : 0 });
    const socket = await accepted;
    const stub = make(socket, parent.config);
    socket.on("data", (chunk: Buffer) => stub.onChunk(chunk));
    const closed = once(socket, "close");
    servePhases(parent, stub);
    await parent.next("finish");
    await closed;
    if (!stub.isWhole) throw new Error("the client's bytes end inside a frame");
    parent.send({ type: "final", data: stub.total });
  });
}

async function accept(server: Server): Promise<Socket> {
  const socket = await new Promise<Socket>((resolve) => server.once("connection", resolve));
  server.close();
  return socket;
}

function servePhases(parent: Parent<StubPlan>, stub: Stub): void {
  const serve = async (): Promise<never> => {
    while (true) {
      const { count, mark } = await parent.next<Phase>("phase");
      const done = stub.begin(count, mark);
      parent.send({ type: "ready", relay: true });
      parent.send({ type: "done", relay: true, data: await done });
    }
  };
  serve().catch((error: unknown) => {
    throw error; // becomes an unhandled rejection, which the harness reports as this process's fault
  });
}
