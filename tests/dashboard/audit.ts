/** What a page owes to those who do not see it or do not point at it; each finding in a sentence. */
import type { Page } from "playwright-core";

/** Looks at every element of the page as it stands. */
export async function audit(page: Page): Promise<string[]> {
  return await page.evaluate(`(${inPage})()`);
}

// a script of the browser's, whose types are not the tests'
const inPage = String.raw`() => {
  const findings = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility();
  const say = (element, what) => findings.push(what + ": " + element.outerHTML.slice(0, 120));
  const nameOf = (element) =>
    element.getAttribute("aria-label") ??
    (element.getAttribute("aria-labelledby") ?? "").split(" ").map((id) =>
      document.getElementById(id)?.textContent ?? "").join(" ").trim();
  for (const field of all("input, select").filter(shown)) {
    const label = nameOf(field) || (field.labels?.[0]?.textContent ?? "").trim();
    if (label === "") say(field, "a field without a label");
  }
  for (const link of all("a, button, summary").filter(shown)) {
    const alt = [...link.querySelectorAll("img")].map((image) => image.alt).join("");
    if ((nameOf(link) || link.textContent.trim() || alt) === "") say(link, "a link or button without a name");
    const box = link.getBoundingClientRect();
    const inText = getComputedStyle(link).display === "inline";
    if (!inText && link.tagName !== "SUMMARY" && (box.width < 24 || box.height < 24)) {
      say(link, "a target under 24 pixels");
    }
  }
  for (const image of all("img")) if (!image.hasAttribute("alt")) say(image, "an image without alt");
  for (const chart of all("main svg").filter(shown)) {
    const hidden = chart.getAttribute("aria-hidden") === "true";
    if (!hidden && !(chart.getAttribute("role") === "img" && nameOf(chart) !== "")) {
      say(chart, "a drawing without a name");
    }
  }
  for (const table of all("main table:not(.u-legend)")) {
    if (!table.caption) say(table, "a table without a caption");
    for (const head of table.querySelectorAll("th")) {
      if (!head.hasAttribute("scope")) say(head, "a heading without a scope");
    }
  }
  for (const group of all("nav, [role=region], [role=group], section, dialog")) {
    if (nameOf(group) === "") say(group, "a part without a name");
  }
  const names = all("nav").filter(shown).map(nameOf);
  if (new Set(names).size < names.length) findings.push("two navigations of one name");
  const ids = all("[id]").map(({ id }) => id);
  for (const id of new Set(ids)) {
    if (ids.filter((other) => other === id).length > 1) findings.push("the id twice: " + id);
  }
  for (const described of all("[aria-describedby]")) {
    for (const id of described.getAttribute("aria-describedby").split(" ")) {
      if (!document.getElementById(id)) say(described, "described by nothing");
    }
  }
  for (const element of all("[tabindex]")) if (element.tabIndex > 0) say(element, "an order of its own");
  const headings = all("h1, h2, h3, h4").filter(shown).map((heading) => Number(heading.tagName[1]));
  if (headings.filter((level) => level === 1).length !== 1) findings.push("not one main heading");
  headings.forEach((level, i) => {
    if (i > 0 && level > headings[i - 1] + 1) findings.push("headings skip a level");
  });
  for (const landmark of ["header", "main", "footer", "[aria-live=polite]"]) {
    if (all(landmark).length === 0) findings.push("no " + landmark);
  }
  if (document.documentElement.lang === "") findings.push("no language");
  const beyond = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (beyond > 0) findings.push("the page is " + beyond + " pixels wider than its window");
  return findings;
}`;

/** Contrast of two colours of the style, as the page has them now (WCAG 2, relative luminance). */
export async function contrasts(
  page: Page,
  pairs: readonly (readonly [string, string])[],
): Promise<number[]> {
  return await page.evaluate(`(${inStyle})(${JSON.stringify(pairs)})`);
}

const inStyle = String.raw`(pairs) => {
  const probe = document.body.appendChild(document.createElement("span"));
  const luminance = (name) => {
    probe.style.color = "";
    probe.style.color = "var(" + name + ")";
    const found = getComputedStyle(probe).color.match(/^rgb\(([\d.]+), ([\d.]+), ([\d.]+)\)$/);
    if (!found) throw new Error(name + " is no colour");
    const [r, g, b] = found.slice(1).map((byte) => {
      const share = byte / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = pairs.map(([a, b]) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  });
  probe.remove();
  return found;
}`;
