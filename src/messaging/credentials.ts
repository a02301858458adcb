// nkeys: who a program is to NATS. The seed is a file of its own (0600 in a 0700 directory); only the public key goes into
// the configuration of the nats-server.
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { NetloomError } from "../base/errors.ts";
import { hostToken, type Role } from "./subjects.ts";

export interface Credential {
  /** For `nkeySeedFile` of `connectBus`. */
  readonly seedFile: string;
  readonly publicKey: string;
}

export const ensureServerCredential = (directory: string): Promise<Credential> => ensureCredential(directory, "server");

/** Of users who follow notifications. */
export const ensureObserverCredential = (directory: string): Promise<Credential> => ensureCredential(directory, "observer");

export const ensureAgentCredential = (directory: string, role: Role, host: string): Promise<Credential> =>
  ensureCredential(directory, `${role}-${hostToken(host)}`);

/** Reads the seed `<directory>/<name>.nk`, or makes it when it is not there. */
async function ensureCredential(directory: string, name: string): Promise<Credential> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // An older umask or a hand-made directory may be more open than what mkdir was asked for.
  await chmod(directory, 0o700);
  const seedFile = join(directory, `${name}.nk`);
  const known = await readSeed(seedFile);
  if (known !== undefined) return { seedFile, publicKey: publicKeyOf(known, seedFile) };
  const seed = nkeys.createUser().getSeed();
  // Under another name first: a kill in the middle must not leave half a seed.
  const draft = join(directory, `.${name}.${randomUUID()}`);
  try {
    await writeFile(draft, `${new TextDecoder().decode(seed)}\n`, { mode: 0o600, flag: "wx" });
    await rename(draft, seedFile);
  } finally {
    await rm(draft, { force: true });
  }
  return { seedFile, publicKey: publicKeyOf(seed, seedFile) };
}

async function readSeed(file: string): Promise<Uint8Array | undefined> {
  try {
    const text = (await readFile(file, "utf8")).trim();
    return new TextEncoder().encode(text);
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}

function publicKeyOf(seed: Uint8Array, file: string): string {
  try {
    return nkeys.fromSeed(seed).getPublicKey();
  } catch (cause) {
    throw new NetloomError("INVALID", `${file} does not hold an nkey seed; remove it and a new one is made`, {}, cause);
  }
}
