import { describe, expect, test } from "vitest";
import { type AccessRules, ConnectionAccess } from "./connection-access.ts";
import type { Decision } from "./decision-cache.ts";
import { TopicRules } from "./topic-rules.ts";

const principal = { name: "ann", clientId: "c1", protocol: "mqtt", attributes: undefined };
const FREE: AccessRules = {
  principal,
  publish: null,
  subscribe: null,
  askPublish: null,
  askSubscribe: null,
  cacheMs: 1_000,
  cachedDecisionsMax: 10,
};

function rules(...filters: string[]): TopicRules {
  return new TopicRules(filters, { username: "ann", clientId: "c1" });
}

/** A hook that notes what it was asked and answers with `answer`. */
function hook(answer: (topic: string) => Decision): { asked: string[]; ask: (topic: string) => Decision } {
  const asked: string[] = [];
  return {
    asked,
    ask: (topic) => {
      asked.push(topic);
      return answer(topic);
    },
  };
}

describe("ConnectionAccess", () => {
  test("without rules and hooks everything is allowed, and it says so beforehand", () => {
    const access = new ConnectionAccess(FREE);
    expect(access.mayPublishAll).toBe(true);
    expect(access.mayPublish("any/topic", true, 0)).toBe(true);
    expect(access.maySubscribe("#", null)).toBe(true);
  });

  test("static rules decide about topics and filters", () => {
    const access = new ConnectionAccess({ ...FREE, publish: rules("up/#"), subscribe: rules("down/+") });
    expect(access.mayPublishAll).toBe(false);
    expect([access.mayPublish("up/x", false, 0), access.mayPublish("down/x", false, 0)]).toEqual([true, false]);
    expect([access.maySubscribe("down/x", null), access.maySubscribe("down/#", null)]).toEqual([true, false]);
  });

  test("a hook is asked once per topic while its answer is fresh", () => {
    const { asked, ask } = hook((topic) => topic === "yes");
    const access = new ConnectionAccess({ ...FREE, askPublish: ask });
    const answers = [0, 500, 999].flatMap((nowMs) => [
      access.mayPublish("yes", false, nowMs),
      access.mayPublish("no", false, nowMs),
    ]);
    expect(answers).toEqual([true, false, true, false, true, false]);
    expect(asked).toEqual(["yes", "no"]);
    expect(access.mayPublish("yes", false, 1_000)).toBe(true);
    expect(asked).toEqual(["yes", "no", "yes"]);
  });

  test("retained and other messages are decided apart", () => {
    const access = new ConnectionAccess({ ...FREE, askPublish: (_, retain) => !retain });
    expect([access.mayPublish("t", false, 0), access.mayPublish("t", true, 0)]).toEqual([true, false]);
    expect([access.mayPublish("t", false, 1), access.mayPublish("t", true, 1)]).toEqual([true, false]);
  });

  test("static rules go first: what they refuse no hook can allow, or even sees", () => {
    const { asked, ask } = hook(() => true);
    const access = new ConnectionAccess({
      ...FREE,
      publish: rules("a"),
      subscribe: rules("a"),
      askPublish: ask,
      askSubscribe: ask,
    });
    expect([access.mayPublish("b", false, 0), access.maySubscribe("b", null)]).toEqual([false, false]);
    expect(asked).toEqual([]);
  });

  test("messages that come while a hook is thinking wait for the same answer", async () => {
    const { asked, ask } = hook(() => Promise.resolve(true));
    const access = new ConnectionAccess({ ...FREE, askPublish: ask });
    const [first, second] = [access.mayPublish("t", false, 0), access.mayPublish("t", false, 0)];
    expect(second).toBe(first);
    expect(await first).toBe(true);
    expect(access.mayPublish("t", false, 1)).toBe(true);
    expect(asked).toEqual(["t"]);
  });

  test("a refusal that took its time is remembered as one", async () => {
    const access = new ConnectionAccess({ ...FREE, askPublish: () => Promise.resolve(false) });
    expect(await access.mayPublish("t", false, 0)).toBe(false);
    expect(access.mayPublish("t", false, 1)).toBe(false);
  });

  test("the group of a shared subscription reaches the hook", () => {
    const access = new ConnectionAccess({ ...FREE, askSubscribe: (filter, group) => filter === "t" && group === "g" });
    expect([access.maySubscribe("t", "g"), access.maySubscribe("t", null)]).toEqual([true, false]);
  });
});
