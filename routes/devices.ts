/** The devices' names: `DEVICE_CHOICES` again, so that the launcher does not load them; a test compares. */
export const DEVICES = ["auto", "webgpu", "wasm", "reference"] as const;
