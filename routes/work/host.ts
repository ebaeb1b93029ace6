/** Work on arrays that would hold up the thread that serves. */
import { type Dataset, datasetToBytes } from "../../src/server.ts";

export class ArrayHost {
  /** A dataset as a .npz archive. */
  toNpz(data: Dataset): Uint8Array<ArrayBuffer> {
    return datasetToBytes(data).slice();
  }
}
