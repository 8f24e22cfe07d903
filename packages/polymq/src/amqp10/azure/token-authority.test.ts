import { describe, expect, test } from "vitest";
import type { Clock } from "../../base/clock.ts";
import { type LabServer, labPlatform, quiet, until } from "../client/client-lab.test-support.ts";
import { connectOver } from "../client/connect.ts";
import { MessageView } from "../codec/message-view.ts";
import { plain, typed } from "../codec/values.ts";
import { type Names, text } from "../engine/engine.test-support.ts";
import type { SenderLink } from "../engine/sender-link.ts";
import { parseConnectionString, sharedAccessTokens } from "./shared-access.ts";
import { TokenAuthority } from "./token-authority.ts";

/** A service with `$cbs`: notes what is put, and when links are attached. */
async function azure(status: () => number = () => 202) {
  const servers: LabServer[] = [];
  const log: string[] = [];
  const timers: { ms: number; run: () => void }[] = [];
  const platform = labPlatform({}, (server) => {
    servers.push(server);
    server.onOffer = (link) => {
      const attach = link.state.is === "offered" ? link.state.attach : null;
      const end = (link.isSender ? attach?.source : attach?.target) as { address: string } | null;
      log.push(`attach ${end?.address}`);
      server.links.set(`${link.isSender ? "from" : "to"} ${end?.address}`, link);
      link.accept();
      if (!link.isSender) link.setCredit(100);
    };
    server.outcome = (delivery) => {
      const view = new MessageView(text, delivery.payload);
      const said = view.applicationProperties;
      const of = (name: string) => plain(said?.get(name) ?? null);
      log.push(`${of("operation")} ${of("name")} ${of("type")} ${(view.body as { value: string }).value}`);
      delivery.link.settle(delivery, { type: "accepted" });
      const properties = { correlationId: view.properties?.messageId ?? null };
      const applicationProperties = { "status-code": typed("int", status()), "status-description": "said" };
      const answers = server.links.get("from $cbs") as SenderLink<Names>;
      answers.send({ properties, applicationProperties, body: { type: "value", value: null } }, "m", { settled: true });
    };
  });
  const clock: Clock = {
    nowMs: () => platform.clock.nowMs(),
    epochMs: () => platform.clock.epochMs(),
    nextTurn: (run) => platform.clock.nextTurn(run),
    setTimer: (ms, run) => {
      // Renewals are what waits for minutes.
      if (ms < 60_000) return platform.clock.setTimer(ms, run);
      timers.push({ ms, run });
      return { cancel: () => {} };
    },
  };
  const connection = await connectOver({ ...platform, clock }, "amqp://localhost", {
    idleTimeoutMs: 0,
    reconnect: { initialDelayMs: 0, jitter: "none" },
  });
  const now = platform.clock.epochMs();
  let asked = 0;
  const provider = () => ({ token: `t${++asked}`, type: "jwt" as const, expiresAtMs: now + 3_600_000 });
  return { connection, servers, log, timers, provider };
}

