import { describe, expect, test } from "vitest";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import { isLocalAddress, parseLocalEndpoint } from "./local-endpoint.ts";

const PORTS = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };

function parse(url: string): Endpoint {
  return isLocalAddress(url) ? parseLocalEndpoint(url) : parseEndpoint(url, "mqtt", PORTS);
}

describe("parseEndpoint", () => {
  test("takes a URL apart", () => {
    expect(parse("mqtts://user:pass@broker.example:9000/a/b?c=d")).toEqual({
      scheme: "mqtts",
      host: "broker.example",
      port: 9000,
      path: "/a/b?c=d",
      username: "user",
      password: "pass",
      display: "mqtts://broker.example:9000/a/b",
    });
  });

  test.each([
    ["mqtt://h", 1883],
    ["mqtts://h", 8883],
    ["ws://h", 80],
    ["wss://h/x", 443],
    ["mqtt://h:80", 80],
    ["mqtt://h:80/path", 80],
    ["mqtt://h:0080", 80],
    ["mqtt://h:443", 443],
    ["mqtt://u:80@h", 1883],
    ["mqtt://h/path:80", 1883],
    ["mqtt://h/?port=:80", 1883],
    ["mqtt://[::1]", 1883],
    ["mqtt://[::80]", 1883],
    ["mqtt://[::1]:80", 80],
  ])("%s has port %i", (url, port) => {
    expect(parse(url).port).toBe(port);
  });

  test("a bare host and port takes the default scheme", () => {
    expect(parse("localhost:2000")).toMatchObject({ scheme: "mqtt", host: "localhost", port: 2000 });
  });

  test("the scheme's case does not matter", () => {
    expect(parse("MQTT://h").scheme).toBe("mqtt");
  });

  test("an IPv6 address loses its brackets as host and keeps them on display", () => {
    expect(parse("mqtt://[::1]:5")).toMatchObject({ host: "::1", display: "mqtt://[::1]:5" });
  });

  test("credentials are percent-decoded", () => {
    expect(parse("mqtt://a%40b:p%3A%2F%20w@h")).toMatchObject({ username: "a@b", password: "p:/ w" });
  });

  test("the display shows neither credentials nor the query, which may carry a signature", () => {
    expect(parse("wss://user:secret@h/mqtt?signature=secret").display).toBe("wss://h:443/mqtt");
  });

  test("a local socket is a path, with one or three slashes", () => {
    const wanted = { scheme: "unix", host: "", port: 0, path: "/run/a b.sock", display: "unix:/run/a b.sock" };
    expect(parse("unix:/run/a%20b.sock")).toMatchObject(wanted);
    expect(parse("unix:///run/a%20b.sock")).toMatchObject(wanted);
  });

  test("a local socket is no address where only hosts are", () => {
    expect(() => parseEndpoint("unix:/run/x", "mqtt", PORTS)).toThrow("unknown scheme");
  });

  test.each([
    ["an unknown scheme", "http://h"],
    ["a scheme named like an object's own property", "constructor://h"],
    ["no host", "mqtt://"],
    ["no host but a path", "mqtt:///path"],
    ["a port that is none", "mqtt://h:99999"],
    ["a port in letters", "mqtt://h:abc"],
    ["a space in the host", "mqtt://a b"],
    ["an empty string", ""],
    ["a stray % in the credentials", "mqtt://a%zz@h"],
    ["a relative local path", "unix://run/x.sock"],
  ])("refuses %s with ERR_INVALID_OPTIONS", (_, url) => {
    expect(() => parse(url)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTIONS" }));
  });

  test("no refusal carries the password along, not even as its cause", () => {
    for (const url of ["mqtt://user:secret@h:bad", "mqtt://user:secret%zz@h", "mqtt://u:secret@"]) {
      try {
        parse(url);
        expect.unreachable();
      } catch (error) {
        const { message, cause } = error as Error;
        expect(message).not.toContain("secret");
        expect(cause).toBeUndefined();
      }
    }
  });
});
