/** Shows a fit while it goes on: a bar on a terminal, else a line for every evaluation. */
// @ts-types="@types/cli-progress"
import { SingleBar } from "cli-progress";
import type { StartsProgress } from "../mod.ts";
import { duration, number } from "./format.ts";
import type { Output } from "./output.ts";

const FORMAT = "{bar} {value}/{total} | {rate} steps/s | {left} left | " +
  "training loss {train} | held-out loss {held}";

interface Display {
  show(progress: StartsProgress): void;
  end(): void;
}

export interface FollowOptions {
  /** steps made before, by the run that is resumed */
  readonly from?: number;
  /** one of several fits that are told in a line each, such as "Split 3": no line of its own, and a bar that goes */
  readonly among?: string;
}

/** Runs a fit to its end. */
export async function follow<R>(
  run: AsyncGenerator<StartsProgress, R, void>,
  output: Output,
  { from = 0, among }: FollowOptions = {},
): Promise<R> {
  const display = output.streams.interactive ? bar(from, output, among) : lines(output, among);
  try {
    let next = await run.next();
    while (!next.done) {
      display.show(next.value);
      next = await run.next();
    }
    return next.value;
  } finally {
    display.end();
  }
}

function bar(from: number, output: Output, among?: string): Display {
  const format = among === undefined ? FORMAT : `${among} ${FORMAT}`;
  // signals belong to `listenForInterrupt`
  const bar = new SingleBar({
    format,
    barsize: 24,
    gracefulExit: false,
    clearOnComplete: among !== undefined,
  });
  let held = "not yet", started = false;
  // a line between would break the bar
  const events: string[] = [];
  return {
    show(progress) {
      if (progress.kind === "evaluation") held = heldOut(progress);
      if (progress.kind === "failed") events.push(failed(progress));
      if (progress.kind === "recovered") events.push(recovered(progress));
      if (progress.kind !== "step") return;
      const { step, of, train, stepsPerSecond, secondsLeft } = progress;
      const payload = {
        rate: number(stepsPerSecond, 3),
        left: duration(secondsLeft),
        train: number(train.total),
        held,
      };
      if (!started) bar.start(of, from, payload);
      started = true;
      bar.update(step, payload);
    },
    end() {
      bar.stop();
      for (const event of events) output.note(event);
    },
  };
}

function lines(output: Output, among?: string): Display {
  let last: Extract<StartsProgress, { kind: "step" }> | null = null;
  return {
    show(progress) {
      if (progress.kind === "step") last = progress;
      if (progress.kind === "failed") output.note(failed(progress));
      if (progress.kind === "recovered") output.note(recovered(progress));
      if (progress.kind !== "evaluation" || !last || among !== undefined) return;
      const { step, train, hidden } = progress.entry;
      const beside = hidden === null ? "" : `, hidden samples ${number(hidden)}`;
      output.note(
        `Step ${step} of ${last.of}: training loss ${number(train.total)}, held-out loss ${
          heldOut(progress)
        }${beside}; ${number(last.stepsPerSecond, 3)} steps/s, ${duration(last.secondsLeft)} left.`,
      );
    },
    end: () => {},
  };
}

/**
 * Negative log-likelihood without ln x! and KL at full scale, by which the best evaluation is chosen:
 * not to be compared with the scores of a finished fit, which have ln x! and no KL.
 */
function heldOut({ entry, best }: Extract<StartsProgress, { kind: "evaluation" }>): string {
  const { nll, klIc, klInputs } = entry.evaluation;
  return `${number(nll + klIc + klInputs)}${best ? " (best)" : ""}`;
}

function recovered({ start }: Extract<StartsProgress, { kind: "recovered" }>): string {
  const { seed, step, term, slice, to, factor } = start;
  return `Seed ${seed}: at step ${step} the loss term "${term}" is not finite` +
    `${slice === null ? "" : ` (parameters ${slice})`}. It goes back to step ${to} and on with ` +
    `${number(factor)} of its learning rate.`;
}

function failed({ start: { seed, step, term } }: Extract<StartsProgress, { kind: "failed" }>) {
  return `The start of seed ${seed} is left out: at step ${step} its loss term "${term}" is not finite.`;
}
