import { describe, expect, test } from "vitest";
import { Reporter } from "./reporter.ts";

class FakeScreen {
  readonly isTTY: boolean;
  readonly columns = 20;
  text = "";

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.text += text;
  }
}

describe("Reporter", () => {
  test("refreshes one line on a terminal, below the lines that stay", () => {
    const screen = new FakeScreen(true);
    const reporter = new Reporter(screen);
    reporter.progress("1 %");
    reporter.progress("2 %");
    reporter.line("cut");
    reporter.done();
    expect(screen.text).toBe("1 %\r\x1b[K2 %\r\x1b[Kcut\n2 %\r\x1b[K");
  });

  test("cuts a line that would wrap", () => {
    const screen = new FakeScreen(true);
    new Reporter(screen).progress("x".repeat(50));
    expect(screen.text).toBe("x".repeat(19));
  });

  test("prints plain lines elsewhere, and not one for each step", () => {
    const screen = new FakeScreen(false);
    const reporter = new Reporter(screen);
    for (let i = 0; i < 100; i++) reporter.progress(`${i} %`);
    reporter.line("done");
    expect(screen.text).toBe("0 %\ndone\n");
  });
});
