/** How a search for fixed points goes where nothing else is said. */
import { NEUTRAL_TOLERANCE } from "./classify.ts";

/** The values of `FixedPointOptions` that are left out. */
export const FIXED_POINT_DEFAULTS = {
  iterations: 1000,
  batch: 100,
  stepSize: 0.2,
  decay: 0.9999,
  b1: 0.9,
  b2: 0.999,
  eps: 1e-5,
  noiseStd: 0,
  seed: 0,
  stopTol: 1e-5,
  tol: 1e-5,
  uniqueTol: 0.025,
  outlierTol: 1,
  polishRadius: 0.5,
  neutralTolerance: NEUTRAL_TOLERANCE,
};
