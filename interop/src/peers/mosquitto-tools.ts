import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { runTool } from "../harness/run-tool.ts";
import { type ToolStage, withBothVersions, withVersion } from "./mosquitto-tools-stage.ts";
import { MqttJsPeer } from "./mqtt-js-peer.ts";
import { given, type Scenario, type TlsTarget, uniqueName } from "./scenario.ts";

const MESSAGES = 20;
const LARGE_BYTES = 1024 * 1024;

/** Everything that mosquitto_pub, mosquitto_sub and mosquitto_rr are made to do with a broker. */
export const mosquittoToolScenarios: readonly Scenario[] = [
  ...["0", "1", "2"].flatMap((qos) =>
    withBothVersions(`QoS ${qos} messages arrive in order, once`, (stage) => order(stage, qos)),
  ),
  ...withBothVersions("a retained message meets later subscribers and an empty one clears it", retained),
  ...withBothVersions("--remove-retained clears what it received", removeRetained),
  ...withBothVersions("1 MiB travels unharmed", large),
  ...withBothVersions("several filters in one client", severalFilters),
  ...withBothVersions("a killed client's will is sent, an ended one's is not", will),
  ...withBothVersions("a session keeps its messages for mosquitto_sub -c -i", sessionResumes),
  ...withBothVersions("a shared subscription spreads messages over its members, once each", shared),
  ...withBothVersions("mosquitto_rr gets its answer", requestResponse),
  ...withBothVersions("$SYS has statistics", sysTopics, ["sys-topics"]),
  ...withBothVersions("a right password gets in and a wrong one does not", login, ["login"]),
  ...withBothVersions("TLS under a private authority, and no other", overTls, ["tls"]),
  ...withBothVersions("TLS with a client certificate, and not without", overMutualTls, ["mutual-tls"]),
  withVersion("mqttv5", "every property of a message reaches the subscriber", properties),
  withVersion("mqttv5", "a topic alias stands for its topic", topicAlias, ["client-topic-alias"]),
  withVersion("mqttv5", "the subscription identifier comes back", subscriptionIdentifier),
  withVersion("mqttv5", "DISCONNECT with 0x04 sends the will", willOnRequest),
  withVersion("mqttv5", "the will carries its properties after its delay", willProperties),
];

async function order(stage: ToolStage, qos: string): Promise<void> {
  const subscriber = await stage.subscriber(["-t", stage.topic, "-q", qos, "-C", `${MESSAGES + 1}`], "%t %q %r %p");
  const sent = Array.from({ length: MESSAGES }, (_, index) => `line ${index}`);
  await stage.pubLines(["-t", stage.topic, "-q", qos], sent);
  await stage.pub(["-t", stage.topic, "-q", qos, "-m", "end"]);
  assert.deepEqual(
    await subscriber.finished(),
    [...sent, "end"].map((line) => `${stage.topic} ${qos} 0 ${line}`),
  );
}

async function retained(stage: ToolStage): Promise<void> {
  await stage.pub(["-t", stage.topic, "-q", "1", "-r", "-m", "kept"]);
  const first = await stage.sub(["-t", stage.topic, "-q", "1", "-C", "1", "-F", "%r %p"]);
  assert.equal(first.stdout, "1 kept\n");
  await stage.pub(["-t", stage.topic, "-q", "1", "-r", "-n"]);
  const later = await stage.subscriber(["-t", stage.topic, "-q", "1", "-C", "1"], "%r %p");
  await stage.pub(["-t", stage.topic, "-q", "1", "-m", "new"]);
  assert.deepEqual(await later.finished(), ["0 new"]);
}

async function removeRetained(stage: ToolStage): Promise<void> {
  await stage.pub(["-t", stage.topic, "-q", "1", "-r", "-m", "kept"]);
  const remover = await stage.subscriber(["-t", stage.topic, "-q", "1", "--remove-retained"], "%r [%p]");
  // Its own empty message comes back to it, which shows that the broker has taken it.
  await remover.waitFor("0 []");
  assert.deepEqual(remover.received, ["1 [kept]", "0 []"]);
  const later = await stage.subscriber(["-t", stage.topic, "-q", "1", "-C", "1"], "%r %p");
  await stage.pub(["-t", stage.topic, "-q", "1", "-m", "new"]);
  assert.deepEqual(await later.finished(), ["0 new"]);
}

async function large(stage: ToolStage): Promise<void> {
  const payload = randomBytes(LARGE_BYTES);
  await stage.pub(["-t", stage.topic, "-q", "2", "-r", "-s"], { stdin: payload });
  const received = await stage.sub(["-t", stage.topic, "-q", "2", "-C", "1", "-N"]);
  assert.ok(payload.equals(received.stdoutBytes), "the payload differs");
  await stage.pub(["-t", stage.topic, "-q", "1", "-r", "-n"]);
}

