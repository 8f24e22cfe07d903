import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Amqp10Server, JAVA_MEMORY, JAVA_READY_MS, startAmqp10Server } from "./amqp10-server.ts";
import { archivedBroker, type JavaBroker } from "./java-broker.ts";
import { runTool } from "./run-tool.ts";
import { spawnTool } from "./spawn-tool.ts";

/** ActiveMQ Artemis out of Maven Central. */
export function artemis(): JavaBroker {
  return archivedBroker("org.apache.activemq:apache-artemis:2.40.0:tar.gz:bin", 1);
}

/** Starts Artemis with the settings that it has by itself. Addresses below `queues.` are queues, though nobody says so, and `refused/nowhere` is not made. */
export function startArtemis(): Promise<Amqp10Server> {
  const { home } = artemis();
  return startAmqp10Server("artemis", "", async (port, directory) => {
    const instance = join(directory, "instance");
    const create = ["create", instance, "--silent", "--allow-anonymous", "--user", "admin", "--password", "admin"];
    const env = { JAVA_ARGS: JAVA_MEMORY.join(" ") };
    const plain = ["--no-autotune", "--no-web", "--nio"];
    await runTool(join(home, "bin", "artemis"), [...create, ...plain], { env, timeoutMs: JAVA_READY_MS });
    await writeFile(join(instance, "etc", "broker.xml"), artemisConfig(port));
    return () => spawnTool(join(instance, "bin", "artemis"), ["run"], { env, group: "own" });
  });
}

function artemisConfig(port: number): string {
  const everything = ["createNonDurableQueue", "deleteNonDurableQueue", "createDurableQueue", "deleteDurableQueue"];
  const permissions = [...everything, "createAddress", "deleteAddress", "consume", "browse", "send", "manage"];
  return `<configuration xmlns="urn:activemq">
  <core xmlns="urn:activemq:core">
    <name>artemis</name>
    <journal-type>NIO</journal-type>
    <journal-min-files>2</journal-min-files>
    <journal-file-size>1M</journal-file-size>
    <paging-directory>data/paging</paging-directory>
    <bindings-directory>data/bindings</bindings-directory>
    <journal-directory>data/journal</journal-directory>
    <large-messages-directory>data/large-messages</large-messages-directory>
    <max-disk-usage>100</max-disk-usage>
    <acceptors><acceptor name="amqp">tcp://127.0.0.1:${port}?protocols=AMQP</acceptor></acceptors>
    <security-settings>
      <security-setting match="#">
        ${permissions.map((type) => `<permission type="${type}" roles="amq"/>`).join("\n        ")}
      </security-setting>
    </security-settings>
    <address-settings>
      <address-setting match="#"><dead-letter-address>DLQ</dead-letter-address></address-setting>
      <address-setting match="queues.#">
        <default-address-routing-type>ANYCAST</default-address-routing-type>
        <default-queue-routing-type>ANYCAST</default-queue-routing-type>
      </address-setting>
      <address-setting match="refused/nowhere">
        <auto-create-queues>false</auto-create-queues>
        <auto-create-addresses>false</auto-create-addresses>
      </address-setting>
    </address-settings>
    <addresses><address name="DLQ"><anycast><queue name="DLQ"/></anycast></address></addresses>
  </core>
</configuration>
`;
}
