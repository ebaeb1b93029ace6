/** Runs a built edge app in workerd, in a process of its own: see tests/workerd/serve.ts. */
import assert from "node:assert/strict";

export interface InWorkerd {
  /** where it listens */
  readonly base: string;
  stop(): Promise<void>;
}

export async function serveInWorkerd(
  folder: string,
  bindings: Readonly<Record<string, string>>,
): Promise<InWorkerd> {
  const path = (name: string) => new URL(`workerd/${name}`, import.meta.url).pathname;
  const config = ["--config", path("deno.json"), "--lock", path("deno.lock"), "--frozen"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-all",
      ...config,
      path("serve.ts"),
      folder,
      JSON.stringify(bindings),
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const stop = async () => {
    await child.stdin.close().catch(() => {});
    await child.status;
    await stderr;
  };
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) {
      await child.status;
      assert.fail(`workerd did not start: ${await stderr}`);
    }
    text += value;
  }
  void reader.cancel();
  return { base: text.trim(), stop };
}
