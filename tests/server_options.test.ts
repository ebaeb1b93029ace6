/** The launcher's short way with plain arguments, beside the command line's library. */
import assert from "node:assert/strict";
import { command } from "../routes/command.ts";
import { DEVICES } from "../routes/devices.ts";
import { type Flags, OPTIONS, readPlainly } from "../routes/options.ts";
import { DEVICE_CHOICES } from "../src/compute/devices.ts";

/** What the command line makes of arguments; null where it starts no server. */
async function byCommand(args: readonly string[]): Promise<Flags | null> {
  let found: Flags | null = null;
  await command(args, {
    serve: (flags) => {
      found = { ...flags };
      return Promise.resolve(0);
    },
    dataFolder: (path) => Promise.resolve(path),
  });
  return found;
}

/** A value that an option takes. */
function valueOf(name: string): string {
  const values: Record<string, string> = {
    host: "LocalHost",
    data: "some/folder",
    device: "wasm",
    allowHost: "Lab.Example",
    logLevel: "error",
  };
  return values[name] ?? "7";
}

Deno.test("plain arguments mean what the command line makes of them", async () => {
  assert.deepEqual(DEVICES, DEVICE_CHOICES);
  const each = OPTIONS.map(({ name, shown }) => {
    const [flag, value] = shown.split(" ");
    return value ? [flag, valueOf(name)] : [flag];
  });
  const plain = [
    [],
    ...each,
    each.flat(),
    ["--port", "0", "--port", "9"],
    ["--allow-host", "a", "--allow-host", "B"],
  ];
  for (const args of plain) {
    const found = readPlainly(args);
    assert.notEqual(found, null, args.join(" "));
    assert.deepEqual(found, await byCommand(args), args.join(" "));
  }
});

Deno.test("everything else is left to the command line", () => {
  const others = [
    ["--help"],
    ["keys", "list"],
    ["--port"],
    ["--port", "70000"],
    ["--port", "-1"],
    ["--port=7"],
    ["--nothing", "7"],
    ["--device", "gpu"],
    ["--log-level", "loud"],
    ["--host", "a b"],
    ["--data", "a,b"],
    ["--threads", "0"],
    ["--reproducible", "7"],
    ["more"],
  ];
  for (const args of others) assert.equal(readPlainly(args), null, args.join(" "));
});
