import { describe, expect, test } from "vitest";
import type { Endpoint } from "./endpoint.ts";
import { PathTable } from "./path-table.ts";

function endpoint(method: Endpoint["method"], path: string): Endpoint {
  const handle = (): never => {
    throw new Error("never called here");
  };
  return { id: `${method} ${path}`, method, path, summary: "", tag: "", access: "open", responses: {}, handle };
}

const table = new PathTable([
  endpoint("GET", "/a"),
  endpoint("GET", "/a/{x}"),
  endpoint("DELETE", "/a/{x}"),
  endpoint("GET", "/a/{x}/b/{y}"),
  endpoint("POST", "/m/{x}/c/{rest...}"),
]);

describe("PathTable", () => {
  test.each([
    ["GET", "/a", "GET /a", {}],
    ["HEAD", "/a", "GET /a", {}],
    ["GET", "/a/1", "GET /a/{x}", { x: "1" }],
    ["DELETE", "/a/%24dlq%2Fq", "DELETE /a/{x}", { x: "$dlq/q" }],
    ["GET", "/a/%F0%9F%98%80/b/+", "GET /a/{x}/b/{y}", { x: "😀", y: "+" }],
    ["POST", "/m/1/c/2", "POST /m/{x}/c/{rest...}", { x: "1", rest: "2" }],
    ["POST", "/m/1/c/2/3%2F/4", "POST /m/{x}/c/{rest...}", { x: "1", rest: "2/3//4" }],
    ["GET", "/a/__proto__", "GET /a/{x}", { x: "__proto__" }],
  ])("%s %s is %s", (method, path, id, parameters) => {
    const found = table.find(method, path);
    expect(found?.endpoint.id).toBe(id);
    expect(found?.path).toEqual(parameters);
  });

  test.each(["/", "", "/b", "/a/", "/a/1/b", "/a/1/b/", "/a/1/c/2", "/A", "/m/1/c", "/m/1/c/", "/m//c/2"])(
    "there is nothing at %j",
    (path) => {
      expect(table.find("GET", path)).toBe(null);
    },
  );

  test("another method is told which ones there are", () => {
    expect(() => table.find("POST", "/a/1")).toThrow("takes GET, DELETE");
  });

  test("what is not encoded properly is refused", () => {
    expect(() => table.find("GET", "/a/%e0%a4%a")).toThrow("percent-encoded");
  });
});
