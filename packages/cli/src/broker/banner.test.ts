import { describe, expect, test } from "vitest";
import { banner } from "./banner.ts";

const tls = {
  transport: "tls",
  host: "127.0.0.1",
  port: 8883,
  urls: ["mqtts://127.0.0.1:8883", "wss://127.0.0.1:8883/mqtt"],
} as const;

describe("banner", () => {
  test("names the data directory and what is promised", () => {
    expect(banner("1.0.0", { addresses: [tls], httpToken: null }, { data: "./d" })).toContain("./d (fsync)");
    expect(banner("1.0.0", { addresses: [tls], httpToken: null }, { data: "./d", durability: "buffered" })).toContain(
      "./d (buffered)",
    );
  });

  const plain = { transport: "tcp", host: "127.0.0.1", port: 1883, urls: ["mqtt://127.0.0.1:1883"] } as const;

  test("the lines to try need no address where clients look by themselves, and else the whole one", () => {
    const text = (urls: readonly string[]): string =>
      banner("1.0.0", { addresses: [{ ...plain, urls: [...urls] }], httpToken: null }, {});
    expect(text(plain.urls)).toContain("\n  npx polymq sub -t hello\n  npx polymq pub -t hello -m world\n");
    expect(text(["mqtt://127.0.0.1:4321"])).toContain(
      "\n  npx polymq pub -t hello -m world -L mqtt://127.0.0.1:4321\n",
    );
    expect(text(["http://127.0.0.1:1", "amqp10://[::1]:1"])).toContain(
      "\n  npx polymq pub -t hello -m world -L 'amqp10://[::1]:1'\n",
    );
    expect(text(["http://127.0.0.1:1"])).not.toContain("npx");
  });

  test("the lines to try trust the certificate of a TLS port, quoted for the shell", () => {
    const text = banner("1.0.0", { addresses: [tls], httpToken: null }, { tlsCert: "it's mine.pem", tlsKey: "k" });
    expect(text).toContain("-m world -L mqtts://127.0.0.1:8883 --cafile 'it'\\''s mine.pem'\n");
  });

  test("the lines to try name a user but show no password", () => {
    const text = banner(
      "1.0.0",
      { addresses: [plain], httpToken: null },
      { user: [{ username: "ann", password: "sesame" }] },
    );
    expect(text).toContain("npx polymq pub -t hello -m world -u ann -P ...\n");
    expect(text).not.toContain("sesame");
  });

  test("where a client certificate is required there is no line to try", () => {
    expect(
      banner("1.0.0", { addresses: [tls], httpToken: null }, { tlsCert: "c", tlsKey: "k", tlsCa: "a" }),
    ).not.toContain("npx ");
  });
});
