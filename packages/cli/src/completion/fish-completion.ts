import type { CompletionNode, CompletionOption } from "./completion-tree.ts";

/** A completion script for fish. */
export function fishCompletion(nodes: readonly CompletionNode[]): string {
  const paths = nodes.filter(({ path }) => path !== "").map(({ path }) => path);
  return `# fish completion for polymq: polymq completion fish | source
function __polymq_at
  set -l at ""
  for word in (commandline -opc)[2..-1]
    switch "$at/$word"
      case ${paths.join(" ")}
        set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
complete -c polymq -f
${nodes.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ path, commands, options }: CompletionNode): readonly string[] {
  const at = `complete -c polymq -n '__polymq_at "${path}"'`;
  return [
    ...commands.map(({ word, help }) => `${at} -a ${word} -d ${quoted(help)}`),
    ...options.map((option) => `${at} ${namesOf(option)}${valueFlags(option)} -d ${quoted(option.help)}`),
  ];
}

function namesOf({ long, short }: CompletionOption): string {
  return `-l ${long.slice(2)}${short === null ? "" : ` -s ${short.slice(1)}`}`;
}

function valueFlags({ value }: CompletionOption): string {
  if (value.is === "none") return "";
  if (value.is === "word") return ` -x -a ${quoted(value.words.join(" "))}`;
  return value.is === "file" ? " -r -F" : " -x";
}

/** For fish, in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
