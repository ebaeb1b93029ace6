/**
 * The threads that a server needs at once. This loads nothing, so that they can load their modules beside
 * everything else.
 *
 * @module
 */
export { startStoreWorker } from "./jobs/start_worker.ts";
export { startDeviceWorker } from "./serving/start_worker.ts";
