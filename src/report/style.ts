/** The page's style sheet. Dark is for screens only: paper is white. */
export const STYLE = `
:root {
  color-scheme: light;
  --paper: #ffffff; --panel: #f5f7f9; --ink: #1a2027; --muted: #5a6672; --faint: #c3cbd3; --rule: #dfe4e9;
  --color-1: #0072b2; --color-2: #d55e00; --color-3: #009e73; --color-4: #b8599a;
  --color-5: #b98000; --color-6: #3a9fd6; --color-7: #6b5b00; --color-8: #59626b;
  --hue-lightness: 0.58; --missing: #eadfd0;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    color-scheme: dark;
    --paper: #14181d; --panel: #1c2229; --ink: #e8ecf0; --muted: #a3afbb; --faint: #47525d; --rule: #303942;
    --color-1: #5cb3ea; --color-2: #ff9248; --color-3: #35c99c; --color-4: #e59bcb;
    --color-5: #f0bf4c; --color-6: #a5daf7; --color-7: #c9b646; --color-8: #b4bec8;
    --hue-lightness: 0.74; --missing: #3d3526;
  }
}
* { box-sizing: border-box; }
html { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word; }
main, header, footer { max-width: 1160px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 52px 0 14px; padding-top: 14px; border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 28px 0 8px; }
p { max-width: 75ch; }
a { color: var(--color-1); }
:focus-visible { outline: 2px solid var(--color-1); outline-offset: 2px; }
.made { color: var(--muted); margin: 0; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; margin: 18px 0 0; padding: 0; font-size: 0.92rem; }
.lead { font-size: 1.06rem; max-width: 80ch; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin: 22px 0; }
.tiles div { max-width: 300px; display: flex; flex-direction: column; background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 18px; }
.tiles dt { order: 2; font-weight: 600; }
.tiles dd { margin: 0; }
.tiles .value { order: 1; font-size: 1.9rem; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.tiles .note { order: 3; color: var(--muted); font-size: 0.88rem; }
.note, .nothing { color: var(--muted); }
.nothing { background: var(--panel); border: 1px dashed var(--faint); border-radius: 10px; padding: 14px 18px; margin: 0 0 16px; align-self: start; }
.warnings { border: 1px solid var(--color-5); border-left-width: 6px; border-radius: 8px; padding: 10px 18px; margin: 18px 0; }
.warnings h3 { margin: 4px 0; }
.warnings ul { margin: 6px 0; padding-left: 20px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 26px 36px; align-items: start; }
.figures > * { min-width: 0; margin: 0; }
figure { margin: 0; break-inside: avoid; }
figure.wide { grid-column: 1 / -1; }
.drawings { display: flex; flex-wrap: wrap; gap: 12px; }
.drawings > * { flex: 1 1 0; min-width: 0; }
.drawings .panel { min-width: min(100%, 260px); }
.panel-title { margin: 0 0 2px; font-weight: 600; font-size: 0.92rem; }
figcaption { color: var(--muted); font-size: 0.9rem; line-height: 1.45; margin-top: 6px; max-width: 80ch; }
.plot { display: block; width: 100%; max-width: 100%; height: auto; font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow: visible; }
.plot text { white-space: pre; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; list-style: none; margin: 0 0 6px; padding: 0; font-size: 0.88rem; }
.legend li { display: inline-flex; align-items: center; gap: 6px; }
.scroll { overflow-x: auto; margin: 4px 0 20px; }
table { border-collapse: collapse; width: 100%; font-size: 0.93rem; }
caption { text-align: left; color: var(--muted); font-size: 0.9rem; padding-bottom: 6px; }
th, td { text-align: left; padding: 6px 18px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
thead th { border-bottom: 1.5px solid var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td { overflow-wrap: break-word; }
code { font: 0.92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.share { display: inline-flex; align-items: center; gap: 10px; }
.share-text { min-width: 4.4em; }
.number + td:not(.number), .number + th:not(.number) { padding-left: 20px; }
.figures + .scroll { margin-top: 26px; }
.figures + .nothing { margin-top: 26px; }
.bar { display: inline-block; width: 90px; height: 9px; border-radius: 5px; background: var(--rule); overflow: hidden; }
.bar span { display: block; height: 100%; background: var(--color-1); }
.matrices { display: flex; flex-wrap: wrap; gap: 16px 56px; }
.matrix { width: auto; border-left: 2px solid var(--ink); border-right: 2px solid var(--ink); border-radius: 6px; }
.matrix caption { padding: 0 0 6px; white-space: nowrap; }
.matrices figure { flex: 1 1 220px; }
.matrix td { border: 0; padding: 3px 12px; text-align: right; font-variant-numeric: tabular-nums; }
footer { color: var(--muted); font-size: 0.88rem; padding-top: 20px; padding-bottom: 40px; margin-top: 48px; }
@media print {
  html { font-size: 10.5pt; }
  main, header, footer { max-width: none; padding: 0; }
  nav { display: none; }
  h2 { break-after: avoid; margin-top: 28px; }
  .figures { grid-template-columns: 1fr 1fr; gap: 16px 24px; }
  .scroll { overflow: visible; }
  .drawings { flex-wrap: nowrap; }
  .drawings .panel { min-width: 0; }
  .tiles { grid-template-columns: repeat(4, 1fr); }
  .tiles .value { font-size: 1.4rem; }
  table { font-size: 0.8rem; }
  th, td, .number + td:not(.number), .number + th:not(.number) { padding: 4px 8px 4px 0; white-space: normal; overflow-wrap: normal; }
  .number + td:not(.number), .number + th:not(.number) { padding-left: 10px; }
  .bar { width: 50px; }
  tr, .tiles div { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
