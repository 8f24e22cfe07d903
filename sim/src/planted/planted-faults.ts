import type { PlantedFault } from "../world/planted-fault.ts";
import { givenBackAsAccepted, rangeCutShort } from "./amqp10-dispositions.ts";
import { earlyAck } from "./early-ack.ts";
import { nackAsAck } from "./nack-as-ack.ts";
import { pubrelTwice } from "./pubrel-twice.ts";
import { droppedDeadLetter, lostCursor, reusedOffset, takenBackTooSoon } from "./queue-faults.ts";
import { commitTooFar, overtakenInStream } from "./streams.ts";
import { tornBatch } from "./torn-batch.ts";
import { countedAtOnce, rollbackAsCommit } from "./transactions.ts";

/** Every mistake that the seeds of the unit tier must find. */
export function plantedFaults(): readonly PlantedFault[] {
  return [
    earlyAck,
    lostCursor,
    pubrelTwice(),
    reusedOffset,
    droppedDeadLetter,
    tornBatch,
    nackAsAck,
    givenBackAsAccepted,
    rangeCutShort,
    rollbackAsCommit,
    countedAtOnce,
    takenBackTooSoon,
    commitTooFar,
    overtakenInStream,
  ];
}
