#!/usr/bin/env node
// The command itself is TypeScript; in a fresh workspace it has to be built before it can run.
import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);

if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write("polymq: not built yet; run `npm run build` in the workspace first\n");
  process.exitCode = 1;
}
