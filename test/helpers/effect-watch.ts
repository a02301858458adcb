// When a host's agent says that ports are served: listens to its reports beside the server.
import { statusSubject } from "../../src/messaging/subjects.ts";
import { statusReportSchema } from "../../src/types/agent-messages.ts";
import type { BenchSite } from "./bench-site.ts";

export class EffectWatch {
  /** Port → performance.now() of the first report of it. */
  readonly readyAt = new Map<string, number>();

  static async start(site: BenchSite): Promise<EffectWatch> {
    const watch = new EffectWatch();
    const bus = await site.nats.connectServer();
    bus.subscribe(statusSubject("dhcp", site.host), ({ data }) => {
      const at = performance.now();
      for (const { id } of statusReportSchema.parse(data).readyPorts) {
        if (!watch.readyAt.has(id)) watch.readyAt.set(id, at);
      }
    });
    return watch;
  }
}
