import { runStub } from "../amqp/stub-process.ts";
import { Stub10 } from "./stub.ts";

runStub((socket, plan) => new Stub10(socket, plan));
