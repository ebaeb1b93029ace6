/**
 * All tests and every example in a docstring: two `deno test` at a time, as one leaves a core idle most
 * of the time; then, alone, the tests that measure time. A group's output comes whole when it ends,
 * that of groups that fail at the very end, and the last line adds up the counts of all. Arguments
 * choose the files whose names start with one of them.
 */
import { fileURLToPath } from "node:url";

/** These have limits of time or of memory of their own, which a busy machine would break. */
const ALONE = /^(serve_load|server_process|serving)/;
/** The longest first, so that both ends have work until the end. */
const LONG = /^(webgpu|dashboard\.|limits)/;
const FILES = 8;

interface Ended {
  readonly output: string;
  readonly failed: boolean;
}

const counts = { passed: 0, steps: 0, failed: 0, ignored: 0 };

/** @param again whether this group has ended badly after its last test before */
async function run(args: readonly string[], again = false): Promise<Ended> {
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", "--preload", "tests/setup.ts", "--allow-all", ...args],
    cwd: fileURLToPath(new URL("../", import.meta.url)),
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout) + decoder.decode(stderr);
  const summary = /^(?:ok|FAILED) \| .*$/gm, lines = output.match(summary) ?? [];
  const count = (what: string) =>
    Number(new RegExp(`(\\d+) ${what}`).exec(lines.at(-1) ?? "")?.[1] ?? 0);
  const failed = count("failed");
  // some drivers of Vulkan crash while a process exits, when all of its tests have passed: once may be
  if (signal !== null && failed === 0 && lines.length > 0 && !again) {
    console.log(`deno test ${args.join(" ")} passed, then ended with ${signal}: it runs again`);
    return await run(args, true);
  }
  counts.passed += count("passed");
  counts.steps += count("steps?");
  counts.ignored += count("ignored");
  if (code === 0 && lines.length > 0) return { output, failed: false };
  // who ends early, or badly after its last test, has failed whatever its counts say
  counts.failed += Math.max(1, failed);
  const end = failed > 0 ? "" : `\ndeno test ${args.join(" ")} ended with ${signal ?? code}\n`;
  return { output: output + end, failed: true };
}

const names: string[] = [];
for await (const { name } of Deno.readDir(new URL(".", import.meta.url))) {
  const wanted = Deno.args.length === 0 || Deno.args.some((start) => name.startsWith(start));
  if (name.endsWith(".test.ts") && wanted) names.push(name);
}
names.sort();
const groupsOf = (chosen: readonly string[]) =>
  Array.from(
    { length: Math.ceil(chosen.length / FILES) },
    (_, i) => chosen.slice(FILES * i, FILES * (i + 1)).map((name) => `tests/${name}`),
  );
const others = names.filter((name) => !ALONE.test(name));
const queue = [
  ...groupsOf(others.filter((name) => LONG.test(name))),
  ...(Deno.args.length === 0 ? [["--doc", "src/", "routes/"]] : []),
  ...groupsOf(others.filter((name) => !LONG.test(name))),
];

const began = performance.now();
const failures: string[] = [];
async function take(from: string[][]): Promise<void> {
  for (let args; (args = from.shift());) {
    const { output, failed } = await run(args);
    if (failed) failures.push(output);
    else console.log(output.trimEnd());
  }
}
await Promise.all([take(queue), take(queue)]);
await take(groupsOf(names.filter((name) => ALONE.test(name))));

for (const output of failures) console.log(output.trimEnd());
const { passed, steps, failed, ignored } = counts;
const seconds = Math.round((performance.now() - began) / 1000);
console.log(
  `\n${failures.length > 0 ? "FAILED" : "ok"} | ${passed} passed (${steps} steps) | ` +
    `${failed} failed | ${ignored} ignored (${Math.floor(seconds / 60)}m${seconds % 60}s)`,
);
Deno.exit(failures.length > 0 ? 1 : 0);
