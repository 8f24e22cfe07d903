import { ScramClient, type ScramHash, ScramServer } from "polymq/amqp10/engine";
import { isMessagingError } from "polymq/internal";
import { describe, expect, test } from "vitest";
import type { UserSettings } from "./auth-settings.ts";
import { NODE_SCRAM_CRYPTO, ScramUsers } from "./scram-users.ts";

function user(username: string, password: string | null): UserSettings {
  return { username, password, passwordHash: password === null ? "$scrypt$" : null, publish: null, subscribe: null };
}

function usersOf(...users: readonly UserSettings[]): ScramUsers {
  const made = ScramUsers.of(users);
  if (made === null) throw new Error("no SCRAM for these users");
  return made;
}

/** Whom a client with this name and password is taken for. */
async function login(users: ScramUsers, hash: ScramHash, username: string, password: string): Promise<string | null> {
  const client = new ScramClient({ hash, username, password, nonce: "ours", hashes: NODE_SCRAM_CRYPTO });
  const server = new ScramServer({ hash, nonce: "theirs", hashes: NODE_SCRAM_CRYPTO });
  const found = await users.find(hash, server.first(client.first()));
  const answer = await client.final(server.challenge(found.keys));
  try {
    client.verify(await server.final(answer));
  } catch (error) {
    if (!isMessagingError(error)) throw error;
    return null;
  }
  return found.user?.username ?? null;
}

describe("users by SCRAM", () => {
  test.each(["SHA-1", "SHA-256", "SHA-512"] as const)("%s lets the right password in, and no other", async (hash) => {
    const users = usersOf(user("ada", "lovelace"), user("bob", "x"));
    expect(await login(users, hash, "ada", "lovelace")).toBe("ada");
    expect(await login(users, hash, "ada", "x")).toBeNull();
    expect(await login(users, hash, "eve", "lovelace")).toBeNull();
  });

  test("a user that there is not gets the same salt every time, as others do, and not theirs", async () => {
    const users = usersOf(user("ada", "lovelace"));
    const [first, again, ada] = [
      await users.find("SHA-256", "eve"),
      await users.find("SHA-256", "eve"),
      await users.find("SHA-256", "ada"),
    ];
    expect(again.keys.salt).toEqual(first.keys.salt);
    expect(first.keys.salt).not.toEqual(ada.keys.salt);
    expect([first.keys.salt.length, first.keys.iterations]).toEqual([ada.keys.salt.length, ada.keys.iterations]);
  });

  test("a name whose forms differ is the same one (RFC 4013)", async () => {
    const users = usersOf(user("ju\u0308rgen", "pass\u00a0wort"));
    expect(await login(users, "SHA-256", "j\u00fcrgen", "pass wort")).toBe("ju\u0308rgen");
  });

  test("one with control characters in the password cannot come in so", async () => {
    expect(await login(usersOf(user("ada", "a\u0001")), "SHA-256", "ada", "a")).toBeNull();
  });

  test("there is none where a password is kept as a hash, or nobody is known", () => {
    expect([ScramUsers.of([user("ada", "x"), user("bob", null)]), ScramUsers.of([])]).toEqual([null, null]);
  });
});
