import assert from "node:assert/strict";
import http from "node:http";
import { test, type TestContext } from "node:test";
import { ApiClient, resourceNames } from "../../../src/cli/api-client.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A server that says what the test wants; the real API is tested with the command line in test/e2e. */
async function serve(context: TestContext, answer: (url: URL) => Answer): Promise<ApiClient> {
  const server = http.createServer((request, response) => {
    const { status, body } = answer(new URL(request.url ?? "/", "http://test"));
    response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address !== "string");
  return new ApiClient(`http://127.0.0.1:${address.port}/`);
}

const json = (status: number, body: unknown): Answer => ({ status, body: JSON.stringify(body) });
const id = "01930000-0000-7000-8000-000000000001";

test("a name that two objects have is refused with their ids", async (context) => {
  const client = await serve(context, () => json(200, { networks: [{ id: "one" }, { id: "two" }] }));

  await assert.rejects(client.find(resourceNames.network, "blue"), { exitCode: 2, message: /one, two/ });
});

test("a name that nobody has is exit code 3", async (context) => {
  const client = await serve(context, () => json(200, { ports: [] }));

  await assert.rejects(client.find(resourceNames.port, "web"), { exitCode: 3, message: "no port has the name or id web" });
});

test("something that looks like an id may still be a name", async (context) => {
  const client = await serve(context, (url) => json(200, { ports: url.searchParams.has("id") ? [] : [{ id: "x", name: id }] }));

  assert.equal(await client.findId(resourceNames.port, id), "x");
});

test("the message of a fault is the message of the command", async (context) => {
  const fault = { NeutronError: { type: "NetworkInUse", message: "Network is\nin use.", detail: "" } };
  const client = await serve(context, () => json(409, fault));

  await assert.rejects(client.remove(resourceNames.network, id), { exitCode: 4, message: "Network is in use." });
});

test("an answer of something else than netloom is a clear failure", async (context) => {
  const proxy = await serve(context, () => ({ status: 502, body: "<html>" }));
  const page = await serve(context, () => ({ status: 200, body: "<html>" }));

  await assert.rejects(proxy.list(resourceNames.network), { exitCode: 1, message: "the server answered 502 Bad Gateway" });
  await assert.rejects(page.list(resourceNames.network), { exitCode: 1, message: /is not a netloom server/ });
});

test("a server that is not there is exit code 5", async () => {
  const client = new ApiClient("http://127.0.0.1:1");

  await assert.rejects(client.list(resourceNames.network), {
    exitCode: 5,
    message: /no server answers at http:\/\/127\.0\.0\.1:1/,
  });
});
