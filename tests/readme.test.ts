/** What the README tells people to type does what it says. */
import assert from "node:assert/strict";
import { inFolder } from "./folders.ts";
import { findProgram, findPython, runProgram } from "./programs.ts";

const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
const missing = [await findProgram("bash"), await findProgram("curl"), await findPython()]
  .includes(null);

/** The shell blocks of a section. */
function blocks(section: string): string[] {
  const [, text] = readme.split(`\n## ${section}\n`);
  assert(text, `the README has no section ${section}`);
  return [...text.split("\n## ")[0].matchAll(/^```sh\n(.*?)^```$/gms)].map(([, code]) => code);
}

/** Starts what a command of the README starts, in a data directory and on a port of the test. */
function start(command: string, folder: string) {
  const [, args] = /^npx --yes deno@[\d.]+ (task serve)\n$/.exec(command) ?? [];
  assert(args, `expected the command that serves, found ${command}`);
  return new Deno.Command(Deno.execPath(), {
    args: [...args.split(" "), "--data", folder, "--port", "0", "--device", "wasm"],
    cwd: new URL("../", import.meta.url),
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

/** The address that a server says it listens on, and the rest of what it says, so that it can go on. */
async function addressOf(stdout: ReadableStream<Uint8Array>): Promise<[string, Promise<void>]> {
  const reader = stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = "";;) {
    const { value, done } = await reader.read();
    assert(!done, `the server ended: ${said}`);
    said += value;
    const [, address] = /listens on (http:\S+)\//.exec(said) ?? [];
    if (address === undefined) continue;
    const rest = (async () => {
      while (!(await reader.read()).done);
    })();
    return [address, rest];
  }
}

Deno.test({
  name: "the README's server: from an empty data directory to parameters that numpy opens",
  ignore: missing,
  fn: () =>
    inFolder(async (folder) => {
      const [serve, transcript, ...others] = blocks("Server");
      assert.deepEqual(others, []);
      const server = start(serve, `${folder}/data`);
      let rest: Promise<void> | null = null;
      try {
        const [address, said] = await addressOf(server.stdout);
        rest = said;
        assert(transcript.includes("http://127.0.0.1:8000"));
        const commands = transcript.replaceAll("http://127.0.0.1:8000", address);
        // a Python that has numpy, under the name that the README uses
        const { PYTHON } = Deno.env.toObject();
        const python = PYTHON === undefined ? "" : `python3() { "$PYTHON" "$@"; }\n`;
        await Deno.mkdir(`${folder}/here`);
        const { code, stdout, stderr } = await runProgram(
          "bash",
          ["-euo", "pipefail", "-c", python + commands],
          PYTHON === undefined ? {} : { PYTHON },
          `${folder}/here`,
        );
        assert.equal(code, 0, stderr);
        // progress
        const events = [...stdout.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json));
        assert.deepEqual(events.map(({ id }) => id), events.map((_, i) => i + 1));
        assert.equal(events.at(-1).state, "completed");
        assert.equal(events.findLast(({ kind }) => kind === "evaluation").entry.step, 400);
        // fixed points
        const { fixedPoints } = JSON.parse(/^\{"model":.*$/m.exec(stdout)![0]);
        assert(fixedPoints.length > 0);
        // files
        assert.match(stdout, /^rates\.npz rates \(200, 50, 30\)$/m);
        assert.match(stdout, /^rates\.npz factors \(200, 50, 4\)$/m);
        assert.match(stdout, /^parameters\.npz generator\.b_3G \(48,\)$/m);
      } finally {
        server.kill("SIGTERM");
        const { code } = await server.status;
        if (rest) await rest;
        else await server.stdout.cancel();
        assert.equal(code, 0, "the server drains and exits with 0");
      }
    }),
});
