import { connect } from "polymq/amqp10";
import { nowNs } from "../../harness/clock.ts";
import { runChild } from "../../harness/parent.ts";
import { watchLoop } from "./loop-watch.ts";
import { type LoopPlan, TOPIC, WINDOW_BYTES } from "./plan.ts";

/** Sends large messages to a topic and receives them, on two connections; a warm-up of a whole measurement comes first. */
runChild<LoopPlan>(async (parent) => {
  const { port, size, count } = parent.config;
  const options = { sasl: "none", reconnect: false } as const;
  const [sending, receiving] = [
    await connect(`amqp://127.0.0.1:${port}`, options),
    await connect(`amqp://127.0.0.1:${port}`, options),
  ];
  const window = Math.max(1, Math.floor(WINDOW_BYTES / size));
  const receiver = await (await receiving.createSession()).createReceiver(TOPIC, { credit: 2 * window });
  const sender = await (await sending.createSession()).createSender(TOPIC);
  const data = new Uint8Array(size).map((_, index) => index % 251);
  const receive = async (): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      const delivery = await receiver.receive();
      const came = delivery.message.data;
      if (came?.length !== size || came[0] !== data[0] || came[size - 1] !== data[size - 1])
        throw new Error("a wrong body");
      await receiver.accept(delivery);
    }
  };
  const send = async (): Promise<void> => {
    const open: Promise<unknown>[] = [];
    for (let index = 0; index < count; index += 1) {
      if (open.length === window) await open.shift();
      open.push(sender.send(data, { lent: true }));
    }
    await Promise.all(open);
  };
  await Promise.all([receive(), send()]);
  parent.send({ type: "watch", relay: true });
  const [stop, startNs] = [watchLoop(), nowNs()];
  await Promise.all([receive(), send()]);
  const seconds = (nowNs() - startNs) / 1e9;
  parent.send({ type: "result", data: { rate: count / seconds, delay: stop() } });
  await Promise.all([sending.close(), receiving.close()]);
});
