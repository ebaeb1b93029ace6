// deno-lint-ignore-file verbatim-module-syntax -- AssemblyScript has no type-only imports
/** The module's exports: programs and the threads that run them. */
import { accumulate, AccumulateArgs } from "./accumulate";
import { adam, AdamArgs } from "./adam";
import { average_samples, AverageSamplesArgs } from "./average_samples";
import {
  controller_input,
  controller_input_backward,
  ControllerInputArgs,
  ControllerInputBackwardArgs,
} from "./controller_input";
import {
  ARRIVED,
  ERROR,
  fail,
  FITS,
  GENERATION,
  NEXT_FIT,
  NEXT_PIECE,
  PROGRAM,
  report,
  RETURNED,
  SCALARS,
  setCurrentKernel,
  setThisThread,
  STOP,
  STRIDE,
  TRAPPED,
  UNKNOWN_KERNEL,
} from "./control";
import { decoder, DecoderArgs } from "./decoder";
import { decoder_backward, DecoderBackwardArgs } from "./decoder_backward";
import { encoder, encoder_backward, EncoderArgs, EncoderBackwardArgs } from "./encoder";
import { encoder_input, EncoderInputArgs } from "./encoder_input";
import { external_input, ExternalInputArgs } from "./external_input";
import { fixed_points, FixedPointsArgs } from "./fixed_points";
import { barrier, setTeam, waitWhile, wake } from "./gang";
import { observation, ObservationArgs } from "./observation";
import { posterior_observations, PosteriorObservationsArgs } from "./posterior_observations";
import { posterior_rates, PosteriorRatesArgs } from "./posterior_rates";
import { prepare, PrepareArgs } from "./prepare";
import { readout, ReadoutArgs } from "./readout";
import { reduce, ReduceArgs } from "./reduce";
import { Scalars } from "./scalars";
import { resetScratch } from "./scratch";
import { weight_gradients, WeightGradientsArgs } from "./weight_gradients";

export { ERROR, ERROR_DETAIL, ERROR_KERNEL, ERROR_THREAD } from "./control";
export { dropRows, dropRowsBytes, keepRow, keepRows, normalRow, normalRows, words } from "./random";
export { resetScratch, scratch, scratchEnd } from "./scratch";
export { digammaRow, lnGammaRow } from "./gamma";
export { expRows, sigmoidRows, tanhRows } from "./math";

/** One kernel by its place in KERNELS of kernels.ts. */
function dispatch(kernel: i32, args: usize, s: Scalars, thread: i32, threads: i32): void {
  switch (kernel) {
    case 0:
      return prepare(changetype<PrepareArgs>(args), s, thread, threads);
    case 1:
      return encoder_input(changetype<EncoderInputArgs>(args), s, thread, threads);
    case 2:
      return encoder(changetype<EncoderArgs>(args), s, thread, threads);
    case 3:
      return encoder_backward(changetype<EncoderBackwardArgs>(args), s, thread, threads);
    case 4:
      return controller_input(changetype<ControllerInputArgs>(args), s, thread, threads);
    case 5:
      return controller_input_backward(
        changetype<ControllerInputBackwardArgs>(args),
        s,
        thread,
        threads,
      );
    case 6:
      return external_input(changetype<ExternalInputArgs>(args), s, thread, threads);
    case 7:
      return decoder(changetype<DecoderArgs>(args), s, thread, threads);
    case 8:
      return decoder_backward(changetype<DecoderBackwardArgs>(args), s, thread, threads);
    case 9:
      return readout(changetype<ReadoutArgs>(args), s, thread, threads);
    case 10:
      return observation(changetype<ObservationArgs>(args), s, thread, threads);
    case 11:
      return weight_gradients(changetype<WeightGradientsArgs>(args), s, thread, threads);
    case 12:
      return reduce(changetype<ReduceArgs>(args), s, thread, threads);
    case 13:
      return adam(changetype<AdamArgs>(args), s, thread, threads);
    case 14:
      return accumulate(changetype<AccumulateArgs>(args), s, thread, threads);
    case 15:
      return average_samples(changetype<AverageSamplesArgs>(args), s, thread, threads);
    case 16:
      return posterior_rates(changetype<PosteriorRatesArgs>(args), s, thread, threads);
    case 17:
      return posterior_observations(
        changetype<PosteriorObservationsArgs>(args),
        s,
        thread,
        threads,
      );
    case 18:
      return fixed_points(changetype<FixedPointsArgs>(args), s, thread, threads);
    default:
      fail(UNKNOWN_KERNEL, kernel);
  }
}

