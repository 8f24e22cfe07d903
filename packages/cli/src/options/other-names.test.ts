import { describe, expect, test } from "vitest";
import { COMMANDS } from "../command-table.ts";
import { withOurNames } from "./other-names.ts";

const names = (line: string): string => withOurNames(line.split(" "), COMMANDS).join(" ");

describe("names of other tools", () => {
  test.each([
    // MQTTX
    [
      "pub -h h -ct text/plain -rt a -cd 7 -pf -m x",
      "pub -h h --content-type text/plain --response-topic a --correlation-data 7 --payload-format-indicator -m x",
    ],
    ["pub --hostname h --client-id me -up a:b -up c=d", "pub --host h --id me --prop a=b --prop c=d"],
    [
      "pub -Wt w -Wm gone -Wq 1 -Wr -se 5",
      "pub --will-topic w --will-payload gone --will-qos 1 --will-retain --session-expiry 5",
    ],
    [
      "sub -t a -nl -rap -rh 2 --ca ca.pem",
      "sub -t a --no-local --retain-as-published --retain-handling 2 --cafile ca.pem",
    ],
    ["pub --message-expiry-interval=60 --file-read f", "pub --expires 60 --file f"],
    [
      "sub -Wd 5 -We 60 -Wct a/b -Wup a:b -Cup c:d --rcv-max 9",
      "sub --will-delay 5 --will-expires 60 --will-content-type a/b --will-prop a=b --connect-prop c=d --receive-maximum 9",
    ],
    // mosquitto
    ["sub -D connect user-property a b -D will will-delay-interval 5", "sub --connect-prop a=b --will-delay 5"],
    ["sub --pw p --disable-clean-session --tls-alpn mqtt", "sub --password p --no-clean --alpn mqtt"],
    [
      "pub -D publish user-property unit C -D publish content-type a/b -m x",
      "pub --prop unit=C --content-type a/b -m x",
    ],
    [
      "pub -D publish payload-format-indicator 1 -D connect session-expiry-interval 9",
      "pub --payload-format-indicator --session-expiry 9",
    ],
    // amqp-tools
    ["queue publish jobs --body x -H k:v", "queue publish jobs --message x --prop k=v"],
    ["pub --reply-to q --line-buffered", "pub --response-topic q --stdin-lines"],
  ])("%s is %s", (line, ours) => {
    expect(names(line)).toBe(ours);
  });

  test.each([
    ["a value", "pub -t -rt -m -up"],
    ["the value of options in one word", "sub -vt -nl"],
    ["a value that is attached", "pub -m-up -t a"],
    ["what stands behind --", "queue consume -- -up"],
    ["a name of ours", "pub -D publish=yes -r -t x --prop a=b"],
    ["what the command does not have", "sub -rt a"],
    ["another command", "nothing -rt a"],
  ])("are not looked for in %s", (_, line) => {
    expect(names(line)).toBe(line);
  });

  test("a missing value stays missing", () => {
    expect(names("pub -t a -rt")).toBe("pub -t a --response-topic");
    expect(names("pub -D publish content-type")).toBe("pub --content-type");
  });

  test("a payload may hold a colon that is no name's", () => {
    expect(withOurNames(["pub", "-up", "url: http://h/?a=b"], COMMANDS)).toEqual([
      "pub",
      "--prop",
      "url=http://h/?a=b",
    ]);
  });
});
