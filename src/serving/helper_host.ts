/** What a helper's worker does: work that needs no device of its own, or one of another thread. */
import type { FixedPointResult } from "../analysis/fixed_points.ts";
import type { DeviceInfo } from "../compute/executor.ts";
import type { Dataset } from "../data/dataset.ts";
import type { GenerateOptions } from "../study/generate.ts";
import {
  type FixedPointsRequest,
  type JobModel,
  runFixedPoints,
  runGenerate,
  type SearchProgress,
} from "./jobs.ts";
import { createRemoteExecutor, type RemoteDevice } from "./remote_executor.ts";

export class HelperHost {
  fixedPoints(
    model: JobModel,
    request: Omit<FixedPointsRequest, "data">,
    gen_BTG: Float64Array | null,
    info: DeviceInfo,
    device: RemoteDevice,
    onProgress: (progress: SearchProgress) => void,
  ): Promise<FixedPointResult> {
    const executor = createRemoteExecutor(device, info);
    return runFixedPoints(executor, model, request, gen_BTG, onProgress);
  }

  generate(model: JobModel, options: GenerateOptions): Dataset {
    return runGenerate(model, options);
  }
}
