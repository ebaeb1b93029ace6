// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/**
 * The exports of a smaller module, for where only inference runs and there is one thread: the kernels of
 * a posterior plan, by the same places in KERNELS as in index.ts.
 */
import { average_samples, AverageSamplesArgs } from "./average_samples";
import { controller_input, ControllerInputArgs } from "./controller_input";
import { ARRIVED, ERROR, fail, NEXT_PIECE, report, setCurrentKernel, TRAPPED, UNKNOWN_KERNEL } from "./control";
import { decoder, DecoderArgs } from "./decoder";
import { encoder, EncoderArgs } from "./encoder";
import { encoder_input, EncoderInputArgs } from "./encoder_input";
import { external_input, ExternalInputArgs } from "./external_input";
import { posterior_observations, PosteriorObservationsArgs } from "./posterior_observations";
import { posterior_rates, PosteriorRatesArgs } from "./posterior_rates";
import { prepare, PrepareArgs } from "./prepare";
import { Scalars } from "./scalars";
import { resetScratch } from "./scratch";

export { ERROR, ERROR_DETAIL, ERROR_KERNEL, ERROR_THREAD } from "./control";
export { scratchEnd } from "./scratch";

function dispatch(kernel: i32, args: usize, s: Scalars): void {
  switch (kernel) {
    case 0:
      return prepare(changetype<PrepareArgs>(args), s, 0, 1);
    case 1:
      return encoder_input(changetype<EncoderInputArgs>(args), s, 0, 1);
    case 2:
      return encoder(changetype<EncoderArgs>(args), s, 0, 1);
    case 4:
      return controller_input(changetype<ControllerInputArgs>(args), s, 0, 1);
    case 6:
      return external_input(changetype<ExternalInputArgs>(args), s, 0, 1);
    case 7:
      return decoder(changetype<DecoderArgs>(args), s, 0, 1);
    case 15:
      return average_samples(changetype<AverageSamplesArgs>(args), s, 0, 1);
    case 16:
      return posterior_rates(changetype<PosteriorRatesArgs>(args), s, 0, 1);
    case 17:
      return posterior_observations(changetype<PosteriorObservationsArgs>(args), s, 0, 1);
    default:
      fail(UNKNOWN_KERNEL, kernel);
  }
}

/** Runs a program: see `runProgram` of index.ts. There is one thread, whatever is asked for. */
export function launch(program: usize, scalars: usize, _threads: i32): void {
  const s = changetype<Scalars>(scalars);
  const end = program + 4 + (<usize>load<i32>(program) << 3);
  for (let at = program + 4; at < end; at += 8) {
    const kernel = load<i32>(at);
    setCurrentKernel(kernel);
    resetScratch(0);
    dispatch(kernel, load<usize>(at, 4), s);
  }
  setCurrentKernel(-1);
}

/** To be called after a trap. */
export function reportTrap(): void {
  if (load<i32>(ERROR) == 0) report(TRAPPED, 0);
}

/** Makes ready for the next program after a failure. */
export function clearError(): void {
  store<i32>(ARRIVED, 0);
  store<i32>(NEXT_PIECE, 0);
  store<i32>(ERROR, 0);
}

/** There are no workers to wait for, and none to stop. */
export function awaitWorkers(_threads: i32): void {}
export function stop(): void {}
