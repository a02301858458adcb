// The file by which the floating-IP agent sees that a router's tables are there: l3-layout.ts says what it promises.
import { ensureDirectory, readFileIfPresent, removeFile, writeFileAtomic } from "../../linux/atomic-file.ts";
import type { RouterId } from "../../model/ids.ts";
import { readyDirectory, readyFile, type RouterReady } from "../l3-layout.ts";
import type { RouterSpec } from "./router-spec.ts";

interface Made {
  readonly namespaceInode: number;
  readonly epoch: string;
}

function textOf({ routerId, namespace, gateway, ha }: RouterSpec, { namespaceInode, epoch }: Made): string {
  const ready: RouterReady = {
    ...{ routerId, namespace, namespaceInode, epoch },
    gatewayDevice: gateway?.device ?? null,
    gatewayPortId: gateway?.portId ?? null,
    gatewayMac: gateway?.macAddress ?? null,
    ...(ha === undefined ? {} : { haState: ha.state }),
  };
  return `${JSON.stringify(ready)}\n`;
}

export async function isReadyFile(stateDir: string, spec: RouterSpec, made: Made): Promise<boolean> {
  return (await readFileIfPresent(readyFile(stateDir, spec.routerId))) === textOf(spec, made);
}

export async function writeReadyFile(stateDir: string, spec: RouterSpec, made: Made): Promise<void> {
  await ensureDirectory(readyDirectory(stateDir));
  await writeFileAtomic(readyFile(stateDir, spec.routerId), textOf(spec, made));
}

export async function removeReadyFile(stateDir: string, id: RouterId): Promise<void> {
  await removeFile(readyFile(stateDir, id));
}
