// Which names the API answers to: a page in a browser may have any name resolve to this machine.
import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { FakeApi, faultOf } from "../../../helpers/fake-api.ts";

const api = new FakeApi();
after(() => api.close());

const answered = [
  "localhost",
  "LOCALHOST:9696",
  "localhost.",
  "netloom.localhost:80",
  "127.0.0.1",
  "127.0.0.1:9696",
  "127.255.0.9:1",
  "[::1]",
  "[::1]:9696",
  "[0:0:0:0:0:0:0:1]:9696",
  "api.example.org",
  "API.example.org.:8443",
  "192.0.2.7:9696",
  "[2001:DB8:0::7]:9696",
];

const refused = [
  "evil.example",
  "evil.example:9696",
  "localhost.evil.example",
  "evil-localhost",
  "127.0.0.1.evil.example",
  "127.1",
  "2130706433",
  "api.example.org.evil.example",
  "xapi.example.org",
  "api.example.org@evil.example",
  "192.0.2.8",
  "[2001:db8::8]",
  "[::1].evil.example",
  "localhost:port",
  "localhost:80:80",
  ":9696",
  "a b",
  "evil/<script>",
];

for (const host of answered) {
  test(`a request to ${host} is answered`, async () => {
    assert.equal((await api.ask("/v2.0/networks", { headers: { host } })).status, 200);
  });
}

for (const host of refused) {
  test(`a request to ${JSON.stringify(host)} is refused, on every path, and reaches no service`, async () => {
    api.networks.calls.length = 0;
    for (const path of ["/v2.0/networks", "/", "/metrics", "/healthz", "/nowhere"]) {
      const fault = faultOf(await api.ask(path, { headers: { host } }));

      assert.deepEqual([fault.status, fault.type], [403, "HTTPForbidden"]);
      assert.match(fault.message, /allowed_hosts/);
    }
    const body = { network: {} };
    assert.equal((await api.ask("/v2.0/networks", { method: "POST", body, headers: { host } })).status, 403);
    assert.deepEqual(api.networks.calls, []);
  });
}

test("the address that a request came to is a name of the API", async (t) => {
  const wire = new FakeApi();
  t.after(() => wire.close());
  const port = Number(new URL(await wire.app.listen({ host: "0.0.0.0", port: 0 })).port);
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  const get = (address: string, host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const call = request({ host: address, port, path: "/healthz", headers: { host } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      call.on("error", reject).end();
    });

  if (own !== undefined) assert.equal(await get(own, `${own}:${port}`), 200);
  assert.equal(await get("127.0.0.1", "192.0.2.9"), 403);
  if (own !== undefined) assert.equal(await get("127.0.0.1", own), 403, "an address that this request did not come to");
  const say = async (lines: string): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.end(`${lines}\r\n\r\n`);
    return text(socket);
  };
  assert.match(await say("GET /healthz HTTP/1.0"), /^HTTP\/1\.1 200 /);
  assert.match(await say("GET /healthz HTTP/1.1\r\nHost: \r\nConnection: close"), /^HTTP\/1\.1 403 /);
});
