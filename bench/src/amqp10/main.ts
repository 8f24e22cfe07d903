import { runClient } from "../amqp/client-process.ts";

/** Loads only the contender under measurement, so that the memory of the others does not count. */
runClient(async (contender) => {
  switch (contender) {
    case "ours":
      return (await import("./contender-ours.ts")).openOurs;
    case "rhea":
      return (await import("./contender-rhea.ts")).openRhea;
    case "rhea-promise":
      return (await import("./contender-rhea-promise.ts")).openRheaPromise;
    default:
      return (await import("./contender-raw.ts")).openRawSocket;
  }
});
