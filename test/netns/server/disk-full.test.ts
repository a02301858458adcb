// A real disk that is full, under a real database.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { faultOf } from "../../helpers/fake-api.ts";
import { sh, skipWithoutRoot } from "../../helpers/namespaces.ts";
import { RealApi } from "../../helpers/real-api.ts";

suite("a disk that is full", { skip: skipWithoutRoot }, () => {
  test("changes are refused as a whole and go on as soon as there is room", async (t) => {
    const disk = await mkdtemp(join(tmpdir(), "netloom-disk-"));
    await sh("mount", "-t", "tmpfs", "-o", "size=4m", "none", disk);
    let api: RealApi | undefined;
    t.after(async () => {
      await api?.close();
      await sh("umount", disk);
      await rm(disk, { recursive: true });
    });
    api = await RealApi.open(`sqlite:${join(disk, "x.db")}`);
    const networkId = String((await api.create("network", {}))["id"]);
    await api.create("subnet", { network_id: networkId, ip_version: 4, cidr: "10.0.0.0/16" });
    const filler = join(disk, "filler");
    await writeFile(filler, Buffer.alloc(8_000_000)).catch((thrown: unknown) => {
      assert.equal((thrown as NodeJS.ErrnoException).code, "ENOSPC");
    });

    const ports = Array.from({ length: 100 }, () => ({ network_id: networkId }));
    const fault = faultOf(await api.ask("/v2.0/ports", { method: "POST", body: { ports } }));

    const message = "The database has no room left, nothing was changed.";
    assert.deepEqual(fault, { status: 507, type: "InsufficientStorage", message });
    assert.deepEqual(await api.list("ports"), []);
    const removal = await api.ask(`/v2.0/networks/${networkId}`, { method: "DELETE" });
    assert.equal(removal.status, 507, "a removal takes room too, in the log of changes");
    await rm(filler);
    assert.equal((await api.ask("/v2.0/ports", { method: "POST", body: { ports } })).status, 201);
    assert.equal((await api.list("ports")).length, 100);
  });
});
