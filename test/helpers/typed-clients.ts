// What people type at a server without tokens: commands of the openstack client, and of our own command line.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { netloom } from "./netloom-up.ts";

export type Row = Readonly<Record<string, unknown>>;

const execute = promisify(execFile);

export interface TypedClients {
  /** Standard output of the openstack client; rejects when it fails. */
  readonly openstack: (...args: readonly string[]) => Promise<string>;
  /** The same as JSON. */
  readonly json: <T = Row>(...args: readonly string[]) => Promise<T>;
  /** Of our own command line; must succeed. */
  readonly own: <T = Row>(...args: readonly string[]) => Promise<T>;
}

/** @param urlOf of the API, asked for at each command */
export function typedClients(urlOf: () => string): TypedClients {
  const openstack = async (...args: readonly string[]): Promise<string> => {
    const env = { PATH: process.env["PATH"], HOME: "/nonexistent" };
    return (await execute("openstack", ["--os-auth-type", "none", "--os-endpoint", urlOf(), ...args], { env })).stdout;
  };
  return {
    openstack,
    json: async <T = Row>(...args: readonly string[]): Promise<T> => JSON.parse(await openstack(...args, "-f", "json")) as T,
    own: async <T = Row>(...args: readonly string[]): Promise<T> => {
      const result = await netloom([...args, "-o", "json"], { NETLOOM_URL: urlOf() });
      assert.equal(result.exitCode, 0, `${args.join(" ")}: ${result.stderr}`);
      return (result.stdout === "" ? {} : JSON.parse(result.stdout)) as T;
    },
  };
}
