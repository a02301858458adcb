// A metadata service that only remembers, and can be told to fail.
import type { MetadataService } from "../../src/agent/network-helpers.ts";
import { type MetadataPlan, noMetadata } from "../../src/model/metadata-plan.ts";
import type { NetworkId } from "../../src/model/ids.ts";
import type { NetworkView } from "../../src/model/network.ts";

type Desired = Parameters<MetadataService["apply"]>[0];

export class FakeMetadata implements MetadataService {
  readonly planned: NetworkView[] = [];
  readonly applied: Desired[] = [];
  readonly removed: NetworkId[] = [];
  /** Called at the start of each `remove`. */
  onRemove: (id: NetworkId) => void = () => {};

  plan(view: NetworkView): MetadataPlan {
    this.planned.push(view);
    return noMetadata;
  }

  async apply(desired: Desired): Promise<void> {
    this.applied.push(desired);
  }

  async remove(id: NetworkId): Promise<void> {
    this.onRemove(id);
    this.removed.push(id);
  }
}
