// Notifications for users outside, joined: what was committed (`…end`), and what was asked for (`…start`).
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Bus } from "../messaging/bus.ts";
import type { NotificationStream } from "../messaging/notification-stream.ts";
import { objectNotifySubject } from "../messaging/subjects.ts";
import type { RequestNotice } from "./api/request-notices.ts";
import { NotificationPublisher, type Presenter } from "./publisher/notification-publisher.ts";
import { readNested } from "./services/nested-objects.ts";
import type { ResourceReader } from "./services/resource-service.ts";
import { serverContext } from "./services/service-deps.ts";
import type { Store } from "./store/database.ts";
import { readEpoch } from "./store/epoch.ts";

export interface NotificationsBase {
  readonly store: Store;
  readonly bus: Bus;
  readonly stream?: NotificationStream;
  /** By the names of their resources. */
  readonly readers: ReadonlyMap<string, ResourceReader>;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function startNotifications({ readers, ...base }: NotificationsBase): Promise<NotificationPublisher> {
  const epoch = await readEpoch(base.store.db);
  const publisher = new NotificationPublisher({ ...base, epoch, present: presenterOf(base.store, readers) });
  publisher.start();
  return publisher;
}

function presenterOf({ db }: Store, readers: ReadonlyMap<string, ResourceReader>): Presenter {
  return async (resource, ids) => {
    const query = { filters: [{ attribute: "id", values: ids }], sorts: [], pageReverse: false };
    const items = (await readNested(db, resource, ids)) ?? (await readers.get(resource)?.list(serverContext, query)) ?? [];
    return new Map(items.map((item) => [String(item["id"]), item]));
  };
}

/** At most once, and before it is known whether anything comes of it. */
export function noticeSender(bus: Pick<Bus, "publish">, log: Logger): (notice: RequestNotice) => void {
  return ({ resource, action, ...rest }) => {
    const event = `${resource}.${action}.start`;
    try {
      bus.publish(objectNotifySubject(resource, action, "start"), { event, ...rest });
    } catch (err) {
      log.debug({ err, event }, "notification not sent");
    }
  };
}
