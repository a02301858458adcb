// From settings to a proxy that works on this host.
import { readFile, stat } from "node:fs/promises";
import { errorText, NetloomError } from "../base/errors.ts";
import { chooseSockets, type SocketChoice } from "./choose-sockets.ts";
import { MetadataProxy, type MetadataProxyOptions } from "./metadata-proxy.ts";
import { RouterMetadataProxy, type RouterProxyOptions } from "./router-proxy.ts";
import type { UpstreamAddress } from "./upstream.ts";

/** Section `metadata` of the agent's settings, as far as it concerns the proxy. */
export interface MetadataSettings {
  /** `http://host:port` or `unix:/path`. */
  readonly upstream?: string | undefined;
  readonly sharedSecretFile?: string | undefined;
  readonly timeoutSeconds: number;
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  readonly sockets: SocketChoice["kind"];
}

export type ProxyParts = Pick<MetadataProxyOptions, "runner" | "log" | "clock" | "facts" | "views">;
type RouterProxyParts = Pick<RouterProxyOptions, "runner" | "log" | "clock" | "facts" | "port" | "lookUp">;

/** Throws INVALID for a secret file that cannot be used, UNAVAILABLE when the chosen kind of sockets does not work here. */
export async function openMetadataProxy(settings: MetadataSettings, parts: ProxyParts): Promise<MetadataProxy> {
  return new MetadataProxy({ ...parts, ...(await readSettings(settings, parts)) });
}

/** As `openMetadataProxy`, for instances behind routers. */
export async function openRouterMetadataProxy(
  settings: MetadataSettings,
  parts: RouterProxyParts,
): Promise<RouterMetadataProxy> {
  return new RouterMetadataProxy({ ...parts, ...(await readSettings(settings, parts)) });
}

type Read = Pick<MetadataProxyOptions, "sockets" | "upstream" | "secret" | "rateLimit" | "timeoutMs">;

async function readSettings(settings: MetadataSettings, { runner, log }: Pick<ProxyParts, "runner" | "log">): Promise<Read> {
  const { upstream, sharedSecretFile, sockets, timeoutSeconds, requestsPerSecond, requestBurst } = settings;
  const secret = sharedSecretFile === undefined ? undefined : await readSecret(sharedSecretFile);
  if (upstream !== undefined && secret === undefined) {
    log.warn({ outcome: "unsigned" }, "no shared secret: the metadata service cannot know that instance ids are true");
  }
  return {
    sockets: await chooseSockets({ kind: sockets, runner, log }),
    upstream: upstream === undefined ? undefined : upstreamAddress(upstream),
    secret,
    rateLimit: { perSecond: requestsPerSecond, burst: requestBurst },
    timeoutMs: timeoutSeconds * 1000,
  };
}

function upstreamAddress(text: string): UpstreamAddress {
  return text.startsWith("unix:") ? { socketPath: text.slice("unix:".length) } : { url: text };
}

/** Without the line end that editors leave. */
async function readSecret(path: string): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw new NetloomError("INVALID", "others may read it: chmod 600");
    const text = (await readFile(path, "utf8")).replace(/\r?\n$/, "");
    if (text === "") throw new NetloomError("INVALID", "it is empty");
    return Buffer.from(text, "utf8");
  } catch (thrown) {
    throw new NetloomError("INVALID", `cannot use the shared secret in ${path}: ${errorText(thrown)}`, {}, thrown);
  }
}
