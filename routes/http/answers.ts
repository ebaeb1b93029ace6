/** Answers that several routes give. */
import { bytesResponse } from "./pace.ts";

/** Something that is new, and where it is. */
export function created(location: string, value: unknown, status = 201): Response {
  return Response.json(value, { status, headers: { location } });
}

/** A file to be kept. */
export function file(
  bytes: Uint8Array,
  type: string,
  name: string,
  idleMs: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const disposition = `attachment; filename="${name}"`;
  const all = { "content-type": type, "content-disposition": disposition, ...headers };
  return bytesResponse(bytes, all, idleMs);
}
