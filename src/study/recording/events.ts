/** Events that trials are aligned to. */
import type { Dataset } from "../../data/dataset.ts";
import { lengthOf } from "./groups.ts";

/** An event of each trial. */
export interface TrialEvent {
  readonly name: string;
  /** how it was found */
  readonly words: string;
  /** its bin in each trial; -1 where the trial has none */
  readonly bin_B: Int32Array;
}

/** A movement starts where its speed was last below this share of its peak. */
const ONSET = 0.2;

/** The start of the trial, and the onset of movement where a velocity or speed was recorded. */
export function eventsOf(data: Dataset): TrialEvent[] {
  const start = { name: "start of the trial", words: "", bin_B: new Int32Array(data.trials) };
  const speed = speedOf(data);
  return speed === null ? [start] : [start, {
    name: "onset of movement",
    words: `The onset of movement is the first bin after which ${speed.name} stays above ${
      100 * ONSET
    } % of its largest size in the trial, until that.`,
    bin_B: onsets(data, speed.speed_BT),
  }];
}

/** The size of the first behaviour whose name says that it is a velocity or a speed. */
function speedOf({ behaviour_BTD, trials, T }: Dataset) {
  const [found] = Object.entries(behaviour_BTD ?? {})
    .filter(([name]) => /vel|speed/i.test(name));
  if (found === undefined) return null;
  const [name, { shape: [, bins, D], data }] = found;
  const speed_BT = new Float64Array(trials * T);
  for (let b = 0; b < trials; b++) {
    for (let t = 0; t < T; t++) {
      let squares = 0;
      for (let d = 0; d < D; d++) squares += data[(b * bins + t) * D + d] ** 2;
      speed_BT[b * T + t] = Math.sqrt(squares);
    }
  }
  return { name, speed_BT };
}

/** -1 where the speed was never measured, or is above the threshold from the first bin on. */
function onsets(data: Dataset, speed_BT: Float64Array): Int32Array {
  const { trials, T } = data;
  return Int32Array.from({ length: trials }, (_, b) => {
    const speed_T = speed_BT.subarray(b * T, b * T + lengthOf(data, b));
    let peak = -1;
    speed_T.forEach((speed, t) => {
      if (speed > (peak < 0 ? 0 : speed_T[peak])) peak = t;
    });
    if (peak < 0) return -1;
    let t = peak;
    while (t >= 0 && speed_T[t] >= ONSET * speed_T[peak]) t--;
    return t < 0 ? -1 : t + 1;
  });
}
