/**
 * The part of the public API that a server needs, so that it starts at once: `src/mod.ts` without
 * training, reports and checks, which its threads and processes load for themselves.
 *
 * @module
 */
export { InputError } from "./errors.ts";
export { VERSION } from "./version.ts";
export { type DeviceInfo, deviceWords } from "./compute/executor.ts";
export { hyperparametersSchema } from "./model/hyperparameters.ts";
export type { Dataset } from "./data/dataset.ts";
export { writeFileAtomic } from "./data/files.ts";
export type { ParameterFormat } from "./data/parameters_file.ts";
export { RECONSTRUCTIONS, SOURCES } from "./model/foreign/options.ts";
export { FIXED_POINT_DEFAULTS } from "./analysis/fixed_point_defaults.ts";
export type { FixedPoint, FixedPointResult } from "./analysis/fixed_points.ts";
export { fixedPointView } from "./study/fixed_point_view.ts";

export { ANSWER_TYPES, MEDIA_TYPES, TENSOR_HEADERS } from "./serving/arrays/types.ts";
export { negotiate, parseMediaType } from "./serving/arrays/media.ts";
export { createThreadedCodec, type ThreadedCodec } from "./serving/codec_thread.ts";
export { ServingError } from "./serving/errors.ts";
export type { ServingEvent } from "./serving/events.ts";
export { type InferenceService, OUTPUT_NAMES } from "./serving/service.ts";
export { createServing, type ModelSource, type Serving } from "./serving/serving.ts";

export { ConflictError, LimitError, NotFoundError, StorageError } from "./jobs/errors.ts";
export { idSchema } from "./jobs/ids.ts";
export { type Jobs, openJobs } from "./jobs/jobs.ts";
export {
  FINAL_STATES,
  type RunEvent,
  runEventSchema,
  runRequestSchema,
  simulateRequestSchema,
  type StoredDataset,
  storedDatasetSchema,
  storedModelSchema,
  storedRunSchema,
  type StoredRunState,
} from "./jobs/records.ts";
