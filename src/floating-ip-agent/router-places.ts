// Where routers are on this host, as the L3 agent says it: a file for each, read when it changes. Floating IPs wait for theirs.
import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";
import { makeDirectories } from "../base/directories.ts";
import { errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { readyDirectory, readyFile, type RouterReady } from "../drivers/l3-layout.ts";
import { isErrno } from "../linux/atomic-file.ts";
import { DirectoryWatch, type OpenWatch } from "../linux/directory-watch.ts";
import { isUuid, portId, routerId, type RouterId } from "../model/ids.ts";

const readySchema = z.object({
  routerId: z.uuid().transform(routerId),
  namespace: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/),
  namespaceInode: z.int().nonnegative(),
  epoch: z.string().min(1).max(200),
  gatewayDevice: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,15}$/)
    .nullable(),
  gatewayPortId: z.uuid().transform(portId).nullable(),
  gatewayMac: z
    .string()
    .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)
    .nullable(),
  haState: z.enum(["primary", "backup", "unknown"]).optional(),
}) satisfies z.ZodType<RouterReady>;

export class RouterPlaces {
  readonly #stateDir: string;
  readonly #log: Logger;
  readonly #watch: DirectoryWatch;
  readonly #places = new Map<RouterId, RouterReady>();
  #onChange: ((router: RouterId) => void) | undefined;

  constructor(parts: { readonly stateDir: string; readonly log: Logger; readonly openWatch?: OpenWatch | undefined }) {
    this.#stateDir = parts.stateDir;
    this.#log = parts.log;
    this.#watch = new DirectoryWatch({
      directory: readyDirectory(parts.stateDir),
      onEvent: (name) => {
        const router = routerOf(name);
        if (router !== undefined && this.#look(router)) this.#onChange?.(router);
      },
      log: parts.log,
      messages: {
        broken: "watching routers failed, begins anew with the next sweep",
        refused: "routers are looked for by sweeps only",
      },
      openWatch: parts.openWatch,
    });
  }

  /** @param onChange called with each router whose place is another, or no more */
  async start(onChange: (router: RouterId) => void): Promise<void> {
    await makeDirectories(readyDirectory(this.#stateDir));
    this.#onChange = onChange;
    this.lookAtAll();
  }

  get(router: RouterId): RouterReady | undefined {
    return this.#places.get(router);
  }

  routerIds(): readonly RouterId[] {
    return [...this.#places.keys()];
  }

  /** Whether all that was heard was all there was. @returns routers whose place is another, or no more */
  lookAtAll(): readonly RouterId[] {
    if (this.#onChange !== undefined) this.#watch.ensure();
    const present = this.#readNames().flatMap((name) => routerOf(name) ?? []);
    return [...new Set([...present, ...this.#places.keys()])].filter((router) => this.#look(router));
  }

  close(): void {
    this.#watch.close();
    this.#onChange = undefined;
  }

  #readNames(): readonly string[] {
    try {
      return readdirSync(readyDirectory(this.#stateDir));
    } catch (thrown) {
      if (isErrno(thrown, "ENOENT")) return [];
      throw thrown;
    }
  }

  #look(router: RouterId): boolean {
    const place = this.#read(router);
    const known = this.#places.get(router);
    if (place === undefined) this.#places.delete(router);
    else this.#places.set(router, place);
    return JSON.stringify(place) !== JSON.stringify(known);
  }

  #read(router: RouterId): RouterReady | undefined {
    try {
      const place = readySchema.parse(JSON.parse(readFileSync(readyFile(this.#stateDir, router), "utf8")));
      return place.routerId === router ? place : undefined;
    } catch (thrown) {
      if (!isErrno(thrown, "ENOENT"))
        this.#log.warn({ routerId: router, err: errorText(thrown) }, "the router's file is not understood");
      return undefined;
    }
  }
}

function routerOf(file: string): RouterId | undefined {
  const id = file.endsWith(".json") ? file.slice(0, -".json".length) : "";
  return isUuid(id) ? routerId(id) : undefined;
}
