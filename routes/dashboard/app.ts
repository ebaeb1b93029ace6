/** The dashboard: which page an address means, and what surrounds every page. */
import { getJson, key, onKeyNeeded } from "./api.ts";
import { announce, byId, h, replace } from "./dom.ts";
import { data } from "./pages/data.ts";
import { dataset } from "./pages/dataset.ts";
import { model } from "./pages/model.ts";
import { models } from "./pages/models.ts";
import { overview } from "./pages/overview.ts";
import { run } from "./pages/run.ts";
import { newRun } from "./pages/run_new.ts";
import { runs } from "./pages/runs.ts";
import { askForKey } from "./parts/dialogs.ts";
import { head, linkButton, type Page } from "./parts/page.ts";
import { isLeft, problemBox } from "./parts/problem.ts";
import { themeButton } from "./parts/theme_button.ts";
import type { Health } from "./types.ts";

const PAGES: readonly (readonly [path: RegExp, page: Page])[] = [
  [/^\/$/, overview],
  [/^\/data$/, data],
  [/^\/data\/([\w-]+)$/, dataset],
  [/^\/runs$/, runs],
  [/^\/runs\/new$/, newRun],
  [/^\/runs\/([\w-]+)$/, run],
  [/^\/models$/, models],
  [/^\/models\/([\w-]+)(?:\/([a-z]+))?$/, model],
];

let leave = new AbortController();
let first = true;

/** Shows the page that the address names. */
async function show(): Promise<void> {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const [path, search = ""] = (location.hash.slice(1) || "/").split("?");
  for (const link of document.querySelectorAll<HTMLAnchorElement>(".top nav a")) {
    const here = path === link.hash.slice(1) || path.startsWith(`${link.hash.slice(1)}/`);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const main = byId("main");
  main.setAttribute("aria-busy", "true");
  let title = "Not found";
  try {
    const found = PAGES.map(([pattern, page]) => ({ match: pattern.exec(path), page }))
      .find(({ match }) => match !== null);
    if (found?.match) {
      const params = found.match.slice(1);
      const view = await found.page({ params, query: new URLSearchParams(search), signal });
      if (signal.aborted) return;
      title = view.title;
      replace(main, view.body);
    } else {
      const back = linkButton("Overview", "#/", "primary");
      replace(
        main,
        head({ title, about: "There is no such page." }),
        h("div", { class: "actions" }, back),
      );
    }
  } catch (error) {
    if (signal.aborted || isLeft(error)) return;
    title = "Something is wrong";
    const again = h(
      "button",
      { type: "button", class: "primary", click: () => void show() },
      "Try again",
    );
    replace(main, head({ title }), problemBox(error), h("div", { class: "actions" }, again));
  }
  main.removeAttribute("aria-busy");
  document.title = `${title} · latentd`;
  byId("forget-key").hidden = key.get() === null;
  // those who came by a link stand at the new page's name, as they would on a page of its own
  if (!first) {
    main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, 0);
    announce(title);
  }
  first = false;
}

async function showServer(): Promise<void> {
  const line = byId("server");
  try {
    const { version, device, reason } = await health();
    replace(
      line,
      `latentd ${version}. `,
      device
        ? [h("strong", {}, `Infers on ${device.name}`), `, ${device.arithmetic} (${reason}).`]
        : `No device yet: ${reason}.`,
    );
    if (!device) setTimeout(() => void showServer(), 2000);
  } catch {
    replace(line, "The server does not answer.");
    setTimeout(() => void showServer(), 5000);
  }
}

/** Also where the server is not ready, which it says with a problem's status. */
async function health(): Promise<Health> {
  const answer = await fetch("/healthz");
  return answer.ok || answer.status === 503 ? await answer.json() : await getJson("/healthz");
}

onKeyNeeded(askForKey);
byId("forget-key").addEventListener("click", () => {
  key.forget();
  void show();
});
themeButton(byId("theme"));
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
addEventListener("hashchange", () => void show());
void show();
void showServer();
