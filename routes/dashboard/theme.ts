// Runs before the page is painted, so that a chosen theme does not flash. A plain script, not a module.
{
  let chosen: string | null = null;
  try {
    chosen = localStorage.getItem("latentd.theme");
  } catch {
    // storage that is not allowed: the system's theme
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
