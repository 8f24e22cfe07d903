import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ScramHash } from "../engine/scram.ts";
import { type Lab, type LabServer, lab, labPlatform } from "./client-lab.test-support.ts";
import { connectOver } from "./connect.ts";
import type { ConnectOptions } from "./options.ts";
import {
  type SaslMechanism,
  saslAnonymous,
  saslExternal,
  saslOauthBearer,
  saslPlain,
  saslScram,
  saslXoauth2,
} from "./sasl.ts";

/** What a server saw of one exchange. */
interface Seen {
  mechanism: string;
  response: string;
}

/** A client that authenticates at a server with these mechanisms, which lets everybody in. */
async function saslLab(options: ConnectOptions, offered: readonly string[]): Promise<Lab & { seen: Seen }> {
  const seen: Seen = { mechanism: "", response: "" };
  const made = await lab(options, { sasl: "required", saslMechanisms: offered }, (server) => {
    server.onSaslInit = (mechanism, response) => {
      seen.mechanism = mechanism;
      seen.response = new TextDecoder().decode(response ?? new Uint8Array(0));
      server.engine.saslOutcome(0);
    };
  });
  return { ...made, seen };
}

/** A server's side of SCRAM, for the password `pencil`. */
function scramServer(server: LabServer, hash: ScramHash, lie = false): void {
  const name = hash.replace("-", "").toLowerCase();
  const salt = Buffer.from("salt of the server");
  let first = "";
  server.onSaslInit = (_mechanism, response) => {
    const bare = new TextDecoder().decode(response ?? new Uint8Array(0)).slice(3);
    const nonce = bare.split("r=")[1] ?? "";
    const serverFirst = `r=${nonce}more,s=${salt.toString("base64")},i=4096`;
    first = `${bare},${serverFirst}`;
    server.engine.saslChallenge(new TextEncoder().encode(serverFirst));
  };
  server.onSaslResponse = (response) => {
    const final = new TextDecoder().decode(response);
    const without = final.slice(0, final.indexOf(",p="));
    const proof = Buffer.from(final.slice(final.indexOf(",p=") + 3), "base64");
    const salted = pbkdf2Sync("pencil", salt, 4_096, proof.length, name);
    const hmac = (key: Uint8Array, data: string): Buffer => createHmac(name, key).update(data).digest();
    const all = `${first},${without}`;
    const signature = hmac(createHash(name).update(hmac(salted, "Client Key")).digest(), all);
    const key = proof.map((byte, i) => byte ^ (signature[i] as number));
    const right = Buffer.from(key).equals(hmac(salted, "Client Key"));
    const proofOfServer = lie ? Buffer.alloc(proof.length) : hmac(hmac(salted, "Server Key"), all);
    const data = new TextEncoder().encode(`v=${proofOfServer.toString("base64")}`);
    server.engine.saslOutcome(right ? 0 : 1, right ? data : null);
  };
}

