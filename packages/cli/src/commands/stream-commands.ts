import type { CommandGroup } from "../command.ts";
import { STREAM_COMMIT_COMMAND } from "./stream/commit.ts";
import { STREAM_PUBLISH_COMMAND } from "./stream/publish.ts";
import { STREAM_READ_COMMAND } from "./stream/read.ts";

/** `polymq stream ...`. */
export const STREAM_COMMANDS: CommandGroup = {
  name: "stream",
  summary: "streams: append, read from any place, commit",
  commands: [STREAM_PUBLISH_COMMAND, STREAM_READ_COMMAND, STREAM_COMMIT_COMMAND],
};
