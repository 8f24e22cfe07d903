/** AMQP 1.0: connect with a password, send, receive and accept; what ends says whether it was the link, the session or the connection. */
import { startBroker } from "@polymq/broker";
import { connect, isConnectionError, isLinkError } from "polymq/amqp10";

const user = { username: "access-key-name", password: "access-key" };
// A broker in this process, unless POLYMQ_AMQP10_URL names another one, such as `amqps://name:key@my-namespace.servicebus.windows.net`.
const given = process.env["POLYMQ_AMQP10_URL"];
const address = process.env["POLYMQ_AMQP10_ADDRESS"] ?? "$queue/queue-name";
const broker = given === undefined ? await startBroker({ port: 0, users: [user] }) : null;
const connection = await connect(given ?? `amqp://${user.username}:${user.password}@127.0.0.1:${broker?.port}`);

try {
  const session = await connection.createSession();

  const sender = await session.createSender(address);
  // Resolves with the outcome once the server has the message; the signal bounds the waiting.
  const outcome = await sender.send(new TextEncoder().encode("Hello!"), { signal: AbortSignal.timeout(5_000) });
  print(`sent: ${outcome !== null && "type" in outcome ? outcome.type : "settled"}`);
  await sender.close();

  const receiver = await session.createReceiver(address);
  for await (const delivery of receiver) {
    await delivery.accept();
    const { data } = delivery.message;
    print(`Message received: ${data === null ? "" : new TextDecoder().decode(data)}`);
    // A program that goes on for ever leaves this out.
    await receiver.close({ signal: AbortSignal.timeout(1_000) });
  }

  // A server that refuses a link says why, and the session goes on.
  await session.createReceiver("/queues/nobody-made-it").catch((error: unknown) => {
    if (!isLinkError(error)) throw error;
    print(`refused: ${error.peer?.code}`);
  });

  // What is called on a connection that is over says so, on its sessions and links as well.
  const late = await session.createSender(address);
  await connection.close();
  await late.send("too late").catch((error: unknown) => print(`a connection's error: ${isConnectionError(error)}`));
} finally {
  await connection.close();
  await broker?.close();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
