/**
 * A process that calls one function of `page.ts` in headless Chromium: `{ executablePath, name,
 * argument }` on stdin, what it returns on stdout, all as JSON. It is a process of its own because
 * playwright-core looks at more of the system than tests may.
 */
import { chromium } from "playwright-core";

/** One file with all that the page's script imports, shaders too. */
async function bundle(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      new URL("page.ts", import.meta.url).pathname,
    ],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`deno bundle failed: ${text(stderr)}`);
  return text(stdout);
}

const { executablePath, name, argument } = await new Response(Deno.stdin.readable).json();
const script = await bundle();
const browser = await chromium.launch({
  executablePath,
  args: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
  // without a GPU process there is no WebGPU, on SwiftShader either
  ignoreDefaultArgs: ["--disable-gpu"],
});
try {
  const page = await browser.newPage();
  page.on("console", (message) => console.error(`Chromium: ${message.text()}`));
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) =>
      new URL(request.url).pathname === "/page.js"
        ? new Response(script, { headers: { "content-type": "text/javascript" } })
        : new Response("<!doctype html><title>latentd</title>", {
          headers: { "content-type": "text/html" },
        }),
  );
  await page.goto(`http://127.0.0.1:${server.addr.port}/`);
  const result = await page.evaluate(
    async ([name, argument]) => {
      const script = "/page.js";
      await import(script);
      const { latentd } = globalThis as unknown as {
        latentd: Record<string, (argument: unknown) => Promise<unknown>>;
      };
      return await latentd[name](argument);
    },
    [name, argument] as const,
  );
  console.log(JSON.stringify(result));
  await server.shutdown();
} finally {
  await browser.close();
}
