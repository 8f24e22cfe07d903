import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { leakCheck } from "./leak-check.ts";

describe("leakCheck", () => {
  test("passes when everything that was opened is closed", async () => {
    const leaks = leakCheck();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    server.close();
    await leaks.check();
  });

  test("waits for handles that are about to close", async () => {
    const leaks = leakCheck();
    setTimeout(() => undefined, 30);
    await leaks.check();
  });

  test("names a server that was left open", async () => {
    const leaks = leakCheck(30);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await expect(leaks.check()).rejects.toThrow("1 x TCPServerWrap");
    server.close();
  });

  test("names timers that were left running", async () => {
    const leaks = leakCheck(30);
    // Several, for the test runner's own timers come and go.
    const timers = Array.from({ length: 10 }, () => setInterval(() => undefined, 10_000));
    await expect(leaks.check()).rejects.toThrow("x Timeout");
    for (const timer of timers) clearInterval(timer);
  });

  test("names a listener that was left on the process", async () => {
    const leaks = leakCheck(30);
    const listener = (): void => undefined;
    process.on("SIGUSR2", listener);
    await expect(leaks.check()).rejects.toThrow("listener of process SIGUSR2");
    process.off("SIGUSR2", listener);
  });
});
