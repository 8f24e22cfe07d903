import { join } from "node:path";
import { runTool } from "../harness/run-tool.ts";
import type { Need, PeerTarget, Scenario } from "./scenario.ts";

const TIMEOUT_MS = 30_000;
const SCRIPT = join(import.meta.dirname, "python", "paho_scenarios.py");

/** Everything that Debian's python3-paho-mqtt (1.6) is made to do with a broker; the scenarios are in Python. */
export const pahoPythonScenarios: readonly Scenario[] = [
  ...atBothLevels("qos0", "QoS 0 messages arrive in order, once"),
  ...atBothLevels("qos1", "QoS 1 messages arrive in order, once"),
  ...atBothLevels("qos2", "QoS 2 messages arrive in order, once"),
  ...atBothLevels("large", "1 MiB travels unharmed"),
  ...atBothLevels("retained", "a retained message meets later subscribers and an empty one clears it"),
  ...atBothLevels("unsubscribe", "nothing comes after unsubscribe"),
  ...atBothLevels("many_subscriptions", "300 filters in one SUBSCRIBE each get their message"),
  ...atBothLevels("session_resumes", "a session keeps subscriptions and queued messages over a disconnect"),
  ...atBothLevels("will", "the will is sent when the connection breaks, and not after DISCONNECT"),
  ...atBothLevels("takeover", "a second client with the same identifier takes over"),
  ...atBothLevels("shared", "a shared subscription spreads messages over its members, once each"),
  ...atBothLevels("web_socket", "WebSocket", ["websocket"]),
  ...atBothLevels("tls", "TLS under a private authority, and no other", ["tls"]),
  ...atBothLevels("login", "a right password gets in and a wrong one does not", ["login"]),
  atLevel(5, "publish_properties", "every property of a message reaches the subscriber"),
  atLevel(5, "subscription_options", "no-local, retain-as-published and retain handling 2"),
  atLevel(5, "subscription_identifier", "subscription identifiers say which filter matched"),
  atLevel(5, "message_expiry", "a queued message expires and its interval counts down"),
  atLevel(5, "topic_alias", "a client's topic alias stands for its topic", ["client-topic-alias"]),
  atLevel(5, "receive_maximum", "receive maximum 1 keeps the server to one message in flight"),
  atLevel(5, "assigned_client_id", "an empty client identifier is given one"),
  atLevel(5, "request_response", "request and response find each other by correlation data"),
  atLevel(5, "unsubscribe_reasons", "unsubscribing what was not subscribed is 0x11"),
  atLevel(5, "will_delay", "the will waits for its delay and carries its properties"),
];

function atBothLevels(script: string, name: string, needs: readonly Need[] = []): readonly Scenario[] {
  return [atLevel(4, script, name, needs), atLevel(5, script, name, needs)];
}

function atLevel(level: 4 | 5, script: string, name: string, needs: readonly Need[] = []): Scenario {
  return {
    name: `paho-mqtt (Python) ${level === 4 ? "3.1.1" : "5.0"}: ${name}`,
    needs,
    run: async (target) => {
      const stdin = JSON.stringify({ ...target, level, ws: webSocket(target) });
      await runTool("python3", [SCRIPT, script], { stdin, timeoutMs: TIMEOUT_MS });
    },
  };
}

/** paho wants the URL in parts. */
function webSocket(target: PeerTarget): { readonly host: string; port: number; path: string } | null {
  if (target.wsUrl === undefined) return null;
  const url = new URL(target.wsUrl);
  return { host: url.hostname, port: Number(url.port || 80), path: url.pathname };
}
