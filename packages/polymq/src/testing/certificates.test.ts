import { X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { testCertificates } from "./certificates.ts";

describe("testCertificates", () => {
  const ca = new X509Certificate(testCertificates.ca);
  const server = new X509Certificate(testCertificates.serverCert);
  const client = new X509Certificate(testCertificates.clientCert);

  test("the authority signed both certificates", () => {
    expect([server, client].map((certificate) => certificate.verify(ca.publicKey))).toEqual([true, true]);
  });

  test("the server's is for localhost and the loopback addresses", () => {
    expect(server.checkHost("localhost")).toBe("localhost");
    expect(server.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(server.checkIP("::1")).toBe("::1");
  });

  test("they are valid until 2120", () => {
    for (const certificate of [ca, server, client]) {
      expect([certificate.validFrom, certificate.validTo]).toEqual([
        "Jan  1 00:00:00 2020 GMT",
        "Jan  1 00:00:00 2120 GMT",
      ]);
    }
  });
});
