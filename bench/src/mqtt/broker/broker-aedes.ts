import { once } from "node:events";
import { createServer } from "node:net";
import { Aedes } from "aedes";
import type { RunningBroker } from "./host.ts";

/** Starts aedes with default options behind a plain TCP server on a free port. */
export async function startAedes(): Promise<RunningBroker> {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    async close() {
      server.close();
      await new Promise<void>((resolve) => aedes.close(resolve));
    },
  };
}
