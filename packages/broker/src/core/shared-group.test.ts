import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { messageOf, Recorder } from "./session.test-support.ts";
import { SharedGroup } from "./shared-group.ts";
import { Subscription } from "./subscription.ts";

function groupOf(...ids: string[]): { group: SharedGroup; members: Recorder[]; subscriptions: Subscription[] } {
  const group = new SharedGroup("g", "a");
  const members = ids.map((id) => new Recorder(id));
  const subscriptions = members.map((member) => new Subscription(member, { filter: "a", guaranteeMax: 2, group: "g" }));
  for (const subscription of subscriptions) group.add(subscription);
  return { group, members, subscriptions };
}

function counts(members: Recorder[]): number[] {
  return members.map((member) => member.got.length);
}

describe("a group that shares messages", () => {
  test("members take turns", () => {
    const { group, members } = groupOf("x", "y", "z");
    for (let i = 0; i < 7; i++) group.offer(messageOf("a", String(i)));
    expect(members.map((member) => member.texts.join(""))).toEqual(["036", "14", "25"]);
  });

  test("each message goes to exactly one member", () => {
    const { group, members } = groupOf("x", "y");
    expect(group.offer(messageOf("a"))?.subscriber).toBe(members[0]);
    expect(counts(members)).toEqual([1, 0]);
  });

  test("a member with room comes before one that must queue, and that before one that is away", () => {
    const { group, members } = groupOf("away", "busy", "ready");
    const [away, busy, ready] = members as [Recorder, Recorder, Recorder];
    away.availability = "away";
    busy.availability = "busy";
    const chosen = (): string | undefined => group.offer(messageOf("a"))?.subscriber.id;
    expect(chosen()).toBe("ready");
    ready.answer = "dropped";
    expect(chosen()).toBe("busy");
    busy.answer = "dropped";
    expect(chosen()).toBe("away");
    away.answer = "dropped";
    expect(chosen()).toBeUndefined();
  });

  test("a message at most once never goes to a member that is away", () => {
    const { group, members } = groupOf("x");
    (members[0] as Recorder).availability = "away";
    expect(group.offer(messageOf("a", "1", { guarantee: 0 }))).toBeNull();
    expect(counts(members)).toEqual([0]);
  });

  test("a member that is away and takes messages at most once is not offered any", () => {
    const group = new SharedGroup("g", "a");
    const member = new Recorder("x");
    member.availability = "away";
    group.add(new Subscription(member, { filter: "a", guaranteeMax: 0, group: "g" }));
    expect(group.offer(messageOf("a"))).toBeNull();
    expect(member.got).toEqual([]);
  });

  test("the guarantee is the lower one of message and member", () => {
    const group = new SharedGroup("g", "a");
    const member = new Recorder("x");
    group.add(new Subscription(member, { filter: "a", guaranteeMax: 1, group: "g" }));
    for (const guarantee of [0, 1, 2] as const) group.offer(messageOf("a", "", { guarantee }));
    expect(member.got.map((one) => one.guarantee)).toEqual([0, 1, 1]);
  });

  test("a member that leaves does not change whose turn it is", () => {
    const { group, members, subscriptions } = groupOf("x", "y", "z");
    group.offer(messageOf("a"));
    group.offer(messageOf("a"));
    group.remove(subscriptions[0] as Subscription);
    expect(group.offer(messageOf("a"))?.subscriber).toBe(members[2]);
    expect(group.offer(messageOf("a"))?.subscriber).toBe(members[1]);
  });

  test("an empty group takes nothing", () => {
    expect(new SharedGroup("g", "a").offer(messageOf("a"))).toBeNull();
  });

  test("while nobody comes or goes, ready members get the same number give or take one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(200), (size, messages) => {
        const { group, members } = groupOf(...Array.from({ length: size }, (_, i) => String(i)));
        for (let i = 0; i < messages; i++) group.offer(messageOf("a"));
        const got = counts(members);
        expect(Math.max(...got) - Math.min(...got)).toBeLessThanOrEqual(1);
        expect(got.reduce((sum, one) => sum + one, 0)).toBe(messages);
      }),
    );
  });

  test("whatever members do, a message is taken once if anybody can take it, and by the best kind of member", () => {
    const states = fc.constantFrom("ready" as const, "busy" as const, "away" as const);
    const answers = fc.constantFrom("sent" as const, "queued" as const, "dropped" as const);
    const member = fc.record({ availability: states, answer: answers });
    fc.assert(
      fc.property(fc.array(fc.array(member, { minLength: 4, maxLength: 4 }), { maxLength: 20 }), (rounds) => {
        const { group, members } = groupOf("0", "1", "2", "3");
        let taken = 0;
        for (const round of rounds) {
          for (const [i, one] of round.entries()) Object.assign(members[i] as Recorder, one);
          const able = round.filter((one) => one.answer !== "dropped").map((one) => one.availability);
          const best = ["ready", "busy", "away"].find((kind) => able.some((one) => one === kind));
          expect(group.offer(messageOf("a"))?.subscriber.availability).toBe(best);
          if (best !== undefined) taken++;
        }
        expect(counts(members).reduce((sum, one) => sum + one, 0)).toBe(taken);
      }),
    );
  });
});