async function severalFilters(stage: ToolStage): Promise<void> {
  const filters = [`${stage.topic}/a/+`, `${stage.topic}/b/#`, `${stage.topic}/c`];
  const topics = [`${stage.topic}/a/1`, `${stage.topic}/b`, `${stage.topic}/b/2/3`, `${stage.topic}/c`];
  const args = filters.flatMap((filter) => ["-t", filter]);
  const subscriber = await stage.subscriber([...args, "-q", "1", "-C", `${topics.length}`], "%t");
  for (const topic of [`${stage.topic}/a`, `${stage.topic}/c/1`, ...topics]) {
    await stage.pub(["-t", topic, "-q", "1", "-m", "x"]);
  }
  assert.deepEqual(await subscriber.finished(), topics);
}

async function will(stage: ToolStage): Promise<void> {
  const willTopic = `${stage.topic}/will`;
  const watcher = await stage.subscriber(["-t", willTopic, "-q", "1", "-C", "2"], "%q %p");
  const options = ["-t", stage.topic, "--will-topic", willTopic, "--will-qos", "1", "--will-payload"];
  const ended = await stage.subscriber([...options, "ended", "-C", "1"]);
  await stage.pub(["-t", stage.topic, "-m", "x"]);
  await ended.finished();
  const killed = await stage.subscriber([...options, "killed"]);
  await killed.tool.stop({ signal: "SIGKILL" });
  await watcher.waitFor("1 killed");
  await stage.pub(["-t", willTopic, "-q", "1", "-m", "end"]);
  assert.deepEqual(await watcher.finished(), ["1 killed", "1 end"]);
}

/** mosquitto_sub 2.0.11 answers SIGTERM with reason code 0x04, disconnect with will message. */
async function willOnRequest(stage: ToolStage): Promise<void> {
  const willTopic = `${stage.topic}/will`;
  const watcher = await stage.subscriber(["-t", willTopic, "-q", "1", "-C", "1"]);
  const options = ["--will-topic", willTopic, "--will-qos", "1", "--will-payload", "asked for"];
  const ended = await stage.subscriber(["-t", stage.topic, ...options]);
  await ended.tool.stop({ signal: "SIGTERM" });
  assert.deepEqual(await watcher.finished(), ["asked for"]);
}

async function sessionResumes(stage: ToolStage): Promise<void> {
  const options = [...stage.lasting(uniqueName("session")), "-t", stage.topic, "-q", "2"];
  await stage.sub([...options, "-E"]);
  const sent = Array.from({ length: MESSAGES }, (_, index) => `queued ${index}`);
  await stage.pubLines(["-t", stage.topic, "-q", "2"], sent);
  const resumed = await stage.sub([...options, "-C", `${MESSAGES}`]);
  assert.deepEqual(resumed.stdout.trimEnd().split("\n"), sent);
}

async function shared(stage: ToolStage): Promise<void> {
  const filter = `$share/group/${stage.topic}`;
  const args = ["-t", filter, "-t", `${stage.topic}/end`, "-q", "1"];
  const members = [await stage.subscriber(args), await stage.subscriber(args)];
  const sent = Array.from({ length: MESSAGES }, (_, index) => `job ${index}`);
  await stage.pubLines(["-t", stage.topic, "-q", "1"], sent);
  await stage.pub(["-t", `${stage.topic}/end`, "-q", "1", "-m", "end"]);
  for (const member of members) await member.waitFor("end");
  const received = members.map((member) => member.received.filter((line) => line !== "end"));
  assert.deepEqual(received.flat().sort(), [...sent].sort());
  for (const lines of received) assert.ok(lines.length > 0, "a member got nothing");
}

/** MQTT.js answers; mosquitto_rr asks, with the properties of 5.0 or with nothing but the two topics of 3.1.1. */
async function requestResponse(stage: ToolStage): Promise<void> {
  const answers = `${stage.topic}/answers`;
  const responder = await MqttJsPeer.connect(`mqtt://${stage.target.host}:${stage.target.port}`, {
    protocolVersion: stage.version === "mqttv5" ? 5 : 4,
  });
  try {
    await responder.client.subscribeAsync(stage.topic, { qos: 1 });
    const options = stage.version === "mqttv5" ? ["-D", "publish", "correlation-data", "c-1"] : [];
    const asking = rr(stage, ["-t", stage.topic, "-e", answers, "-q", "1", "-m", "question", "-W", "10", ...options]);
    const request = await responder.expect("question");
    const correlationData = request.properties?.correlationData;
    if (stage.version === "mqttv5") {
      assert.equal(request.properties?.responseTopic, answers);
      assert.equal(correlationData?.toString(), "c-1");
    }
    await responder.client.publishAsync(request.properties?.responseTopic ?? answers, "answer", {
      qos: 1,
      ...(correlationData === undefined ? {} : { properties: { correlationData } }),
    });
    assert.equal(await asking, "answer\n");
  } finally {
    await responder.destroy();
  }
}

