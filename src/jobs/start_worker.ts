/** The threads of `jobs`: this file alone starts them, and loads nothing. */

export const startStoreWorker = (): Worker =>
  new Worker(new URL("./store_thread.ts", import.meta.url), { type: "module", name: "store" });

export const startArraysWorker = (): Worker =>
  new Worker(new URL("./arrays_thread.ts", import.meta.url), { type: "module", name: "arrays" });
