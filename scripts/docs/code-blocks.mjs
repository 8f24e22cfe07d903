/** Reads the code blocks of a Markdown document, with what its hidden comments say of them. */

/**
 * @typedef {object} CodeBlock
 * @property {string} document path of the document
 * @property {number} line of the opening fence, from 1
 * @property {string} language first word behind the fence; "" without one
 * @property {Part} code
 * @property {Part | null} before code of a hidden comment `<!-- before ... -->` right above the block
 * @property {Part | null} after code of a hidden comment `<!-- after ... -->` right below it
 * @property {string | null} broker options of the embedded broker in JSON, from `<!-- broker {...} -->` right above
 * @property {string | null} notRun reason of the visible line `*Not run: reason*` right below
 */

/** @typedef {{ line: number, lines: string[] }} Part lines of code, and where the first one stands, from 1 */

const FENCE = /^(```+)\s*(\S*)/;
const NOT_RUN = /^\*Not run: (.+)\*$/;

/**
 * @param {string} document
 * @param {string} text
 * @returns {CodeBlock[]}
 */
export function readCodeBlocks(document, text) {
  const lines = text.split("\n");
  const blocks = [];
  let comments = [];
  for (let index = 0; index < lines.length; index++) {
    const comment = commentAt(lines, index);
    const fence = FENCE.exec(lines[index]);
    if (comment !== null) {
      comments.push(comment);
      index = comment.end;
    } else if (fence !== null) {
      const end = endOfFence(document, lines, index, fence[1]);
      blocks.push(blockOf(document, lines, { start: index, end, language: fence[2], comments }));
      comments = [];
      index = end;
    } else if (lines[index].trim() !== "") {
      comments = [];
    }
  }
  return blocks;
}

function blockOf(document, lines, { start, end, language, comments }) {
  const below = nextText(lines, end + 1);
  const after = commentAt(lines, below);
  const behind = after?.name === "after" ? nextText(lines, after.end + 1) : below;
  return {
    document,
    line: start + 1,
    language,
    code: { line: start + 2, lines: lines.slice(start + 1, end) },
    before: comments.find((comment) => comment.name === "before")?.part ?? null,
    after: after?.name === "after" ? after.part : null,
    broker: comments.find((comment) => comment.name === "broker")?.part.lines.join("\n") ?? null,
    notRun: NOT_RUN.exec(lines[behind] ?? "")?.[1] ?? null,
  };
}

/** The hidden comment that begins at a line, with its first word as a name, or null. */
function commentAt(lines, index) {
  const begin = /^<!-- (before|after|broker)\b ?(.*)$/.exec(lines[index] ?? "");
  if (begin === null) return null;
  const [, name, rest] = begin;
  if (rest.endsWith("-->")) {
    return { name, end: index, part: { line: index + 1, lines: [rest.slice(0, -"-->".length).trim()] } };
  }
  let end = index + 1;
  while (end < lines.length && lines[end].trim() !== "-->") end++;
  if (end === lines.length) throw new Error(`line ${index + 1}: the comment has no end`);
  return { name, end, part: { line: index + 2, lines: lines.slice(index + 1, end) } };
}

function endOfFence(document, lines, start, fence) {
  for (let index = start + 1; index < lines.length; index++) {
    if (lines[index].startsWith(fence) && lines[index].slice(fence.length).trim() === "") return index;
  }
  throw new Error(`${document}:${start + 1}: the code block has no end`);
}

function nextText(lines, from) {
  let index = from;
  while (index < lines.length && lines[index].trim() === "") index++;
  return index;
}
