/// <reference lib="deno.worker" />
/** The thread that has the database. */
import { expose } from "comlink";
import { Store } from "./store.ts";
import { packing } from "./threads.ts";

expose(packing(new Store()));
