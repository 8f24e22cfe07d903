import { runStub } from "../amqp/stub-process.ts";
import { Stub091 } from "./stub.ts";

runStub((socket, plan) => new Stub091(socket, plan));
