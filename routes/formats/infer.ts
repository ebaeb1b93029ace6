/** `POST /v1/models/{id}/infer`: spikes in, arrays out, each in the format that the caller speaks. */
import {
  answerFormat,
  type ArrayCodec,
  bodyFormat,
  type BodyHead,
  type InferenceService,
  TENSOR_HEADERS,
} from "../../src/edge.ts";
import { readBody } from "./http.ts";

/** What a route that infers works with. */
export interface InferContext {
  readonly service: InferenceService;
  readonly codec: ArrayCodec;
  /** bytes of a body: 64 MiB on the server */
  readonly maxBodyBytes: number;
  /** bytes that a body may unpack to */
  readonly maxUnpackedBytes: number;
  /** how long an inference may take, in milliseconds; the service's own limit where left out */
  readonly timeoutMs?: number;
  /** makes an answer; the bytes are its own */
  readonly respond?: (body: Uint8Array<ArrayBuffer>, headers: Record<string, string>) => Response;
}

/**
 * Infers what a request asks for. Its options are query parameters (or fields of a JSON body):
 * `samples` (64; 0 is the posterior mean), `seed` (0), `first_trial` (0), `bin_width_s`, `outputs` (all).
 *
 * @param stored stands for the request's own body, and what comes with it
 * @throws {InputError} for what is wrong with the request
 * @throws {ServingError} where it is not served
 */
export async function inferRoute(
  { service, codec, maxBodyBytes, maxUnpackedBytes, timeoutMs, respond = answer }: InferContext,
  id: string,
  request: Request,
  stored?: { readonly head: BodyHead; readonly body: Uint8Array<ArrayBuffer> },
): Promise<Response> {
  const { signal, headers } = request;
  const limits = { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  const model = await service.describe(id, limits);
  const head = stored?.head ?? {
    contentType: headers.get("content-type"),
    query: new URL(request.url).search.slice(1),
    name: headers.get(TENSOR_HEADERS.name),
    shape: headers.get(TENSOR_HEADERS.shape),
    dtype: headers.get(TENSOR_HEADERS.dtype),
  };
  const format = bodyFormat(head);
  const body = stored?.body ?? await readBody(request, maxBodyBytes);
  const asked = await codec.decodeInfer(body, head, model, { maxUnpackedBytes });
  // before anything is computed: an answer in a format that may be sent
  const accept = headers.get("accept");
  const count = asked.outputs?.length ?? Infinity;
  const answerIn = answerFormat(accept, format, count, codec.answers);
  const { arrays, trials, samples, seed, device, queueMs, computeMs } = await service.infer(
    id,
    asked,
    limits,
  );
  const facts = { model: id, trials, samples, seed, device: device.name };
  const encoded = await codec.encodeArrays(arrays, facts, answerIn);
  return respond(encoded.body, {
    ...encoded.headers,
    vary: "accept",
    "server-timing": `queue;dur=${queueMs.toFixed(2)}, compute;dur=${computeMs.toFixed(2)}`,
  });
}

/** An answer of bytes. */
export function answer(
  body: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(body, { headers });
}