async function sysTopics(stage: ToolStage): Promise<void> {
  const first = await stage.sub(["-t", "$SYS/#", "-C", "1", "-F", "%t"]);
  assert.match(first.stdout, /^\$SYS\//);
}

async function login(stage: ToolStage): Promise<void> {
  const { port, username, password } = given(stage.target.login, "login");
  const send = ["-p", `${port}`, "-t", stage.topic, "-q", "1", "-m", "x"];
  await stage.pub([...send, "-u", username, "-P", password]);
  for (const wrong of [["-u", username, "-P", `${password}?`], []]) {
    const refused = await stage.pub([...send, ...wrong], { exit: "any" });
    assert.notEqual(refused.code, 0, "a wrong password got in");
    assert.match(refused.stderr, /not authorised|Not authorized|Bad user name or password/i);
  }
}

async function overTls(stage: ToolStage): Promise<void> {
  const tls = given(stage.target.tls, "tls");
  const address = ["-h", "localhost", "-p", `${tls.port}`, "--cafile"];
  await tlsRoundTrip(stage, [...address, tls.caFile]);
  const refused = await stage.pub([...address, tls.untrustedCaFile, "-t", stage.topic, "-m", "x"], { exit: "any" });
  assert.notEqual(refused.code, 0, "an unknown authority was trusted");
}

async function overMutualTls(stage: ToolStage): Promise<void> {
  const tls = given(stage.target.tls, "tls");
  const { port, client, untrustedClient } = given(tls.mutual, "mutual-tls");
  const address = ["-h", "localhost", "-p", `${port}`, "--cafile", tls.caFile];
  await tlsRoundTrip(stage, [...address, ...certificate(client)]);
  for (const wrong of [[], certificate(untrustedClient)]) {
    const refused = await stage.pub([...address, ...wrong, "-t", stage.topic, "-q", "1", "-m", "x"], { exit: "any" });
    assert.notEqual(refused.code, 0, "a stranger got in");
  }
}

async function tlsRoundTrip(stage: ToolStage, address: readonly string[]): Promise<void> {
  const subscriber = await stage.subscriber([...address, "-t", stage.topic, "-q", "2", "-C", `${MESSAGES}`]);
  const sent = Array.from({ length: MESSAGES }, (_, index) => `line ${index}`);
  await stage.pubLines([...address, "-t", stage.topic, "-q", "2"], sent);
  assert.deepEqual(await subscriber.finished(), sent);
}

async function properties(stage: ToolStage): Promise<void> {
  const format = "%q %p C=%C D=%D F=%F R=%R E=%E P=%P";
  const subscriber = await stage.subscriber(["-t", stage.topic, "-q", "1", "-C", "1"], format);
  const sent: readonly (readonly string[])[] = [
    ["content-type", "text/plain"],
    ["correlation-data", "c-1"],
    ["payload-format-indicator", "1"],
    ["response-topic", "answers"],
    ["message-expiry-interval", "1000"],
    ["user-property", "k", "1"],
    ["user-property", "k", "2"],
  ];
  const options = sent.flatMap((property) => ["-D", "publish", ...property]);
  await stage.pub(["-t", stage.topic, "-q", "1", "-m", "x", ...options]);
  const [line = ""] = await subscriber.finished();
  assert.match(line, /^1 x C=text\/plain D=c-1 F=1 R=answers E=(?:1000|99\d) P=k:1 k:2$/);
}

async function topicAlias(stage: ToolStage): Promise<void> {
  const subscriber = await stage.subscriber(["-t", stage.topic, "-q", "1", "-C", "3"], "%t %p [%A]");
  const alias = ["-D", "publish", "topic-alias", "1"];
  await stage.pub(["-t", stage.topic, "-q", "1", "-m", "x", "--repeat", "3", ...alias]);
  assert.deepEqual(
    await subscriber.finished(),
    Array.from({ length: 3 }, () => `${stage.topic} x []`),
  );
}

async function subscriptionIdentifier(stage: ToolStage): Promise<void> {
  const option = ["-D", "subscribe", "subscription-identifier", "268435455"];
  const subscriber = await stage.subscriber(["-t", stage.topic, "-q", "1", "-C", "1", ...option], "%p %S");
  await stage.pub(["-t", stage.topic, "-q", "1", "-m", "x"]);
  assert.deepEqual(await subscriber.finished(), ["x 268435455"]);
}

async function willProperties(stage: ToolStage): Promise<void> {
  const willTopic = `${stage.topic}/will`;
  const watcher = await stage.subscriber(["-t", willTopic, "-q", "1", "-C", "2"], "%p C=%C P=%P");
  const mortal = await stage.subscriber([
    ...["-t", stage.topic, ...stage.lasting(uniqueName("mortal"))],
    ...["--will-topic", willTopic, "--will-qos", "1", "--will-payload", "gone"],
    ...["-D", "will", "will-delay-interval", "1", "-D", "will", "content-type", "text/plain"],
    ...["-D", "will", "user-property", "why", "test"],
  ]);
  await mortal.tool.stop({ signal: "SIGKILL" });
  await stage.pub(["-t", willTopic, "-q", "1", "-m", "first"]);
  assert.deepEqual(await watcher.finished(), ["first C= P=", "gone C=text/plain P=why:test"]);
}

function certificate(pair: NonNullable<TlsTarget["mutual"]>["client"]): readonly string[] {
  return ["--cert", pair.certFile, "--key", pair.keyFile];
}

async function rr(stage: ToolStage, args: readonly string[]): Promise<string> {
  return (await runTool("mosquitto_rr", [...stage.address, ...args])).stdout;
}
