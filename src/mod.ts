/**
 * latentd: fit LFADS to spikes, infer single-trial rates and latents, find and classify the fixed
 * points of the dynamics it learned.
 *
 * dataset → run → model → (rates, latents, fixed points, report)
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { fit, openDevice, parseHyperparameters, simulateRotation } from "latentd";
 *
 * const data = simulateRotation({ trials: 20, T: 10, N: 8 });
 * const device = await openDevice({ device: "reference" });
 * const hyperparameters = parseHyperparameters({ generatorUnits: 2, factors: 2, steps: 2 });
 * const run = fit(data, device, { hyperparameters, seed: 0 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * assert.equal(next.value.model.step, 2);
 * device.close();
 * ```
 * @module
 */
export { InputError } from "./errors.ts";
export { VERSION } from "./version.ts";
export type { CellKind, Dims, Nonlinearity } from "./dims.ts";

// compute: devices and the recordings that they run
export {
  type DeviceInfo,
  deviceWords,
  type DispatchTime,
  type Executor,
  isTimed,
  type Program,
  type Run,
  scalars,
  type TimedProgram,
} from "./compute/executor.ts";
export {
  DEVICE_CHOICES,
  type DeviceChoice,
  type DeviceOptions,
  openDevice,
} from "./compute/devices.ts";
export { createReferenceExecutor } from "./compute/reference.ts";
export { createWasmExecutor } from "./compute/wasm.ts";
export { createWebgpuExecutor, type WebgpuExecutor, type WebgpuOptions } from "./compute/webgpu.ts";
export { findAdapter as webgpuAdapter } from "./compute/webgpu/adapter.ts";
export { GpuError } from "./compute/webgpu/errors.ts";
export { type Trace, type TracedStage, traceRecording } from "./compute/webgpu/trace.ts";
export { KERNELS, LOSSES, NONLINEARITY_CODES } from "./compute/kernels.ts";
export { type Plan, PlanBuilder } from "./compute/recording.ts";

// model: hyperparameters, parameters, the choreography of a step
export {
  architecture,
  type Hyperparameters,
  type HyperparametersInput,
  hyperparametersSchema,
  parseHyperparameters,
  stepOptions,
} from "./model/hyperparameters.ts";
export {
  type Architecture,
  type Layout,
  parameterLayout,
  type Shape,
  shapeOf,
  type Slice,
} from "./model/layout.ts";
export { initialise } from "./model/initialise.ts";
export { type Model, parameter } from "./model/model.ts";
export { posteriorPlan } from "./model/posterior_plan.ts";
export { trainingPlan } from "./model/training_plan.ts";
export { fromReference, toReference } from "./model/reference_names.ts";
export { l2Penalties } from "./model/penalties.ts";
export { klScale, l2Scale, learningRate, rampEnd } from "./model/schedules.ts";

// data: datasets, files, simulators
export { heldOutNeurons } from "./data/held_out.ts";
export { observedValues } from "./data/observed.ts";
export {
  placeSession,
  type SessionBlocks,
  type Sessions,
  stitchSessions,
} from "./data/sessions.ts";
export {
  type Dataset,
  type DatasetArrays,
  datasetFromArrays,
  datasetFromBytes,
  datasetToBytes,
  readDataset,
  readDatasetBytes,
  type ReadDatasetOptions,
  splitTrials,
  trialSplit,
  type Truth,
  writeDataset,
} from "./data/dataset.ts";
export { type DatasetParts, type GivenSplit } from "./data/parts.ts";
export { type DatasetFacts, datasetFacts } from "./data/facts.ts";
export { type RealFacts, realFacts } from "./data/real_facts.ts";
export { inspectFile } from "./data/inspect.ts";
export {
  type FileContents,
  type Inspection,
  type RecordingFacts,
} from "./data/formats/contents.ts";
export {
  DATASET_FORMATS,
  type DatasetFormat,
  DROPPABLE,
  type Droppable,
  encodeDataset,
  type EncodeOptions,
} from "./data/formats/encode.ts";
export { type LayoutOptions } from "./data/formats/options.ts";
export { makeFolderOrExplain, readFileOrExplain, writeFileAtomic } from "./data/files.ts";
export { readHead as readFileHead } from "./data/formats/kind.ts";
export { type NpyArray, npyArray } from "./data/npy.ts";
export { readNpz, writeNpz } from "./data/npz.ts";
export { readSafetensors, type Tensor, tensor, writeSafetensors } from "./data/safetensors.ts";
export { type ImportedModel, importModel, type ImportOptions } from "./data/import_model.ts";
export { namesTable } from "./model/foreign/names.ts";
export { RECONSTRUCTIONS, type Source, SOURCES } from "./model/foreign/options.ts";
export {
  encodeParameters,
  PARAMETER_FORMATS,
  type ParameterFormat,
} from "./data/parameters_file.ts";
export { modelFromBytes, modelToBytes, readModel, writeModel } from "./data/model_file.ts";
export {
  type LorenzOptions,
  type RotationOptions,
  simulateLorenz,
  simulateRotation,
} from "./data/simulate.ts";
export { type DrivenOptions, simulateDriven } from "./data/simulate_driven.ts";