describe("SASL", () => {
  const simple: [SaslMechanism, string, string][] = [
    [saslAnonymous("trace"), "ANONYMOUS", "trace"],
    [saslPlain("me", "secret"), "PLAIN", "\0me\0secret"],
    [saslPlain("me", "secret", "other"), "PLAIN", "other\0me\0secret"],
    [saslExternal("cn"), "EXTERNAL", "cn"],
    [saslXoauth2("me", "t"), "XOAUTH2", "user=me\x01auth=Bearer t\x01\x01"],
    [saslOauthBearer("me", async () => "fresh"), "OAUTHBEARER", "n,a=me,\x01auth=Bearer fresh\x01\x01"],
  ];

  test.each(simple)("%o is sent as its specification says", async (mechanism, name, response) => {
    const { seen, connection } = await saslLab({ sasl: mechanism }, [name]);
    expect(seen).toEqual({ mechanism: name, response });
    await connection.close();
  });

  test.each(["SHA-1", "SHA-256", "SHA-512"] as const)("SCRAM-%s authenticates both sides (RFC 5802)", async (hash) => {
    const { connection } = await lab(
      { sasl: saslScram(hash, "user", "pencil") },
      { sasl: "required", saslMechanisms: [`SCRAM-${hash}`] },
      (server) => scramServer(server, hash),
    );
    expect(connection.state).toBe("open");
    await connection.close();
  });

  test("a server that does not know the password is refused, although it says that all is well", async () => {
    const attempt = lab(
      { sasl: saslScram("SHA-256", "user", "pencil") },
      { sasl: "required", saslMechanisms: ["SCRAM-SHA-256"] },
      (server) => scramServer(server, "SHA-256", true),
    );
    await expect(attempt).rejects.toMatchObject({ code: "ERR_AUTH_FAILED" });
  });

  test("a wrong password is ERR_AUTH_FAILED with the server's code", async () => {
    const attempt = lab(
      { sasl: saslScram("SHA-256", "user", "pen") },
      { sasl: "required", saslMechanisms: ["SCRAM-SHA-256"] },
      (server) => scramServer(server, "SHA-256"),
    );
    await expect(attempt).rejects.toMatchObject({ code: "ERR_AUTH_FAILED", peer: { code: 1 } });
  });

  test("of what the server offers, the strongest is used; the order is ours", async () => {
    const chosen: string[] = [];
    const attempt = lab(
      { sasl: { username: "me", password: "secret" } },
      { sasl: "required", saslMechanisms: ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"] },
      (server) => {
        server.onSaslInit = (mechanism) => {
          chosen.push(mechanism);
          server.engine.saslOutcome(1);
        };
      },
    );
    await expect(attempt).rejects.toMatchObject({ code: "ERR_AUTH_FAILED" });
    expect(chosen).toEqual(["SCRAM-SHA-256"]);
  });

  test("the user name and password of the address authenticate", async () => {
    const seen: string[] = [];
    const platform = labPlatform({ sasl: "required", saslMechanisms: ["PLAIN"] }, (server) => {
      server.onSaslInit = (_name, response) => {
        seen.push(new TextDecoder().decode(response ?? new Uint8Array(0)));
        server.engine.saslOutcome(0);
      };
    });
    const connection = await connectOver(platform, "amqp://me:s%40cret@localhost");
    expect(seen).toEqual(["\0me\0s@cret"]);
    await connection.close();
  });

  test("a secret is not sent in the clear to another machine, unless allowed", async () => {
    const seen: string[] = [];
    const platform = labPlatform({ sasl: "required", saslMechanisms: ["PLAIN"] }, (server) => {
      server.onSaslInit = (name) => {
        seen.push(name);
        server.engine.saslOutcome(0);
      };
    });
    const sasl = saslPlain("me", "secret");
    await expect(connectOver(platform, "amqp://192.0.2.1", { sasl })).rejects.toMatchObject({
      code: "ERR_AUTH_FAILED",
    });
    expect(seen).toEqual([]);
    const connection = await connectOver(platform, "amqp://192.0.2.1", { sasl, allowSecretsInClear: true });
    expect(seen).toEqual(["PLAIN"]);
    await connection.close();
  });

  test("a server without any mechanism of ours is ERR_AUTH_FAILED", async () => {
    await expect(saslLab({ sasl: saslExternal() }, ["PLAIN"])).rejects.toMatchObject({ code: "ERR_AUTH_FAILED" });
  });

  test("a mechanism of the caller's own answers challenges", async () => {
    const mechanism: SaslMechanism = {
      name: "X-OWN",
      exposesSecret: false,
      begin: () => ({ initialResponse: null, respond: (challenge) => Uint8Array.of(...challenge, 2) }),
    };
    const answers: number[][] = [];
    const { connection } = await lab({ sasl: mechanism }, { sasl: "required", saslMechanisms: ["X-OWN"] }, (server) => {
      server.onSaslInit = () => server.engine.saslChallenge(Uint8Array.of(1));
      server.onSaslResponse = (response) => {
        answers.push([...response]);
        server.engine.saslOutcome(0);
      };
    });
    expect(answers).toEqual([[1, 2]]);
    await connection.close();
  });

  test.each([
    [saslXoauth2("me", "old"), "XOAUTH2", []],
    [saslOauthBearer("me", "old"), "OAUTHBEARER", [1]],
  ] as const)(
    "the reasons of a refused token are answered as %o wants it (RFC 7628 §3.2.3)",
    async (sasl, name, answer) => {
      const answers: number[][] = [];
      const attempt = lab({ sasl }, { sasl: "required", saslMechanisms: [name] }, (server) => {
        server.onSaslInit = () => server.engine.saslChallenge(new TextEncoder().encode('{"status":"401"}'));
        server.onSaslResponse = (response) => {
          answers.push([...response]);
          server.engine.saslOutcome(1);
        };
      });
      await expect(attempt).rejects.toMatchObject({ code: "ERR_AUTH_FAILED" });
      expect(answers).toEqual([answer]);
    },
  );

  test("a token that cannot be had ends the attempt with its reason", async () => {
    const failing = saslXoauth2("me", () => Promise.reject(new Error("no token")));
    await expect(saslLab({ sasl: failing }, ["XOAUTH2"])).rejects.toMatchObject({
      code: "ERR_AUTH_FAILED",
      message: "no token",
    });
  });
});
