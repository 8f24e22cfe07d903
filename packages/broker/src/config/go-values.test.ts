import { expect, test } from "vitest";
import { parseAddress, parseBytes, parseDuration } from "./go-values.ts";

test.each([
  ["0", 0],
  ["5s", 5_000],
  ["168h", 604_800_000],
  ["1h30m", 5_400_000],
  ["1.5s", 1_500],
  ["1us", 1],
  ["5", null],
  ["", null],
  ["5 s", null],
  ["-5s", null],
  ["5d", null],
])("the duration %j is %j ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  ["1048576", 1_048_576],
  ["10MB", 10_000_000],
  ["10 MiB", 10_485_760],
  ["1.5kib", 1_536],
  ["", null],
  ["MB", null],
  ["1.5", null],
  ["-1", null],
  ["10XB", null],
])("the size %j is %j bytes", (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each([
  [":1883", { host: "0.0.0.0", port: 1883 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["[::1]:1883", { host: "::1", port: 1883 }],
  ["localhost:1883", { host: "localhost", port: 1883 }],
  ["1883", null],
  [":65536", null],
  ["::1:1883", null],
])("the address %j is %j", (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});
