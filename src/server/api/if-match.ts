import { ApiFault } from "../../types/api-faults.ts";

const revisionTag = /^"?revision_number=(\d{1,15})"?$/;

/** N of `If-Match: revision_number=N`; absent without the header. A condition that we cannot judge is refused, not ignored. */
export function expectedRevision(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const revision = revisionTag.exec(header.trim())?.[1];
  if (revision === undefined) throw new ApiFault("BadRequest", "If-Match takes exactly one revision_number=<integer>.");
  return Number(revision);
}