// train and infer
export { settle } from "./train/problem.ts";
export {
  fit,
  type FitOptions,
  type FitResult,
  fitStarts,
  MOST_STARTS,
  type Progress,
  type RecoveredStart,
  type RunEnd,
  type StartsOptions,
  type StartsProgress,
  type StartsResult,
} from "./train/fit.ts";
export { StartsFailedError } from "./train/loop.ts";
export { type Losses } from "./train/losses.ts";
export {
  type FailedStart,
  type GoodState,
  type HistoryEntry,
  type Recovery,
  type RunState,
  type StartsState,
  type StartSummary,
  stateFromBytes,
  stateToBytes,
} from "./train/run_state.ts";
export { density, NonFiniteError, type Split } from "./train/trainer.ts";
export {
  readRunState,
  readStarts,
  requireFreeFolder,
  RUN_FILES,
  RunDirectory,
} from "./train/run_directory.ts";
export {
  countsSha256,
  isRunFolder,
  newRunRecord,
  readRunRecord,
  type RunRecord,
} from "./train/run_record.ts";
export { type Counts, inModelShape } from "./inference/model_shape.ts";
export { infer, type Posterior, type PosteriorOptions } from "./inference/posterior.ts";
export { type ArrayOptions, outputArrays } from "./inference/outputs/arrays.ts";
export {
  OUTPUT_FORMATS,
  type OutputEncoder,
  outputEncoder,
  type OutputFormat,
  type OutputOptions,
} from "./inference/outputs/encode.ts";

// analysis: fixed points, linearisation, metrics
export { type Cell, cellFromReference, jacobian, speed, step } from "./analysis/cell.ts";
export { classify, type FixedPointClass } from "./analysis/classify.ts";
export { eigen } from "./analysis/eigen.ts";
export { FIXED_POINT_DEFAULTS } from "./analysis/fixed_point_defaults.ts";
export {
  findFixedPoints,
  type FixedPoint,
  type FixedPointOptions,
  type FixedPointResult,
} from "./analysis/fixed_points.ts";
export { compareWithWeights, linearise } from "./analysis/linearise.ts";
export {
  bitsPerSpike,
  explained,
  nullRates,
  pearson,
  poissonNll,
  repeatRates,
  rSquared,
} from "./analysis/metrics.ts";

// analysis: scores and baselines
export {
  type AverageChoice,
  type AverageRates,
  averageRates,
} from "./analysis/baselines/averages.ts";
export {
  type PcaPoissonChoice,
  type PcaPoissonRates,
  pcaPoissonRates,
} from "./analysis/baselines/pca_poisson.ts";
export {
  decodeFromCounts,
  type SmoothedRidge,
  WIDE_PENALTIES,
} from "./analysis/baselines/smoothed_ridge.ts";
export { type BaselineTask } from "./analysis/baselines/task.ts";
export { type Decodable, decodeBehaviour, type Decoded } from "./analysis/behaviour.ts";
export {
  type FewShot,
  fewShot,
  type FewShotOptions,
  type FewShotTrials,
} from "./analysis/few_shot.ts";
export {
  fitPoisson,
  type PoissonFit,
  type PoissonOptions,
  predictPoisson,
} from "./analysis/poisson_regression.ts";
export {
  type PrincipalComponents,
  principalComponents,
  project,
} from "./analysis/principal_components.ts";
export { psthRSquared } from "./analysis/psth.ts";
export { columnRSquared, meanRSquared } from "./analysis/r_squared.ts";
export {
  BENCHMARK_PENALTIES,
  fitRidge,
  predictRidge,
  type RidgeFit,
  type RidgeSearch,
  type Samples,
  searchRidge,
} from "./analysis/ridge.ts";
export { smoothTrials } from "./analysis/smoothing.ts";

