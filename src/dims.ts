/**
 * The letters that name every array's shape. Arrays are row-major, the last letter contiguous, and a
 * digit multiplies the letter after it: `gates_TB3E[((t * B + b) * 3 + gate) * E + e]`.
 *
 * | letter | counts |
 * | --- | --- |
 * | `B` | trials in a batch |
 * | `S` | posterior samples of each trial |
 * | `R` | decoder rows, `B * S`: row `r` decodes sample `r % S` of trial `floor(r / S)` |
 * | `T` | time bins |
 * | `H` | `T + 1`: time with the initial state in front (or, backward in time, behind) |
 * | `N` | neurons |
 * | `D` | encoder directions, 2: forward in time, then backward |
 * | `E` | encoder units in each direction |
 * | `C` | controller units |
 * | `V` | units of the controller's own encoder in each direction; 0 where it shares the other |
 * | `U` | inferred inputs |
 * | `X` | external inputs |
 * | `I` | dimensions of the initial condition |
 * | `G` | generator units |
 * | `F` | factors |
 * | `W` | the generator's pre-activations: `G`, of a GRU `3G` |
 * | `Q` | outputs of the readout: `N`, or several for each neuron |
 * | `P` | all parameters |
 * | `K` | fixed-point candidates |
 *
 * Inside, time is the slow axis (`enc_TBE`), so that one step of a recurrent sweep reads and writes
 * one contiguous block; users see trials first (`rates_BTN`).
 */
export interface Dims {
  readonly T: number;
  readonly N: number;
  readonly E: number;
  readonly C: number;
  readonly U: number;
  readonly G: number;
  readonly F: number;
  /** absent: the controller shares the encoder of the initial condition */
  readonly V?: number;
  /** absent: no external inputs */
  readonly X?: number;
  /** absent: `G`, and the initial condition is the generator's first state itself */
  readonly I?: number;
}

/** What the data are taken for: counts, or real numbers. */
export type Observation = "poisson" | "gaussian" | "gamma" | "zero-inflated-gamma";

/** The generator's cell. */
export type CellKind = "vanilla" | "gru";

/** The nonlinearity of a vanilla generator. */
export type Nonlinearity = "tanh" | "relu" | "identity";
