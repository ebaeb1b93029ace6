/** HDF5 files, read and written on a thread of their own that lasts as long as the file. */
import { InputError } from "../../../errors.ts";
import type { Dataset, ReadDatasetOptions } from "../../dataset.ts";
import type { Inspection } from "../contents.ts";
import type { Hdf5Input } from "./library.ts";
import type { Reply, Task } from "./task.ts";
import type { Hdf5Tree } from "./tree.ts";

/** Enough for any file to be opened, and for one that is packed well to be unpacked. */
const LEAST_MS = 30_000, BYTES_PER_MS = 2_000;

/**
 * The dataset in an HDF5 file: lfads-torch's, plain, MATLAB's or NWB.
 *
 * @param milliseconds after which the file is given up; by default what any sound file needs
 */
export async function hdf5Dataset(
  input: Hdf5Input,
  fileName: string,
  options: ReadDatasetOptions,
  milliseconds?: number,
): Promise<Dataset> {
  milliseconds ??= await patience(input);
  return await ask<Dataset>({ kind: "read", input, fileName, options, milliseconds });
}

/** What is in an HDF5 file. */
export async function hdf5Inspection(
  input: Hdf5Input,
  fileName: string,
  options: ReadDatasetOptions,
): Promise<Inspection> {
  const bytes = await sizeOf(input);
  const milliseconds = await patience(input);
  return await ask<Inspection>({ kind: "inspect", input, fileName, bytes, options, milliseconds });
}

/** The bytes of an HDF5 file. */
export async function hdf5Bytes(tree: Hdf5Tree, fileName: string): Promise<Uint8Array> {
  const bytes = tree.datasets.reduce((sum, { array: { data } }) => sum + 8 * data.length, 0);
  const milliseconds = LEAST_MS + bytes / BYTES_PER_MS;
  return await ask<Uint8Array>({
    kind: "write",
    tree,
    fileName,
    milliseconds: Math.round(milliseconds),
  });
}

async function sizeOf(input: Hdf5Input): Promise<number> {
  return "bytes" in input ? input.bytes.length : (await Deno.stat(input.path)).size;
}

async function patience(input: Hdf5Input): Promise<number> {
  return Math.round(LEAST_MS + await sizeOf(input) / BYTES_PER_MS);
}

/** @throws InputError as the thread says */
async function ask<R>(task: Task): Promise<R> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    const reply = await new Promise<Reply>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Reply>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`The thread that reads HDF5 files ended: ${event.message}`));
      };
      worker.onmessageerror = () => reject(new Error("The thread for HDF5 files cannot be heard."));
      worker.postMessage(task);
    });
    if ("refused" in reply) throw new InputError(reply.refused);
    if ("failed" in reply) {
      throw new Error(`The thread that reads HDF5 files failed: ${reply.failed}`);
    }
    return reply.value as R;
  } finally {
    worker.terminate();
  }
}
