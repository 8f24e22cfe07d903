import { runClient } from "../amqp/client-process.ts";

/** Loads only the contender under measurement, so that the memory of the others does not count. */
runClient(async (contender) => {
  switch (contender) {
    case "ours":
      return (await import("./contender-ours.ts")).openOurs;
    case "amqplib":
      return (await import("./contender-amqplib.ts")).openAmqplib;
    case "amqp-client":
      return (await import("./contender-amqp-client.ts")).openAmqpClient;
    case "rabbitmq-client":
      return (await import("./contender-rabbitmq-client.ts")).openRabbitmqClient;
    default:
      return (await import("./contender-raw.ts")).openRawSocket;
  }
});
