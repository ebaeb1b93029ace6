/** The threads of `serving`: this file alone starts them, and loads nothing. */

/** Starts a worker; a test may start another one. */
export type StartWorker = () => Worker;

export const startDeviceWorker: StartWorker = () =>
  new Worker(new URL("./device_worker.ts", import.meta.url), { type: "module", name: "device" });

export const startHelperWorker: StartWorker = () =>
  new Worker(new URL("./helper_worker.ts", import.meta.url), { type: "module", name: "helper" });
