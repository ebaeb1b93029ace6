/** A run's record is what its events add up to. */
import { FINAL_STATES, type Happening, type StoredRun } from "./records.ts";

/** The record after something happened. */
export function advance(run: StoredRun, happening: Happening, at: string): StoredRun {
  switch (happening.kind) {
    case "waiting":
      return run;
    case "device":
      return { ...run, deviceInfo: happening.device };
    case "step": {
      const { step, stepsPerSecond, secondsLeft } = happening;
      return { ...run, step, stepsPerSecond, secondsLeft };
    }
    case "evaluation": {
      const { entry, best } = happening;
      const { step, evaluation: { nll, klIc, klInputs } } = entry;
      return {
        ...run,
        step: Math.max(run.step, step),
        evaluation: entry,
        best: best ? { step, score: nll + klIc + klInputs } : run.best,
      };
    }
    case "checkpoint":
      return { ...run, checkpoint: happening.step, crashes: 0 };
    case "start-failed": {
      const { seed, step, term } = happening;
      return { ...run, failedStarts: [...run.failedStarts, { seed, step, term }] };
    }
    case "recovered": {
      const { kind: _, best, ...recovery } = happening;
      return { ...run, best, recoveries: [...run.recoveries, recovery] };
    }
    case "report":
      return { ...run, reported: run.reported || happening.made };
    case "state": {
      const { state, step, model, reason } = happening;
      return {
        ...run,
        state,
        step,
        model: model ?? run.model,
        failure: state === "failed" ? reason : null,
        stoppedEarly: state === "completed" ? reason : null,
        started: state === "running" ? run.started ?? at : run.started,
        finished: FINAL_STATES.includes(state) ? at : null,
        ...(state === "running" || state === "cancelling"
          ? {}
          : { stepsPerSecond: null, secondsLeft: null }),
      };
    }
  }
}
