/** What a helper's worker does: work that needs no device of its own, or one of another thread. */
import * as Comlink from "comlink";
import type { FixedPointResult } from "../analysis/fixed_points.ts";
import type { DeviceInfo } from "../compute/executor.ts";
import type { Dataset } from "../data/dataset.ts";
import type { GenerateOptions } from "../study/generate.ts";
import { type BodyHead, decodeInfer, type DecodeLimits } from "./arrays/decode.ts";
import { encodeArrays, type Encoded, type Facts } from "./arrays/encode.ts";
import type { ArrayFormat } from "./arrays/types.ts";
import type { FixedPointsRequest, JobModel, SearchProgress } from "./job_requests.ts";
import { runFixedPoints, runGenerate } from "./jobs.ts";
import { decodeOip, encodeOip, type OipFacts, type OipHead, type OipRequest } from "./oip.ts";
import { createRemoteExecutor, type RemoteDevice } from "./remote_executor.ts";
import type { InferRequest, ModelDescription, NamedArray, OutputName } from "./service.ts";

/** What a job asks the serving thread for. */
export interface JobCalls extends RemoteDevice {
  progress(progress: SearchProgress): Promise<void>;
}

export class HelperHost {
  /** @param port where the serving thread answers as `JobCalls`; it is closed when the job ends */
  async fixedPoints(
    model: JobModel,
    request: Omit<FixedPointsRequest, "data">,
    gen_BTG: Float64Array | null,
    info: DeviceInfo,
    port: MessagePort,
  ): Promise<FixedPointResult> {
    const calls = Comlink.wrap<JobCalls>(port);
    const executor = createRemoteExecutor(calls, info);
    const onProgress = (progress: SearchProgress) => void calls.progress(progress).catch(() => {});
    try {
      return await runFixedPoints(executor, model, request, gen_BTG, onProgress);
    } finally {
      calls[Comlink.releaseProxy]();
      port.close();
    }
  }

  decodeInfer(
    body: Uint8Array,
    head: BodyHead,
    model: ModelDescription,
    limits: DecodeLimits,
  ): InferRequest {
    return decodeInfer(body, head, model, limits);
  }

  encodeArrays(
    arrays: ReadonlyMap<OutputName, NamedArray>,
    facts: Facts,
    format: ArrayFormat,
  ): Encoded {
    return encodeArrays(arrays, facts, format);
  }

  decodeOip(body: Uint8Array, head: OipHead, model: ModelDescription): OipRequest {
    return decodeOip(body, head, model);
  }

  encodeOip(
    arrays: ReadonlyMap<OutputName, NamedArray>,
    wanted: Pick<OipRequest, "id" | "outputs">,
    facts: OipFacts,
  ): Encoded {
    return encodeOip(arrays, wanted, facts);
  }

  generate(model: JobModel, options: GenerateOptions): Dataset {
    return runGenerate(model, options);
  }
}
