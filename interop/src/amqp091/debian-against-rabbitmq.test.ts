import { afterAll, beforeAll, describe, test } from "vitest";
import { makeCertificates } from "../harness/make-certificates.ts";
import { requireOrSkip } from "../harness/require-or-skip.ts";
import { type Rabbitmq, startRabbitmq } from "../harness/start-rabbitmq.ts";
import { makeTempDir, type TempDir } from "../harness/temp-dir.ts";
import { allDebianScenarios, debianPrograms } from "./debian-scenarios.ts";
import type { DebianTarget } from "./debian-target.ts";

const tools = requireOrSkip("rabbitmq-server", "rabbitmqctl", "openssl", ...debianPrograms);

/** Shows that the scenarios are what RabbitMQ does: our broker is held to the same ones. */
describe.skipIf(tools.skip)(tools.title("Debian's AMQP 0-9-1 clients against RabbitMQ"), () => {
  let directory: TempDir;
  let server: Rabbitmq;
  let target: DebianTarget;

  beforeAll(async () => {
    directory = await makeTempDir("certificates");
    const files = await makeCertificates(directory.path);
    server = await startRabbitmq({
      tls: files,
      plugins: ["rabbitmq_auth_mechanism_ssl"],
      extraLines: [
        "auth_mechanisms.1 = PLAIN",
        "auth_mechanisms.2 = AMQPLAIN",
        "auth_mechanisms.3 = EXTERNAL",
        "ssl_cert_login_from = common_name",
      ],
    });
    await server.addUser("polymq-client", "certificates only");
    target = {
      host: server.host,
      port: server.ports.amqp,
      tls: { port: server.ports.amqps, caFile: files.caFile, client: files.client },
      login: { port: server.ports.amqp, username: "guest", password: "guest" },
    };
  });

  afterAll(async () => {
    await server?.stop();
    await directory?.remove();
  });

  describe("their scenarios", { concurrent: true }, () => {
    for (const scenario of allDebianScenarios) test(scenario.name, () => scenario.run(target));
  });
});