// studies and reports
export { evaluate, type EvaluateOptions, type Evaluation } from "./study/evaluation/evaluate.ts";
export { type TestSplit, testSplit } from "./study/evaluation/splits.ts";
export { type Inferred, type ScoreRow, type Seen } from "./study/evaluation/scored.ts";
export { generatorCell, modelFixedPoints, visitedStates } from "./study/dynamics.ts";
export {
  generate,
  type Generated,
  type GenerateOptions,
  generateTrials,
} from "./study/generate.ts";
export { recipe, type RecipeName, RECIPES } from "./study/recipes.ts";
export { type ModelShape, type ShapeName, SHAPES } from "./study/shapes.ts";
export { fixedPointView } from "./study/fixed_point_view.ts";
export { type InputFixedPoints, inputFixedPoints } from "./study/recording/input_fixed_points.ts";
export { reportData, type Study, truthView } from "./study/report.ts";
export { score, scoreReal, type Scores } from "./study/scores.ts";
export { study } from "./study/study.ts";
export {
  tutorial,
  type TutorialOptions,
  type TutorialResult,
  type TutorialSummary,
} from "./study/tutorial.ts";
export { type ReportData } from "./report/data.ts";
export { renderReport } from "./report/report.ts";

// serving: inference for many callers on one device in a worker, and array formats
export { bodyFormat, type BodyHead, type DecodeLimits } from "./serving/arrays/decode.ts";
export { answerFormat, type Encoded, type Facts } from "./serving/arrays/encode.ts";
export {
  NotAcceptableError,
  TooLargeError,
  UnsupportedTypeError,
} from "./serving/arrays/errors.ts";
export { type MediaType, negotiate, parseMediaType } from "./serving/arrays/media.ts";
export {
  ANSWER_TYPES,
  type AnswerFormat,
  type ArrayFormat,
  MEDIA_TYPES,
  TENSOR_HEADERS,
} from "./serving/arrays/types.ts";
export { type ArrayCodec, inlineCodec } from "./serving/codec.ts";
export { createThreadedCodec, type ThreadedCodec } from "./serving/codec_thread.ts";
export { ServingError, type ServingProblem } from "./serving/errors.ts";
export { type Outcome, type ServingEvent, type ServingStatistics } from "./serving/events.ts";
export { type FixedPointsRequest, type SearchProgress } from "./serving/job_requests.ts";
export { type LightModel, lightModelFromBytes } from "./serving/light_model.ts";
export { createLocalService, type LocalOptions } from "./serving/local.ts";
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
export {
  createServing,
  type JobOptions,
  type ModelSource,
  type Serving,
  type ServingOptions,
} from "./serving/serving.ts";

// jobs: datasets, runs and models that survive, in one data directory
export { ConflictError, LimitError, NotFoundError, StorageError } from "./jobs/errors.ts";
export { type IdKind, idSchema, parseId } from "./jobs/ids.ts";
export { type Jobs, type JobsCounts, openJobs } from "./jobs/jobs.ts";
export {
  DEFAULT_LIMITS,
  type Hardware,
  type JobsLimits,
  type JobsOptions,
} from "./jobs/options.ts";
export {
  FINAL_STATES,
  RUN_STATES,
  type RunEvent,
  runEventSchema,
  type RunRequest,
  runRequestSchema,
  type SimulateRequest,
  simulateRequestSchema,
  type StoredDataset,
  storedDatasetSchema,
  type StoredModel,
  storedModelSchema,
  type StoredRun,
  storedRunSchema,
  type StoredRunState,
} from "./jobs/records.ts";
export { type Datasets } from "./jobs/datasets.ts";
export { type Models } from "./jobs/models.ts";
export { type Runs } from "./jobs/runs.ts";
export { type RunningRun } from "./jobs/scheduler.ts";
export { type Page, type PageOptions } from "./jobs/store.ts";

// checks of what a device computes
export {
  type DeviceReport,
  type DeviceSurvey,
  type SelfCheck,
  surveyDevices,
  type SurveyOptions,
} from "./check/devices.ts";
export { checkFile } from "./check/files.ts";
export { checkJson, printCheck } from "./check/print.ts";
export { checkRandomShapes } from "./check/random_shapes.ts";
export { type CheckReport, type CheckRow, report } from "./check/table.ts";
