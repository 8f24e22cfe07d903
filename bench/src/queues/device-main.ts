import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { runChild } from "../harness/parent.ts";
import { encodeConnack, FIRST_BYTE, writeAck } from "../mqtt/wire/frames.ts";
import { comparisonRing } from "../mqtt/wire/publish-ring.ts";
import { StreamChecker } from "../mqtt/wire/stream-checker.ts";
import { DeviceLog } from "./device.ts";
import { QUEUE_LEVEL, queueShape } from "./mqtt-generator.ts";

/** Where the messages go, and what they are like. */
export interface DevicePlan {
  readonly path: string;
  readonly queue: string;
  readonly size: number;
}

/** The device's process: a server that does nothing for a message but one synced write, and then acknowledges it. */
runChild<DevicePlan>(async (parent) => {
  const { path, queue, size } = parent.config;
  const log = await DeviceLog.create(path, size);
  const server = createServer({ noDelay: true }, (socket) => serve(socket, log, queue, size));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  parent.send({ type: "listening", data: { port: (server.address() as AddressInfo).port } });
  await parent.next("finish");
  server.close();
  await log.close();
  parent.send({ type: "final" });
});

function serve(socket: Socket, log: DeviceLog, queue: string, size: number): void {
  const puback = Buffer.alloc(4);
  const acknowledge = async (packetId: number): Promise<void> => {
    await log.append();
    writeAck(puback, 0, FIRST_BYTE.puback, packetId);
    socket.write(puback);
  };
  const checker = new StreamChecker(comparisonRing(queueShape(queue, size)), {
    onPublishes: (count, ids) => {
      if (count !== 1) throw new Error("one message may be outstanding");
      void acknowledge(ids[0] ?? 0);
    },
    onAck: () => {
      throw new Error("an acknowledgement, and nothing was delivered");
    },
    onFrame: (frame) => {
      if (frame[0] === FIRST_BYTE.connect) socket.write(encodeConnack(QUEUE_LEVEL));
      else if (frame[0] !== FIRST_BYTE.disconnect) throw new Error(`an unexpected packet: [${frame}]`);
    },
  });
  socket.on("data", (chunk) => checker.feed(chunk));
}
