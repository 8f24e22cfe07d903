import { Argument } from "commander";
import type { CommandDefinition, CommandEntry } from "../command.ts";
import { bashCompletion } from "../completion/bash-completion.ts";
import { type CompletionNode, completionTree } from "../completion/completion-tree.ts";
import { fishCompletion } from "../completion/fish-completion.ts";
import { zshCompletion } from "../completion/zsh-completion.ts";
import { ExitCode } from "../exit-code.ts";

const SHELLS: Readonly<Record<string, (nodes: readonly CompletionNode[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `polymq completion`: a script that completes the commands of a table, and itself. */
export function completionCommand(others: readonly CommandEntry[]): CommandDefinition {
  const command: CommandDefinition = {
    name: "completion",
    summary: "print a script with which a shell completes commands and options",
    arguments: [new Argument("<shell>", "which shell").choices(Object.keys(SHELLS))],
    options: [],
    words: Object.keys(SHELLS).map((name) => ({ name, summary: `for ${name}` })),
    examples: [
      ["bash > ~/.local/share/bash-completion/completions/polymq", ""],
      ["zsh > ~/.zfunc/_polymq", "a folder in $fpath"],
      ["fish > ~/.config/fish/completions/polymq.fish", ""],
    ],
    run: ({ args, env }) => {
      const [shell = ""] = args;
      env.out(SHELLS[shell]?.(completionTree([...others, command])) ?? "");
      return Promise.resolve(ExitCode.ok);
    },
  };
  return command;
}