/**
 * A program is a count, then for each dispatch the kernel and the address of its arguments.
 *
 * @param own whose working memory is used
 */
function runProgram(program: usize, scalars: usize, own: i32, thread: i32, threads: i32): void {
  const s = changetype<Scalars>(scalars);
  const end = program + 4 + (<usize> load<i32>(program) << 3);
  for (let at = program + 4; at < end; at += 8) {
    const kernel = load<i32>(at);
    setCurrentKernel(kernel);
    resetScratch(own);
    dispatch(kernel, load<usize>(at, 4), s, thread, threads);
    barrier();
  }
  setCurrentKernel(-1);
}

/** Runs whole fits, as a team of one, until none is left; then waits for the other threads. */
function takeFits(program: usize, scalars: usize, thread: i32, threads: i32): void {
  const fits = load<i32>(FITS), stride = load<usize>(STRIDE);
  setTeam(1);
  while (atomic.load<i32>(ERROR) == 0) {
    const fit = atomic.add<i32>(NEXT_FIT, 1);
    if (fit >= fits) break;
    const offset = <usize> fit * stride;
    runProgram(program + offset, scalars + offset, thread, 0, 1);
  }
  setTeam(threads);
  barrier();
}

/** Wakes the threads for a program, or for several fits of it. */
function start(program: usize, scalars: usize, fits: i32, stride: usize): void {
  store<usize>(PROGRAM, program);
  store<usize>(SCALARS, scalars);
  store<i32>(FITS, fits);
  store<usize>(STRIDE, stride);
  atomic.store<i32>(NEXT_FIT, 0);
  atomic.add<i32>(GENERATION, 1);
  wake(GENERATION);
}

/** Runs a program on all threads; the caller's is thread 0. Traps if any thread fails. */
export function launch(program: usize, scalars: usize, threads: i32): void {
  setTeam(threads);
  if (threads > 1) start(program, scalars, 0, 0);
  runProgram(program, scalars, 0, 0, threads);
}

/** Runs the same program of several fits, each on one thread. Traps if any thread fails. */
export function launchFits(
  program: usize, scalars: usize, fits: i32, stride: usize, threads: i32,
): void {
  start(program, scalars, fits, stride);
  takeFits(program, scalars, 0, threads);
}

// The last program that this thread has seen; outlives a trap.
let seen: i32 = 0;

/** A worker's life: runs its part of each program until the executor sets STOP. */
export function serve(thread: i32, threads: i32): void {
  setThisThread(thread);
  setTeam(threads);
  while (true) {
    waitWhile(GENERATION, seen);
    seen = atomic.load<i32>(GENERATION);
    if (atomic.load<i32>(STOP) != 0) return;
    const program = load<usize>(PROGRAM), scalars = load<usize>(SCALARS);
    if (load<i32>(FITS) > 0) takeFits(program, scalars, thread, threads);
    else runProgram(program, scalars, thread, thread, threads);
    atomic.add<i32>(RETURNED, 1);
  }
}

/** To be called after a trap on this thread: tells the others why, so that nobody waits for it. */
export function reportTrap(): void {
  if (atomic.load<i32>(ERROR) == 0) report(TRAPPED, 0);
}

/** To be called on a worker's thread after its `reportTrap`: the worker is out of the program. */
export function leaveProgram(): void {
  atomic.add<i32>(RETURNED, 1);
}

/** To be called on the caller's thread after its `reportTrap`: waits until all workers are out. */
export function awaitWorkers(threads: i32): void {
  const all = atomic.load<i32>(GENERATION) * (threads - 1);
  let returned = atomic.load<i32>(RETURNED);
  while (returned != all) {
    // nobody notifies: a failure is rare and may take a millisecond
    atomic.wait<i32>(RETURNED, returned, 1_000_000);
    returned = atomic.load<i32>(RETURNED);
  }
}

/** Makes the threads ready for the next program after a failure. */
export function clearError(): void {
  atomic.store<i32>(ARRIVED, 0);
  atomic.store<i32>(NEXT_PIECE, 0);
  atomic.store<i32>(ERROR, 0);
}

/** Ends the workers' `serve`. */
export function stop(): void {
  atomic.store<i32>(STOP, 1);
  atomic.add<i32>(GENERATION, 1);
  wake(GENERATION);
}
