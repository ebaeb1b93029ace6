/** Light, dark, or as the system has it. */
import { themeChanged } from "../charts/theme.ts";
import { replace, svg } from "../dom.ts";

const THEMES = ["system", "light", "dark"] as const;
type Theme = typeof THEMES[number];

const SIGNS: Readonly<Record<Theme, string>> = {
  system: "M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M12 3v18a9 9 0 0 0 0-18",
  light:
    "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600L19 19M5 19l1.400-1.400M17.600 6.400L19 5",
  dark: "M20 14.500A8.500 8.500 0 1 1 9.500 4a7 7 0 0 0 10.500 10.500Z",
};

export function themeButton(button: HTMLElement): void {
  const root = document.documentElement;
  const { theme } = root.dataset;
  let now: Theme = theme === "light" || theme === "dark" ? theme : "system";
  const next = () => THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  const show = () => {
    const name = `Theme: ${now}. Change to ${next()}`;
    button.setAttribute("aria-label", name);
    button.title = name;
    replace(
      button,
      svg(
        "svg",
        { viewBox: "0 0 24 24", width: 20, height: 20, "aria-hidden": "true", class: "sign" },
        svg("path", { d: SIGNS[now], class: now }),
      ),
    );
  };
  button.addEventListener("click", () => {
    now = next();
    if (now === "system") delete root.dataset.theme;
    else root.dataset.theme = now;
    try {
      localStorage.setItem("latentd.theme", now);
    } catch {
      // storage that is not allowed: the choice holds as long as the page
    }
    show();
    themeChanged();
  });
  show();
}
