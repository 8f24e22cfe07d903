import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Amqp10Server, JAVA_MEMORY, startAmqp10Server } from "./amqp10-server.ts";
import { archivedBroker, type JavaBroker } from "./java-broker.ts";
import { spawnTool } from "./spawn-tool.ts";

/** Qpid Broker-J out of Maven Central. */
export function brokerJ(): JavaBroker {
  return archivedBroker("org.apache.qpid:apache-qpid-broker-j:9.2.1:tar.gz:bin", 2);
}

/** Starts Broker-J with AMQP 1.0 alone. What is addressed and not there becomes a queue. */
export function startBrokerJ(): Promise<Amqp10Server> {
  const { home } = brokerJ();
  return startAmqp10Server("broker-j", "", async (port, directory) => {
    const config = join(directory, "initial.json");
    await writeFile(config, JSON.stringify(initialConfig(port)));
    const program = ["-cp", join(home, "lib", "*"), "org.apache.qpid.server.Main"];
    const kept = ["-prop", `qpid.work_dir=${directory}`, "-initial-config-path", config];
    return () => spawnTool("java", [...JAVA_MEMORY, ...program, ...kept], { cwd: directory });
  });
}

function initialConfig(port: number): object {
  const creation = { pattern: "[^/]*", createdOnPublish: true, createdOnConsume: true, nodeType: "queue" };
  const host = { type: "DERBY", nodeAutoCreationPolicies: [{ ...creation, attributes: {} }] };
  return {
    name: "broker",
    modelVersion: "9.0",
    authenticationproviders: [{ name: "anyone", type: "Anonymous" }],
    ports: [
      {
        name: "amqp",
        port,
        bindingAddress: "127.0.0.1",
        protocols: ["AMQP_1_0"],
        authenticationProvider: "anyone",
        virtualhostaliases: ["defaultAlias", "hostnameAlias"].map((type) => ({ name: type, type })),
      },
    ],
    virtualhostnodes: [
      {
        name: "default",
        type: "JSON",
        defaultVirtualHostNode: "true",
        virtualHostInitialConfiguration: JSON.stringify(host),
      },
    ],
  };
}
