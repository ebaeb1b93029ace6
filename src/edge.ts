/**
 * The part of the public API that needs no threads, no files and no training: for a worker at the edge
 * of a network, and for the routes that it shares with the server. What is imported from here stays
 * small when it is bundled.
 *
 * @module
 */
export { InputError } from "./errors.ts";
export { createSingleThreadExecutor } from "./compute/wasm.ts";
export type { DeviceInfo, Executor } from "./compute/executor.ts";

export { bodyFormat, type BodyHead, type DecodeLimits } from "./serving/arrays/decode.ts";
export { answerFormat, type Encoded } from "./serving/arrays/encode.ts";
export {
  NotAcceptableError,
  TooLargeError,
  UnsupportedTypeError,
} from "./serving/arrays/errors.ts";
export { type ArrayFormat, MEDIA_TYPES, TENSOR_HEADERS } from "./serving/arrays/types.ts";
export { type ArrayCodec, inlineCodec } from "./serving/codec.ts";
export { ServingError, type ServingProblem } from "./serving/errors.ts";
export { type LightModel, lightModelFromBytes } from "./serving/light_model.ts";
export { createLocalService, type LocalOptions } from "./serving/local.ts";
export {
  OIP_EXTENSIONS,
  OIP_HEADER_LENGTH,
  oipModelMetadata,
  type OipRequest,
} from "./serving/oip.ts";
export {
  type InferAnswer,
  type InferenceService,
  type InferRequest,
  type ModelDescription,
  type NamedArray,
  OUTPUT_NAMES,
  type OutputName,
  type Readiness,
  type RequestOptions,
} from "./serving/service.ts";
