// What must hold before `netloom up` makes anything: each failure is one line that says what to do.
import { accessSync, constants } from "node:fs";
import net from "node:net";
import { delimiter, join } from "node:path";
import { errorText, NetloomError } from "../base/errors.ts";

const packages: Readonly<Record<string, string>> = {
  dnsmasq: "dnsmasq-base",
  ip: "iproute2",
  nft: "nftables",
  nsenter: "util-linux",
  "nats-server": "nats-server",
  "ovs-vsctl": "openvswitch-switch",
  perl: "perl-base",
  setpriv: "util-linux",
};

export function requireRoot(command: string): void {
  if (process.getuid?.() === 0) return;
  throw new NetloomError("FORBIDDEN", `netloom ${command} needs root, because it makes network namespaces: run it with sudo`);
}

/** @param path the PATH to search */
export function requirePrograms(names: readonly string[], path: string): void {
  const missing = names.filter((name) => !isInPath(name, path));
  if (missing.length === 0) return;
  const wanted = [...new Set(missing.map((name) => packages[name] ?? name))].join(" ");
  throw new NetloomError("UNAVAILABLE", `${missing.join(", ")} not found in PATH: apt-get install -y ${wanted}`);
}

function isInPath(name: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Listens for a moment. A race with another program remains; the server reports that one itself. */
export async function requireFreePort(listen: { readonly address: string; readonly port: number }): Promise<void> {
  const probe = net.createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen(listen.port, listen.address, resolve);
    });
  } catch (thrown) {
    const isTaken = thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE";
    const reason = isTaken ? "it is taken by another program, choose another with --listen" : errorText(thrown);
    throw new NetloomError("CONFLICT", `cannot listen on ${listen.address}:${listen.port}: ${reason}`, {}, thrown);
  } finally {
    await new Promise((resolve) => probe.close(resolve));
  }
}

export async function requireNats(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 4222 : Number(port) });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
      socket.setTimeout(3000, () => reject(new Error("no answer within 3 s")));
    });
  } catch (thrown) {
    const reason = thrown instanceof AggregateError ? String(thrown.errors[0]) : errorText(thrown);
    throw new NetloomError("UNAVAILABLE", `NATS is not reachable at ${url}: ${reason}`, {}, thrown);
  } finally {
    socket.destroy();
  }
}
