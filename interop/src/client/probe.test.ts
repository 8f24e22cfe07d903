import { test } from "vitest";
import { startMosquitto } from "../harness/start-mosquitto.ts";
import { Ear, numbered, Stage } from "./stage.test-support.ts";
import { faultProxy } from "polymq/testing";
import { setTimeout as delay } from "node:timers/promises";
test("probe", async () => {
  const broker = await startMosquitto({ maxInflight: 500, maxQueued: 0 });
  const proxy = await faultProxy({ target: { host: broker.host, port: broker.port } });
  try {
    await using stage = new Stage({ level: 4, address: () => ({ servers: `mqtt://127.0.0.1:${proxy.port}` }) });
    const recv = await stage.connect(stage.lasting("recv"));
    const send = await stage.connect(stage.lasting("send"));
    for (const [n, c] of [["recv", recv], ["send", send]] as const) for (const k of ["connect", "connectionLost","serverDisconnect","backgroundError","messageDropped"] as const) c.on(k, (e: any) => console.log(n, k, JSON.stringify(e), String(e.error ?? "")));
    const got: string[] = []; const set = new Set<string>();
    await recv.subscribe("t", { qos: 1, handler: (m) => { got.push(m.text()); set.add(m.text()); if (got.length % 170 === 0) { console.log("cut at", got.length); proxy.cut(got.length % 340 === 0 ? "fin" : "rst"); } } });
    let done = 0;
    const sent = numbered("message", 2000);
    const all = Promise.all(sent.map((t) => send.publish("t", t, { qos: 1 }).then(() => done++, (e) => console.log("reject", t, String(e)))));
    for (let i = 0; i < 12; i++) { await delay(500); console.log("published", done, "got", got.length, "different", set.size, recv.state, send.state, JSON.stringify(send.waiting)); }
    const missing = sent.filter((t) => !set.has(t)); console.log("missing", missing.slice(0, 10), missing.length);
    console.log((broker as any)["logTail"]());
  } finally { await proxy.close(); await broker.stop(); }
}, 60000);
