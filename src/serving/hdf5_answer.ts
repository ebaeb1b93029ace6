/** Answers as HDF5, which a thread of its own writes. */
import { hdf5Bytes } from "../data/formats/hdf5/host.ts";
import { npyArray } from "../data/npy.ts";
import type { Encoded, Facts } from "./arrays/encode.ts";
import { ANSWER_TYPES } from "./arrays/types.ts";
import type { NamedArray, OutputName } from "./service.ts";

/** Each array stands in the file's root under its name, what else is known in the file's attributes. */
export async function encodeHdf5(
  arrays: ReadonlyMap<OutputName, NamedArray>,
  facts: Facts,
): Promise<Encoded> {
  const known = Object.entries(facts).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const]
  );
  const tree = {
    groups: [{ path: "", attributes: Object.fromEntries(known) }],
    datasets: [...arrays].map(([path, { shape, data }]) => ({
      path,
      // a copy where the memory is shared with the device's thread, which goes on
      array: npyArray(shape, data.buffer instanceof ArrayBuffer ? data : data.slice()),
    })),
  };
  const body = await hdf5Bytes(tree, "the answer");
  return {
    body: body as Uint8Array<ArrayBuffer>,
    headers: { "content-type": ANSWER_TYPES.hdf5 },
  };
}
