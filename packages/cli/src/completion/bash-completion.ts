import type { CompletionNode } from "./completion-tree.ts";

/** A completion script for bash 3.2 and newer. */
export function bashCompletion(nodes: readonly CompletionNode[]): string {
  return `# bash completion for polymq: source <(polymq completion bash)
_polymq() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/\${COMP_WORDS[i]}" in
      ${pathsOf(nodes)}) at="$at/\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $prev" in
${nodes.flatMap(valueCases).join("\n")}
  esac
  case "$at" in
${nodes.map(wordCase).join("\n")}
  esac
}
complete -F _polymq polymq
`;
}

/** The paths of all commands, as a pattern. */
export function pathsOf(nodes: readonly CompletionNode[]): string {
  return nodes
    .filter(({ path }) => path !== "")
    .map(({ path }) => path)
    .join(" | ");
}

function valueCases({ path, options }: CompletionNode): readonly string[] {
  const pattern = (names: readonly (string | null)[]): string =>
    names.flatMap((name) => (name === null ? [] : [`"${path} ${name}"`])).join(" | ");
  const chosen = options.flatMap(({ long, short, value }) =>
    value.is === "word"
      ? [`    ${pattern([long, short])}) COMPREPLY=($(compgen -W "${value.words.join(" ")}" -- "$cur")); return ;;`]
      : [],
  );
  const named = (is: "file" | "any"): readonly (string | null)[] =>
    options.flatMap(({ long, short, value }) => (value.is === is ? [long, short] : []));
  const files = pattern(named("file"));
  const others = pattern(named("any"));
  return [
    ...chosen,
    ...(files === "" ? [] : [`    ${files}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`]),
    ...(others === "" ? [] : [`    ${others}) return ;;`]),
  ];
}

function wordCase({ path, commands, options }: CompletionNode): string {
  const words = [...commands.map(({ word }) => word), ...options.map(({ long }) => long)];
  return `    "${path}") COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$cur")) ;;`;
}
