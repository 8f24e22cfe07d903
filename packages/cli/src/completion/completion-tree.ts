import type { Option } from "commander";
import type { CommandEntry } from "../command.ts";

/** What can follow a command on a line. */
export interface CompletionNode {
  /** Its words with slashes in front: "" is `polymq` itself, `/queue/publish` a command. */
  readonly path: string;
  readonly commands: readonly CompletionItem[];
  readonly options: readonly CompletionOption[];
}

/** A word and what it stands for. */
export interface CompletionItem {
  readonly word: string;
  readonly help: string;
}

/** An option as shells need it. */
export interface CompletionOption {
  readonly long: string;
  readonly short: string | null;
  readonly help: string;
  /** What follows it: nothing, one of some words, a file, or something that cannot be guessed. */
  readonly value: { readonly is: "none" | "file" | "any" } | { readonly is: "word"; readonly words: readonly string[] };
}

const HELP: CompletionOption = { long: "--help", short: null, help: "say what there is", value: { is: "none" } };
const VERSION: CompletionOption = { long: "--version", short: "-V", help: "print the version", value: { is: "none" } };

/** All commands below the table, each with what can follow it; `polymq` itself first. */
export function completionTree(entries: readonly CommandEntry[]): readonly CompletionNode[] {
  const root: CompletionNode = { path: "", commands: itemsOf(entries), options: [HELP, VERSION] };
  return [root, ...entries.flatMap((entry) => nodesOf(entry, ""))];
}

function nodesOf(entry: CommandEntry, above: string): readonly CompletionNode[] {
  const path = `${above}/${entry.name}`;
  if (!("commands" in entry)) {
    const options = entry.options.filter(({ hidden }) => !hidden).map(optionOf);
    return [{ path, commands: itemsOf(entry.words ?? []), options: [...options, HELP] }];
  }
  const node: CompletionNode = { path, commands: itemsOf(entry.commands), options: [HELP] };
  return [node, ...entry.commands.flatMap((each) => nodesOf(each, path))];
}

function itemsOf(entries: readonly { readonly name: string; readonly summary: string }[]): readonly CompletionItem[] {
  return entries.map(({ name, summary }) => ({ word: name, help: summary }));
}

function optionOf(option: Option): CompletionOption {
  const { long, short, description, argChoices } = option;
  const names = { long: long ?? option.flags, short: short ?? null, help: description };
  if (argChoices !== undefined) return { ...names, value: { is: "word", words: argChoices } };
  if (!(option.required || option.optional)) return { ...names, value: { is: "none" } };
  return { ...names, value: { is: /<(?:file|path|directory)>/.test(option.flags) ? "file" : "any" } };
}
