/** All mutations, in the order in which they are tried. */
import { REFERENCE } from "./reference.ts";
import { WASM } from "./wasm.ts";
import { WEBGPU } from "./webgpu.ts";

export const ALL = [...REFERENCE, ...WASM, ...WEBGPU];
