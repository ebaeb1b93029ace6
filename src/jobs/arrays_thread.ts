/// <reference lib="deno.worker" />
/** The thread that works on arrays. */
import { expose } from "comlink";
import { Arrays } from "./arrays.ts";
import { packing } from "./threads.ts";

expose(packing(new Arrays()));
