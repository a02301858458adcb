// The DHCP agent's stream: networks, subnets and ports, with the networks of this host as inventory. How a stream is followed
// is the same for every agent (runtime/item-stream.ts).
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Bus } from "../messaging/bus.ts";
import type { Role } from "../messaging/subjects.ts";
import type { NetworkId } from "../model/ids.ts";
import { ItemStream, type ItemSink, type PageRequest, type StreamPosition } from "../runtime/item-stream.ts";
import type { Timers } from "../runtime/timers.ts";
import {
  streamMessageSchema,
  type AgentDescription,
  type ControlMessage,
  type StreamItem,
  type SyncReply,
  type SyncRequest,
} from "../types/agent-messages.ts";

/** Where the items go. Calls come in the order of the stream, never during each other. */
export interface StreamSink extends Omit<ItemSink<StreamItem>, "onLost"> {
  /** Others serve these now: to be stopped at once, whether a sync is possible or not. */
  dropNetworks(ids: readonly NetworkId[]): void;
}

export interface StreamConsumerOptions {
  readonly bus: Bus;
  readonly role: Role;
  readonly host: string;
  readonly sink: StreamSink;
  readonly sync: (request: SyncRequest) => Promise<SyncReply>;
  readonly describe: () => AgentDescription;
  /** Called after the sink has heard that the copy is complete. */
  readonly onSynced?: (() => void) | undefined;
  /** Networks that this host serves at the moment. The server says first which of them are not its any more. */
  readonly readInventory?: () => Promise<readonly NetworkId[]>;
  /** Least time between two syncs. */
  readonly throttleMs?: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly random?: () => number;
}

export class StreamConsumer {
  readonly #options: StreamConsumerOptions;
  readonly #stream: ItemStream<StreamItem>;

  constructor(options: StreamConsumerOptions) {
    const { bus, role, host, clock, timers, log, throttleMs, random, sink } = options;
    this.#options = options;
    this.#stream = new ItemStream<StreamItem>({
      ...{ bus, role, host, clock, timers, log, throttleMs, random },
      schema: streamMessageSchema,
      sync: (request) => this.#sync(request),
      sink: {
        applyItems: (items) => sink.applyItems(items),
        beginSnapshot: (begin) => sink.beginSnapshot(begin),
        endSnapshot: () => sink.endSnapshot(),
        abortSnapshot: () => sink.abortSnapshot(),
        onSynced: () => {
          sink.onSynced();
          options.onSynced?.();
        },
        onLost: (message) => this.#onLost(message),
      },
    });
  }

  /** The last position whose effects are all in the sink. */
  get seen(): StreamPosition {
    return this.#stream.seen;
  }

  /** Changes that came as events. */
  get events(): number {
    return this.#stream.events;
  }

  start(): void {
    this.#stream.start();
  }

  requestSync(reason: string): void {
    this.#stream.requestSync(reason);
  }

  close(): void {
    this.#stream.close();
  }

  async #sync(request: PageRequest): Promise<SyncReply> {
    const { sync, describe } = this.#options;
    const inventory = request.cursor === undefined ? { inventory: await this.#readInventory() } : {};
    return sync({ agent: describe(), ...request, ...inventory });
  }

  /** Without it the snapshot says the same, only later. */
  async #readInventory(): Promise<NetworkId[]> {
    try {
      return [...((await this.#options.readInventory?.()) ?? [])];
    } catch (err) {
      this.#options.log.warn({ err }, "inventory failed, will be repeated");
      return [];
    }
  }

  #onLost({ lostNetworkIds = [] }: ControlMessage): void {
    if (lostNetworkIds.length === 0) return;
    this.#options.log.warn({ networks: lostNetworkIds.length }, "networks were given to other hosts while this one was silent");
    this.#options.sink.dropNetworks(lostNetworkIds);
  }
}
