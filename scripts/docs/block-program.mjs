/** Makes a program of a code block, each line at the number that it has in its document, so that errors name it. */

const SCRIPTS = new Set(["js", "mjs", "javascript"]);
const TYPED = new Set(["ts", "typescript"]);
const SHELL = new Set(["sh", "bash", "shell"]);
/** What is output or data, and no program. */
const SHOWN = new Set(["text", "json", "html", "css"]);

/**
 * @param {string} language of a code block
 * @returns {"script" | "typed" | "shell" | "config" | "shown" | "unknown"} what becomes of it: run as JavaScript, as
 * TypeScript with strict types, by a shell, read as the broker's configuration, nothing
 */
export function kindOf(language) {
  if (SCRIPTS.has(language)) return "script";
  if (TYPED.has(language)) return "typed";
  if (SHELL.has(language)) return "shell";
  if (language === "yaml") return "config";
  return SHOWN.has(language) ? "shown" : "unknown";
}

/** @param {import("./code-blocks.mjs").CodeBlock} block @returns {string} a name for files: `docs-guides-mqtt.md-L6` */
export function nameOf(block) {
  return `${block.document.replaceAll("/", "-").replaceAll("@", "")}-L${block.line}`;
}

/** @param {import("./code-blocks.mjs").CodeBlock} block @returns {string} with what its hidden comments add */
export function programOf(block) {
  const lines = [];
  for (const part of [block.before, block.code, block.after]) {
    if (part === null) continue;
    while (lines.length < part.line - 1) lines.push("");
    lines.push(...part.lines);
  }
  return `${lines.join("\n")}\n`;
}
