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
    extensions: [
      extension("provider", "Provider networks", "What carries a network, as the operator says it."),
      extension("multi-provider", "Networks of several segments", "Several things that carry one network."),
      extension("segment", "Segments", "The parts of networks, and the subnets that belong to them."),
      extension("standard-attr-segment", "Descriptions of segments", "Segments have the attributes that all objects have."),
      extension("subnet-segmentid-writable", "Segments of subnets", "A subnet that is there can be given to a segment."),
      extension("l2_adjacency", "One wire or several", "Whether all ports of a network are on one wire."),
    ],
    register: (app) => registerCollection(app, segmentResource, new SegmentService(deps)),
  };
}
