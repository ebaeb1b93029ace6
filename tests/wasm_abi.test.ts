/** What TypeScript writes and AssemblyScript reads has one order: the argument lists of kernels.ts. */
import assert from "node:assert/strict";
import { type KernelName, KERNELS, SCALARS, type Signature } from "../src/compute/kernels.ts";
import { STREAMS } from "../src/random.ts";

const folder = new URL("../wasm/", import.meta.url);

/** All AssemblyScript sources by name. */
const sources = new Map(
  [...Deno.readDirSync(folder)].filter((entry) => entry.name.endsWith(".ts")).map((
    { name },
  ) => [name, Deno.readTextFileSync(new URL(name, folder))]),
);

/** The fields of an unmanaged class, wherever it is, as `name: type`; null if there is none. */
function fieldsOf(className: string): string[] | null {
  for (const text of sources.values()) {
    const body = text.match(new RegExp(`@unmanaged\\s+export class ${className} \\{([^}]*)\\}`));
    if (body) return [...body[1].matchAll(/^\s*(\w+): (\w+);/gm)].map((m) => `${m[1]}: ${m[2]}`);
  }
  return null;
}

function className(kernel: string): string {
  return kernel.split("_").map((part) => part[0].toUpperCase() + part.slice(1)).join("") + "Args";
}

/** The fields that a signature asks for. */
function signatureFields({ buffers, ints, floats }: Signature): string[] {
  return [
    ...buffers.map((name) => `${name.replace("?", "")}: usize`),
    ...ints.map((name) => `${name}: i32`),
    ...floats.map((name) => `${name}: f32`),
  ];
}

for (const kernel of Object.keys(KERNELS) as KernelName[]) {
  Deno.test(`${kernel}'s arguments stand in the order of its signature`, () => {
    assert.deepEqual(fieldsOf(className(kernel)), signatureFields(KERNELS[kernel]));
  });
}

Deno.test("the scalars stand in the order of SCALARS", () => {
  const unsigned = ["seedLo", "seedHi", "step", "purpose"];
  const want = SCALARS.map(([name, kind]) =>
    `${name}: ${kind === "float" ? "f32" : unsigned.includes(name) ? "u32" : "i32"}`
  );
  assert.deepEqual(fieldsOf("Scalars"), want);
});

Deno.test("the dispatcher knows every kernel by its place in KERNELS", () => {
  const index = sources.get("index.ts") ?? "";
  const cases = [...index.matchAll(/case (\d+):\s*return (\w+)\(\s*changetype<(\w+)>/g)];
  assert.deepEqual(
    cases.map(([, place, name, args]) => [Number(place), name, args]),
    Object.keys(KERNELS).map((name, place) => [place, name, className(name)]),
  );
});

Deno.test("the streams of the kernels' noise are those of STREAMS", () => {
  const text = sources.get("random.ts") ?? "";
  for (
    const [name, value] of [
      ["KEEP_SPIKES", STREAMS.keepSpikes],
      ["KEEP_ENDS", STREAMS.keepEnds],
      ["KEEP_ENC", STREAMS.keepEnc],
      ["KEEP_GEN", STREAMS.keepGen],
      ["EPS_IC", STREAMS.epsIc],
      ["EPS_INPUTS", STREAMS.epsInputs],
    ] as const
  ) {
    assert.match(text, new RegExp(`const ${name}: u32 = ${value};`));
  }
});
