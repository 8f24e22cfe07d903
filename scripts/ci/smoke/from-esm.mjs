import * as broker from "@polymq/broker";
import * as polymq from "polymq";
import * as amqp10 from "polymq/amqp10";
import * as amqp091 from "polymq/amqp091";
import * as mqtt from "polymq/mqtt";
import * as testing from "polymq/testing";
import { runSteps } from "./steps.mjs";

// What hangs must not hold up the caller: exit whatever is open.
process.exit((await runSteps({ polymq, mqtt, amqp091, amqp10, testing, broker })) === 0 ? 0 : 1);
