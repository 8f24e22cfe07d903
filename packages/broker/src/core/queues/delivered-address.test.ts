import { expect, test } from "vitest";
import { deliveredAddress } from "./delivered-address.ts";
import { keyStartIn } from "./queue-address.ts";
import type { DeadLetterFacts } from "./queue-message.ts";

test.each([
  ["", "$queue/m"],
  ["m", "$queue/m"],
  ["$queue/m", "$queue/m"],
  ["$queue/m/acme/temp", "$queue/m/acme/temp"],
  ["m/acme/temp", "$queue/m/acme/temp"],
  ["acme/temp", "$queue/m/acme/temp"],
  ["$queue/orders/x", "$queue/m/$queue/orders/x"],
  ["$queue/mm/x", "$queue/m/$queue/mm/x"],
  ["mm/x", "$queue/m/mm/x"],
])("a message published on %j is delivered from queue m on %s", (topic, delivered) => {
  expect(deliveredAddress({ topic, keyStart: keyStartIn(topic, "m"), deadLetter: null }, "m")).toBe(delivered);
});

test.each([
  ["$queue/m", "m", "$queue/$dlq/m"],
  ["$queue/m/acme/temp", "m", "$queue/$dlq/m/acme/temp"],
  ["$queue/m/x", "m", "$queue/$dlq/m/x"],
  ["acme/temp", "m", "$queue/$dlq/m/acme/temp"],
  ["$queue/orders/x", "m", "$queue/$dlq/m"],
])("a message published on %j that died in queue %s is delivered on %s", (topic, queue, delivered) => {
  const letter = { topic, keyStart: keyStartIn(topic, queue), deadLetter: {} as DeadLetterFacts };
  expect(deliveredAddress(letter, `$dlq/${queue}`)).toBe(delivered);
});
