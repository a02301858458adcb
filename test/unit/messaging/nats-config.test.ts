import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNatsConfig } from "../../../src/messaging/nats-config.ts";

test("each program may use its own subjects only, and the server listens on loopback", () => {
  const text = formatNatsConfig({
    port: -1,
    server: "USERVER",
    agents: [{ role: "dhcp", host: "Node-1.example", publicKey: "UAGENT" }],
    observer: "UOBSERVER",
    storeDir: "/var/lib/netloom/jetstream",
  });

  assert.equal(
    text,
    `# Made by netloom; changes are overwritten.
listen: "127.0.0.1:-1"
jetstream: { store_dir: "/var/lib/netloom/jetstream" }
authorization: {
  users: [
    {
      nkey: USERVER
      permissions: {
        publish: { allow: ["nl.ev.>", "nl.net.>", "nl.sg.>", "nl.ask.>", "nl.notify.>", "$JS.API.STREAM.CREATE.NOTIFY", "$JS.API.STREAM.UPDATE.NOTIFY", "$JS.API.STREAM.INFO.NOTIFY"] }
        subscribe: { allow: ["nl.rpc.>", "nl.hb.>", "nl.st.>", "_INBOX_server.>"] }
        allow_responses: true
      }
    }
    {
      nkey: UAGENT
      permissions: {
        publish: { allow: ["nl.rpc.dhcp.*.node-1_example", "nl.hb.dhcp.node-1_example", "nl.st.dhcp.node-1_example"] }
        subscribe: { allow: ["nl.ev.dhcp.node-1_example", "nl.ev.dhcp.node-1_example.ctl", "nl.ask.dhcp.*.node-1_example", "_INBOX_dhcp_node-1_example.>"] }
        allow_responses: true
      }
    }
    {
      nkey: UOBSERVER
      permissions: {
        publish: { allow: ["$JS.API.STREAM.INFO.NOTIFY", "$JS.API.CONSUMER.CREATE.NOTIFY.>", "$JS.API.CONSUMER.INFO.NOTIFY.>", "$JS.API.CONSUMER.MSG.NEXT.NOTIFY.>", "$JS.API.CONSUMER.DELETE.NOTIFY.>", "$JS.ACK.NOTIFY.>"] }
        subscribe: { allow: ["nl.notify.>", "_INBOX_observer.>"] }
        allow_responses: true
      }
    }
  ]
}
`,
  );
});

test("a host that could mean more than one subject does not get in", () => {
  for (const host of ["*", ">", "a b", "", 'x"]', "a\nb"]) {
    assert.throws(
      () => formatNatsConfig({ port: -1, server: "U", agents: [{ role: "dhcp", host, publicKey: "U" }] }),
      RangeError,
    );
  }
});