describe("a token authority", () => {
  test("puts a token for an audience, and renews it before it expires", async () => {
    const { connection, log, timers, provider } = await azure();
    const authority = await TokenAuthority.open(connection, provider);
    await authority.authorize("sb://ns/q");
    expect(log.at(-1)).toBe("put-token sb://ns/q jwt t1");
    const renewal = timers.at(-1);
    expect(renewal?.ms).toBeGreaterThan(3_600_000 - 300_000 - 10_000);
    expect(renewal?.ms).toBeLessThanOrEqual(3_600_000 - 300_000);
    renewal?.run();
    await until(() => log.at(-1) === "put-token sb://ns/q jwt t2");
    authority.forget("sb://ns/q");
    await authority.close();
    await connection.close();
  });

  test("puts all tokens again after a reconnect, before other links come back", async () => {
    const { connection, servers, log, provider } = await azure();
    // Made before the authority: it comes back behind it all the same.
    const session = await connection.createSession();
    const authority = await TokenAuthority.open(connection, provider);
    await authority.authorize("a");
    await authority.authorize("b");
    await session.createSender("q");
    log.length = 0;
    servers[0]?.transport.destroy();
    await until(() => servers.length === 2 && connection.state === "open");
    expect(log.slice(2)).toEqual(["put-token a jwt t3", "put-token b jwt t4", "attach q"]);
    expect(log.slice(0, 2)).toEqual(["attach $cbs", "attach $cbs"]);
    await connection.close();
  });

  test("a token that cannot be had after a reconnect is asked for again with the next one; no link comes back without", async () => {
    const { connection, servers, log, provider } = await azure();
    let fails = false;
    const authority = await TokenAuthority.open(connection, () => {
      if (fails) throw new Error("no network");
      return provider();
    });
    await authority.authorize("a");
    const sender = await (await connection.createSession()).createSender("q");
    log.length = 0;
    fails = true;
    servers[0]?.transport.destroy();
    await until(() => servers.length === 3);
    fails = false;
    await until(() => connection.state === "open");
    expect(log.filter((line) => !line.startsWith("attach $cbs"))).toEqual(["put-token a jwt t2", "attach q"]);
    expect([sender.state, sender.error]).toEqual(["open", null]);
    await authority.authorize("b");
    await connection.close();
  });

  test("a token that is refused is ERR_AUTH_FAILED with the service's status", async () => {
    const { connection, provider } = await azure(() => 401);
    const authority = await TokenAuthority.open(connection, provider);
    await expect(authority.authorize("a")).rejects.toMatchObject({
      code: "ERR_AUTH_FAILED",
      peer: { code: 401, text: "said" },
    });
    await connection.close();
  });

  test("a renewal that fails is told, and tried again", async () => {
    let status = 202;
    const { connection, log, timers, provider } = await azure(() => status);
    const failures: unknown[] = [];
    const authority = await TokenAuthority.open(connection, provider, {
      retryMs: 100_000,
      onRenewalFailed: (audience, error) => failures.push([audience, error.code]),
    });
    await authority.authorize("a");
    status = 500;
    timers.at(-1)?.run();
    await until(() => failures.length === 1);
    expect([failures, timers.at(-1)?.ms]).toEqual([[["a", "ERR_AUTH_FAILED"]], 100_000]);
    status = 202;
    timers.at(-1)?.run();
    await until(() => log.filter((line) => line.startsWith("put-token")).length === 3);
    await quiet();
    await connection.close();
  });

  test("a provider that fails is the cause of ERR_AUTH_FAILED", async () => {
    const { connection } = await azure();
    const broken = new Error("no identity");
    const authority = await TokenAuthority.open(connection, () => Promise.reject(broken));
    await expect(authority.authorize("a")).rejects.toMatchObject({ code: "ERR_AUTH_FAILED", cause: broken });
    await connection.close();
  });
});

describe("shared access keys", () => {
  test("sign tokens for an audience until a time", async () => {
    const tokens = sharedAccessTokens("Root", "c2VjcmV0", { lifetimeMs: 60_000, nowMs: () => 1_000_000 });
    expect(await tokens("sb://ns.example/q")).toEqual({
      token:
        "SharedAccessSignature sr=sb%3A%2F%2Fns.example%2Fq&sig=Ofl4gHpqNPoKS99agPJw52VRea9PEq8sk6IYFouPxSk%3D&se=1060&skn=Root",
      type: "servicebus.windows.net:sastoken",
      expiresAtMs: 1_060_000,
    });
  });

  test("come out of a connection string", () => {
    const text = "Endpoint=sb://ns.example/;SharedAccessKeyName=Root;SharedAccessKey=abc=;EntityPath=hub";
    expect(parseConnectionString(text)).toEqual({
      host: "ns.example",
      keyName: "Root",
      key: "abc=",
      entityPath: "hub",
    });
    expect(() => parseConnectionString("Endpoint=sb://x/")).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});
