import { expect, test } from "vitest";
import { setup } from "./client-setup.test-support.ts";

test.each(["destroy", "close", "disconnect"] as const)(
  "%s() in a listener of the state connecting ends the connect call, and no connection is made",
  async (end) => {
    const stage = setup();
    stage.client.on("state", ({ state }) => {
      if (state === "connecting") void stage.promises.track(stage.client[end]());
    });
    await stage.refused(stage.client.connect(), "ERR_ABORTED");
    await stage.clock.advance(1_000);
    expect(stage.client.state).toBe(end === "disconnect" ? "disconnected" : "closed");
    expect(stage.dials).toHaveLength(0);
    await stage.finish();
  },
);
