// What only a real socket shows: bytes that are no HTTP, bodies that arrive in pieces, the trace behind them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { RealApi } from "../../helpers/real-api.ts";

let api: RealApi;
let port: number;
before(async () => {
  api = await RealApi.open();
  await api.app.listen({ port: 0, host: "127.0.0.1" });
  const [address] = api.app.addresses();
  assert.ok(typeof address === "object", "not listening on a port");
  port = address.port;
});
after(() => api.close());

/** Sends the pieces one after the other, each in a packet of its own, and reads until the server closes. */
async function exchange(...pieces: readonly string[]): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    received += text;
  });
  await once(socket, "connect");
  for (const piece of pieces) {
    await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
  }
  await once(socket, "close");
  return received;
}

function post(body: string, headers: readonly string[] = []): string {
  const lines = [
    "POST /v2.0/ports HTTP/1.1",
    "Host: localhost",
    "Connection: close",
    "Content-Type: application/json",
    ...headers,
  ];
  return `${lines.join("\r\n")}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

test("the trace of a request with a body is in the outbox row that the agent will get", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  await api.registerDhcpAgent("node-1");
  const network = await api.create("network", {});
  await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
  const request = post(JSON.stringify({ port: { network_id: network.id, name: "traced" } }), [
    `traceparent: 00-${traceId}-b7ad6b7169203331-01`,
  ]);

  const answer = await exchange(request.slice(0, -30), request.slice(-30, -7), request.slice(-7));

  assert.match(answer, /^HTTP\/1\.1 201 /);
  const rows = await api.store.db.selectFrom("outbox").select("item").orderBy("seq").execute();
  assert.match(
    String((JSON.parse(rows.at(-1)?.item ?? "{}") as { traceparent?: unknown }).traceparent),
    new RegExp(`^00-${traceId}-`),
  );
});

test("bytes that are no HTTP get an answer in the form of the API", async () => {
  for (const garbage of [
    "\u0000\u0001\u0002\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /\u0000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "FROB / HTTP/1.1\r\n\r\n",
  ]) {
    const answer = await exchange(garbage);

    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(answer, /\{"NeutronError":\{"type":"HTTPBadRequest","message":"[^"]+","detail":""\}\}$/);
  }
});

test("a body that is announced too large is refused without waiting for it", async () => {
  const answer = await exchange(post("").replace("Content-Length: 0", "Content-Length: 99999999999"));

  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(answer, /HTTPRequestEntityTooLarge/);
});

test("a body that never stops is cut off", async () => {
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  const head =
    "POST /v2.0/ports HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const socket = connect({ host: "127.0.0.1", port });
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    received += text;
  });
  // Writing on after the server has hung up is the point; the error that this gives is expected.
  socket.on("error", () => {});
  socket.write(head);
  let sent = 0;
  while (!socket.destroyed && !socket.closed && received === "" && sent < 1000) {
    sent += 1;
    await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.destroy();

  assert.match(received, /^HTTP\/1\.1 413 /);
  assert.ok(sent < 200, `${sent} chunks of 64 KiB were taken`);
});

test("two length headers, or a length beside chunks, are refused: two readers could disagree about them", async () => {
  const both = post("{}").replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
  const twice = post("{}", ["Content-Length: 3"]);

  for (const smuggling of [both, twice]) assert.match(await exchange(smuggling), /^HTTP\/1\.1 400 /);
});
