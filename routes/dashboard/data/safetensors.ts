/** Arrays by name from a safetensors file: a header in JSON, then the numbers. */
import type { Nd } from "./npy.ts";

interface Slot {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

export function readSafetensors(buffer: ArrayBuffer): ReadonlyMap<string, Nd> {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const { __metadata__: _, ...header }: Record<string, Slot> = JSON.parse(
    new TextDecoder().decode(new Uint8Array(buffer, 8, length)),
  );
  const arrays = new Map<string, Nd>();
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(header)) {
    const part = buffer.slice(8 + length + from, 8 + length + to);
    if (dtype !== "F32" && dtype !== "F64") {
      throw new Error(`Cannot read ${name}: expected F32 or F64, found ${dtype}.`);
    }
    arrays.set(name, {
      shape,
      data: dtype === "F32" ? new Float32Array(part) : new Float64Array(part),
    });
  }
  return arrays;
}
