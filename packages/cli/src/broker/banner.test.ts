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

  test("the line to try trusts the certificate of a TLS port, quoted for the shell", () => {
    const text = banner("1.0.0", { addresses: [tls], httpToken: null }, { tlsCert: "it's mine.pem", tlsKey: "k" });
    expect(text).toContain("NODE_EXTRA_CA_CERTS='it'\\''s mine.pem' node ");
    expect(text).toContain('servers: "mqtts://127.0.0.1:8883"');
  });

  test("the line to try names a user but shows no password", () => {
    const text = banner(
      "1.0.0",
      { addresses: [tls], httpToken: null },
      { user: [{ username: "ann", password: "sesame" }] },
    );
    expect(text).toContain('username: "ann", password: "..."');
    expect(text).not.toContain("sesame");
  });

  test("where a client certificate is required there is no line to try", () => {
    expect(
      banner("1.0.0", { addresses: [tls], httpToken: null }, { tlsCert: "c", tlsKey: "k", tlsCa: "a" }),
    ).not.toContain("node ");
  });
});
