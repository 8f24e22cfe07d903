import { describe, expect, test } from "vitest";
import { Router } from "./router.ts";
import { Recorder } from "./session.test-support.ts";

function subscribersOf(router: Router, topic: string): string[] {
  return router.route(topic).subscriptions.map((one) => one.subscriber.id);
}

describe("the router", () => {
  test("a route stays the same object until something changes", () => {
    const router = new Router();
    const x = new Recorder("x");
    router.subscribe(x, { filter: "a/+", guaranteeMax: 1 });
    const route = router.route("a/b");
    expect(router.route("a/b")).toBe(route);
    expect(route.version).toBe(router.version);
  });

  test("the route of a very long topic is not kept: a publisher of many such topics must not fill the memory", () => {
    const router = new Router();
    const x = new Recorder("x");
    router.subscribe(x, { filter: "#", guaranteeMax: 1 });
    const short = "t".repeat(512);
    const long = "t".repeat(513);
    expect(router.route(short)).toBe(router.route(short));
    expect(router.route(long)).not.toBe(router.route(long));
    expect(subscribersOf(router, long)).toEqual(["x"]);
  });

  test("a subscription and an unsubscription end every route", () => {
    const router = new Router();
    const x = new Recorder("x");
    const before = router.route("a");
    router.subscribe(x, { filter: "a", guaranteeMax: 0 });
    expect(before.version).not.toBe(router.version);
    expect(subscribersOf(router, "a")).toEqual(["x"]);
    const during = router.route("a");
    router.unsubscribe(x, "a");
    expect(during.version).not.toBe(router.version);
    expect(subscribersOf(router, "a")).toEqual([]);
  });

  test("a route that somebody is walking does not change under them", () => {
    const router = new Router();
    const [x, y] = [new Recorder("x"), new Recorder("y")];
    router.subscribe(x, { filter: "a", guaranteeMax: 0 });
    const route = router.route("a");
    router.subscribe(y, { filter: "a", guaranteeMax: 0 });
    router.unsubscribeAll(x);
    expect(route.subscriptions).toHaveLength(1);
  });

  test("a subscriber with overlapping subscriptions is in a route once", () => {
    const router = new Router();
    const [x, y] = [new Recorder("x"), new Recorder("y")];
    router.subscribe(x, { filter: "a/b", guaranteeMax: 0, identifier: 1 });
    router.subscribe(y, { filter: "a/b", guaranteeMax: 1 });
    router.subscribe(x, { filter: "a/#", guaranteeMax: 2, identifier: 2 });
    const route = router.route("a/b");
    expect(subscribersOf(router, "a/b").sort()).toEqual(["x", "y"]);
    const ofX = route.subscriptions.find((one) => one.subscriber === x);
    expect(ofX).toMatchObject({ guaranteeMax: 2, identifiers: [1, 2] });
  });

  test("the same filter again replaces the subscription", () => {
    const router = new Router();
    const x = new Recorder("x");
    expect(router.subscribe(x, { filter: "a", guaranteeMax: 0, identifier: 1 }).is).toBe("added");
    expect(router.subscribe(x, { filter: "a", guaranteeMax: 2 }).is).toBe("replaced");
    expect(router.subscriptionCount).toBe(1);
    expect(router.route("a").subscriptions[0]).toMatchObject({ guaranteeMax: 2, identifiers: [] });
  });

  test("the same filter with and without a group, and in two groups, are different subscriptions", () => {
    const router = new Router();
    const x = new Recorder("x");
    router.subscribe(x, { filter: "a", guaranteeMax: 0 });
    router.subscribe(x, { filter: "a", guaranteeMax: 0, group: "g" });
    router.subscribe(x, { filter: "a", guaranteeMax: 0, group: "h" });
    expect([router.subscriptionCount, router.sharedSubscriptionCount, router.groupCount]).toEqual([3, 2, 2]);
    const route = router.route("a");
    expect([route.subscriptions.length, route.groups.length]).toEqual([1, 2]);
    router.unsubscribe(x, "a", "g");
    expect([router.subscriptionCount, router.sharedSubscriptionCount, router.groupCount]).toEqual([2, 1, 1]);
  });

  test("a group changes its member's terms without losing its place", () => {
    const router = new Router();
    const [x, y] = [new Recorder("x"), new Recorder("y")];
    router.subscribe(x, { filter: "a", guaranteeMax: 0, group: "g" });
    router.subscribe(y, { filter: "a", guaranteeMax: 0, group: "g" });
    router.subscribe(x, { filter: "a", guaranteeMax: 2, group: "g" });
    const group = router.group("g", "a");
    expect(group?.members.map((one) => [one.subscriber.id, one.guaranteeMax])).toEqual([
      ["x", 2],
      ["y", 0],
    ]);
  });

  test("a group goes with its last member", () => {
    const router = new Router();
    const x = new Recorder("x");
    router.subscribe(x, { filter: "a", guaranteeMax: 0, group: "g" });
    router.unsubscribeAll(x);
    expect([router.group("g", "a"), router.groupCount, router.subscriptionCount]).toEqual([null, 0, 0]);
  });

  test("removing what is not there gives null", () => {
    const router = new Router();
    const x = new Recorder("x");
    router.subscribe(x, { filter: "a", guaranteeMax: 0 });
    expect(router.unsubscribe(x, "b")).toBeNull();
    expect(router.unsubscribe(x, "a", "g")).toBeNull();
    expect(router.unsubscribe(new Recorder("x"), "a")).toBeNull();
  });

  test("an old subscriber that leaves late takes nothing from a new one of the same id", () => {
    const router = new Router();
    const [old, young] = [new Recorder("x"), new Recorder("x")];
    router.subscribe(old, { filter: "a", guaranteeMax: 0 });
    router.subscribe(young, { filter: "a", guaranteeMax: 0 });
    router.unsubscribeAll(old);
    expect(router.route("a").subscriptions.map((one) => one.subscriber)).toEqual([young]);
  });

  test("a bad filter is refused and changes nothing", () => {
    const router = new Router();
    const version = router.version;
    expect(() => router.subscribe(new Recorder("x"), { filter: "a/#/b", guaranteeMax: 0 })).toThrow("wildcard");
    expect([router.version, router.subscriptionCount]).toEqual([version, 0]);
  });

  test("the cache of routes is bounded and routes stay right beyond it", () => {
    const router = new Router(10);
    router.subscribe(new Recorder("x"), { filter: "+", guaranteeMax: 0 });
    for (let i = 0; i < 100; i++) expect(subscribersOf(router, `t${i}`)).toEqual(["x"]);
    expect(router.route("t99")).toBe(router.route("t99"));
    const first = router.route("t0");
    for (let i = 0; i < 10; i++) router.route(`u${i}`);
    expect(router.route("t0")).not.toBe(first);
  });
});
