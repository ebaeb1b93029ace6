/** All kernels of the GPU by name. */
import type { GpuKernel, Shader } from "../kernel.ts";
import { accumulate, total } from "./accumulate.ts";
import { adam } from "./adam.ts";
import { average_samples } from "./average_samples.ts";
import { controller_input, controller_input_backward } from "./controller_input.ts";
import { decoder } from "./decoder.ts";
import { decoder_backward } from "./decoder_backward.ts";
import { encoder, encoder_backward } from "./encoder.ts";
import { encoder_input } from "./encoder_input.ts";
import { external_input } from "./external_input.ts";
import { fixed_points } from "./fixed_points.ts";
import { posterior_observations, posterior_rates } from "./posterior_rates.ts";
import { prepare } from "./prepare.ts";
import { observation, readout } from "./readout.ts";
import { finish, fold, reduce } from "./reduce.ts";
import { transpose } from "./transpose.ts";
import { weight_gradients } from "./weight_gradients.ts";

export const SHADERS: Readonly<Record<GpuKernel, Shader>> = {
  prepare,
  encoder_input,
  encoder,
  encoder_backward,
  controller_input,
  controller_input_backward,
  external_input,
  decoder,
  decoder_backward,
  readout,
  observation,
  weight_gradients,
  reduce,
  adam,
  accumulate,
  average_samples,
  posterior_rates,
  posterior_observations,
  fixed_points,
  transpose,
  fold,
  finish,
  total,
};
