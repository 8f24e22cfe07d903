import { saslAnonymous, saslPlain, saslScram } from "polymq/amqp10";
import { describe, expect, test } from "vitest";
import type { BrokerOptions } from "../../options.ts";
import { Amqp10Scene } from "./scene.test-support.ts";

const USERS: BrokerOptions = {
  users: [
    { username: "ada", password: "love,lace=" },
    { username: "reader", password: "r", publish: [] },
  ],
};
const AUTH_FAILED: unknown = expect.objectContaining({ code: "ERR_AUTH_FAILED" });

describe("logging in", () => {
  test.each(["SHA-1", "SHA-256", "SHA-512"] as const)("with SCRAM-%s the password never travels", async (hash) => {
    await using scene = await Amqp10Scene.open(USERS);
    const session = await scene.session({ sasl: [saslScram(hash, "ada", "love,lace=")] });
    const sender = await session.createSender("$queue/q");
    expect(await sender.send(Uint8Array.of(1))).toMatchObject({ type: "accepted" });
  });

  test.each([
    ["another password", "ada", "wrong"],
    ["another name", "eve", "love,lace="],
  ])("with SCRAM and %s nobody comes in", async (_, username, password) => {
    await using scene = await Amqp10Scene.open(USERS);
    await expect(scene.connection({ sasl: [saslScram("SHA-256", username, password)] })).rejects.toThrowError(
      AUTH_FAILED,
    );
  });

  test("with SCRAM a user may do what it may with PLAIN", async () => {
    await using scene = await Amqp10Scene.open(USERS);
    for (const sasl of [[saslScram("SHA-512", "reader", "r")], [saslPlain("reader", "r")]]) {
      const session = await scene.session({ sasl });
      await expect(session.createSender("$queue/q")).rejects.toThrowError(
        expect.objectContaining({ code: "ERR_LINK_DETACHED" }),
      );
    }
  });

  test("name and password alone take SCRAM where it is offered", async () => {
    await using scene = await Amqp10Scene.open(USERS);
    const session = await scene.session({ sasl: { username: "ada", password: "love,lace=" } });
    await expect(session.createSender("$queue/q")).resolves.toBeDefined();
  });

  test("SCRAM is not offered where a password is kept as a hash", async () => {
    const passwordHash = "$scrypt$ln=1,r=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    await using scene = await Amqp10Scene.open({ users: [{ username: "ada", passwordHash }] });
    await expect(scene.connection({ sasl: [saslScram("SHA-256", "ada", "x")] })).rejects.toThrowError(AUTH_FAILED);
  });

  test("without a name nobody comes in where there are users", async () => {
    await using scene = await Amqp10Scene.open(USERS);
    await expect(scene.connection({ sasl: [saslAnonymous()] })).rejects.toThrowError(AUTH_FAILED);
  });
});
