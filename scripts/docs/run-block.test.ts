import { expect, test } from "vitest";
import { readCodeBlocks } from "./code-blocks.mjs";
import { runBlock } from "./run-block.mjs";

const CONNECT = `import { MqttClient } from "polymq/mqtt";
const client = new MqttClient({ servers: "mqtt://broker.example", clientId: "a" });
await client.connect();
`;

async function run(language: string, code: string, document: string): Promise<string | null> {
  const [block] = readCodeBlocks(document, `\`\`\`${language}\n${code}\n\`\`\`\n`);
  return block === undefined ? "no block" : await runBlock(block);
}

test("an address of a document leads to the embedded broker", async () => {
  expect(await run("js", `${CONNECT}await client.close();`, "planted-1.md")).toBeNull();
});

test("an address that is no document's fails the block", async () => {
  const code = `${CONNECT.replace("broker.example", "broker.example:4711")}`;
  expect(await run("js", code, "planted-2.md")).toContain("no address that the documents' check knows");
});

test("a block that throws fails, with its line in the document", async () => {
  expect(await run("ts", '\nconst text: string = "x";\nthrow new Error(text);', "planted-3.md")).toContain(
    "planted-3.md:4",
  );
});

test("a block is waited for until it has printed what was expected, and its rejections count", async () => {
  const code =
    'setTimeout(() => console.log("seen"), 1);\nawait printed("seen");\nawait Promise.reject(new Error("then this"));';
  expect(await run("js", code, "planted-4.md")).toContain("then this");
});

test("a shell block fails with the first command that does, and npm has to have what it is told to run", async () => {
  expect(await run("sh", "false\ntrue", "planted-5.md")).toContain("exit code 1");
  expect(await run("sh", "npm ci && npm run no-such-script", "planted-6.md")).toContain("no script no-such-script");
});

test("a configuration with an unknown key fails", async () => {
  expect(await run("yaml", "server:\n  mqqt: {}", "planted-7.md")).toContain("mqqt");
});
