// What clients in languages with types need of us: gophercloud, and Terraform's provider above it. They read a value in one
// form only, and send the zero of its type where they have nothing to say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachDatabase } from "../../helpers/databases.ts";
import { faultOf } from "../../helpers/fake-api.ts";
import { type Body, RealApi } from "../../helpers/real-api.ts";

const segment = (type: string, physical: string | null, id: number | null) => ({
  "provider:network_type": type,
  "provider:physical_network": physical,
  "provider:segmentation_id": id,
});

forEachDatabase((_engine, openFresh) => {
  test("times of agents have the form that only agents have", async () => {
    const api = new RealApi(await openFresh());
    const id = await api.registerDhcpAgent("node-1");
    const { agent } = (await api.ask(`/v2.0/agents/${id}`)).body as { readonly agent: Body };
    for (const shown of [agent, ...(await api.list("agents"))]) {
      for (const name of ["created_at", "started_at", "heartbeat_timestamp"]) {
        assert.match(String(shown[name]), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, name);
      }
    }
    const network = await api.create("network", {});
    await api.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
    const [hosting] = await api.list(`networks/${network.id}/dhcp-agents`, "", {}, "agents");
    assert.equal(hosting?.["started_at"], agent["started_at"]);

    assert.equal((await api.list("agents", "?sort_key=heartbeat_timestamp&sort_dir=desc")).length, 1);
    await api.close();
  });

  test("segments say nothing by the empty text, and by 0 where there are no ids", async () => {
    const api = new RealApi(await openFresh());
    const create = (...segments: readonly object[]) => api.create("network", { segments });

    assert.equal((await create(segment("local", "", 0)))["provider:network_type"], "local");
    const flat = await create(segment("flat", "east", 0));
    assert.deepEqual([flat["provider:physical_network"], flat["provider:segmentation_id"]], ["east", null]);
    const several = await create(segment("vxlan", "", 5), segment("flat", "west", 0));
    assert.deepEqual(several["segments"], [segment("vxlan", null, 5), segment("flat", "west", null)]);
    for (const wrong of [segment("vlan", "east", 0), segment("vlan", "", 7), segment("vxlan", "", 0), segment("flat", "", 0)]) {
      const answer = await api.ask("/v2.0/networks", { method: "POST", body: { network: { segments: [wrong] } } });
      assert.equal(faultOf(answer).type, "InvalidInput", JSON.stringify(wrong));
    }
    await api.close();
  });
});
