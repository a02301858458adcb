// Segments of networks.
import { segmentResource } from "../../types/resources/segments.ts";
import type { ApiPart } from "../api/api-part.ts";
import { registerCollection } from "../api/collection-routes.ts";
import { extension } from "../api/extensions.ts";
import { SegmentService } from "../services/segment-service.ts";
import type { ServiceDeps } from "../services/service-deps.ts";

export function segmentPart(deps: ServiceDeps): ApiPart {
  return {
    resources: [segmentResource],
    // Not `provider`, `multi-provider` and `segment`: to carry the frames is the operator's part, and nobody tells this server
    // which host is on which segment.
    extensions: [
      extension("standard-attr-segment", "Descriptions of segments", "Segments have the attributes that all objects have."),
      extension("l2_adjacency", "One wire or several", "Whether all ports of a network are on one wire."),
    ],
    register: (app) => registerCollection(app, segmentResource, new SegmentService(deps)),
  };
}
