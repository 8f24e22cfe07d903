const broker = require("@polymq/broker");
const polymq = require("polymq");
const amqp10 = require("polymq/amqp10");
const amqp091 = require("polymq/amqp091");
const mqtt = require("polymq/mqtt");
const testing = require("polymq/testing");

// What hangs must not hold up the caller: exit whatever is open.
import("./steps.mjs")
  .then(({ runSteps }) => runSteps({ polymq, mqtt, amqp091, amqp10, testing, broker }))
  .then((failed) => process.exit(failed === 0 ? 0 : 1))
  .catch((error) => {
    process.stderr.write(`${error?.stack ?? error}\n`);
    process.exit(1);
  });
