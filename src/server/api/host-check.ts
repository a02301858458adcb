// A browser's page can give its own name the address of this machine (DNS rebinding): the browser then takes the API for a part
// of the page's site and lets it read and write. The name is still in `Host`, so only names of this API are answered.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import { quoted, Refusal, toIp } from "../../types/resources/values.ts";

/** @param allowed names and addresses, without ports, beside those of loopback and the address that the request came to. */
export function installHostCheck(app: FastifyInstance, allowed: readonly string[]): void {
  const names = new Set(allowed.map(canonicalHost));
  app.addHook("onRequest", async (request) => {
    const { host } = request.headers;
    // Only HTTP/1.0 may leave it out, and no browser does.
    if (host === undefined) return;
    const name = nameOf(host);
    if (name !== undefined && (isLoopback(name) || names.has(name) || name === localAddress(request))) return;
    throw new ApiFault(
      "HTTPForbidden",
      `Host ${quoted(host)} is not a name of this API: use localhost, the address that it listens on or a name of its allowed_hosts.`,
    );
  });
}

/** `[::1]:9696` → `::1`, `Localhost.:80` → `localhost`. */
function nameOf(host: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d{0,5})?$/i.exec(host) ?? [];
  const name = bracketed ?? plain;
  return name === undefined ? undefined : canonicalHost(name);
}

function canonicalHost(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, "");
  const address = toIp(name);
  return address instanceof Refusal ? name : address;
}

function isLoopback(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  return name.startsWith("127.") && !(toIp(name) instanceof Refusal);
}

/** Where the client really reached us; an address cannot be rebound. */
function localAddress({ socket }: FastifyRequest): string | undefined {
  const local = socket.localAddress?.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  return local === undefined ? undefined : canonicalHost(local);
}
