/**
 * The part of the public API that the server's thread for arrays needs, and the thread that serves does
 * not: it starts sooner without.
 *
 * @module
 */
export { InputError } from "./errors.ts";
export {
  type Dataset,
  datasetFromArrays,
  datasetFromBytes,
  datasetToBytes,
} from "./data/dataset.ts";
export { observedValues } from "./data/observed.ts";
