import { join } from "node:path";
import { type Amqp10Server, JAVA_MEMORY, startAmqp10Server } from "./amqp10-server.ts";
import { assembledBroker, type JavaBroker } from "./java-broker.ts";
import { spawnTool } from "./spawn-tool.ts";

const POM = join(import.meta.dirname, "..", "peers", "java", "activemq", "pom.xml");

/** ActiveMQ Classic, put together of its libraries, for Maven Central does not have its archive. */
export function activemq(): JavaBroker {
  return assembledBroker("activemq-6.1.7", POM);
}

/** Starts ActiveMQ Classic with AMQP alone and a store on disk. It wants SASL, and takes any password. */
export function startActivemq(): Promise<Amqp10Server> {
  const { home } = activemq();
  return startAmqp10Server("activemq", "guest:guest@", async (port, directory) => {
    const settings = `persistent=true&dataDirectory=${directory}&useJmx=false&brokerName=activemq`;
    const program = ["-cp", join(home, "lib", "*"), "org.apache.activemq.console.Main"];
    const start = ["start", `broker:(amqp://127.0.0.1:${port})?${settings}`];
    return () => spawnTool("java", [...JAVA_MEMORY, ...program, ...start]);
  });
}
