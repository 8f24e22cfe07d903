import { pathsOf } from "./bash-completion.ts";
import type { CompletionNode } from "./completion-tree.ts";

/** A completion script for zsh. */
export function zshCompletion(nodes: readonly CompletionNode[]): string {
  return `#compdef polymq
# zsh completion for polymq: source <(polymq completion zsh), after compinit
_polymq() {
  local at="" i
  for ((i = 2; i < CURRENT; i++)); do
    case "$at/\${words[i]}" in
      ${pathsOf(nodes)}) at="$at/\${words[i]}" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${nodes.flatMap(valueCases).join("\n")}
  esac
  local -a items
  case "$at" in
${nodes.map(itemCase).join("\n")}
  esac
  _describe polymq items
}
# As a file in $fpath it is what completes; sourced it says so.
if [ "$funcstack[1]" = "_polymq" ]; then _polymq "$@"; else compdef _polymq polymq; fi
`;
}

function valueCases({ path, options }: CompletionNode): readonly string[] {
  return options.flatMap(({ long, short, value }) => {
    if (value.is === "none") return [];
    const pattern = [long, short].flatMap((name) => (name === null ? [] : [`"${path} ${name}"`])).join(" | ");
    if (value.is === "word") return [`    ${pattern}) compadd -- ${value.words.join(" ")}; return ;;`];
    return [`    ${pattern}) ${value.is === "file" ? "_files; " : ""}return ;;`];
  });
}

function itemCase({ path, commands, options }: CompletionNode): string {
  const items = [
    ...commands.map(({ word, help }) => `${word}:${help}`),
    ...options.map(({ long, help }) => `${long}:${help}`),
  ];
  return `    "${path}") items=(${items.map(quoted).join(" ")}) ;;`;
}

/** For a POSIX shell, in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
