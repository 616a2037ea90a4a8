"""Style sheet of the report page: light, dark and paper, with colours told apart by colour-blind readers too."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --page: #ffffff; --card: #f5f6f4; --text: #1d211c; --dim: #5b635a; --line: #d9ddd6;
  --accent: #2f6b3a; --sF: #b3261e; --sR: #c2560a; --sX: #8a4b9e; --sW: #a87400; --sI: #1f6fa8; --on: #ffffff; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #151815; --card: #1f2420; --text: #e7eae5;
  --dim: #a3aca1; --line: #394038; --accent: #86c792; --sF: #ff8a80; --sR: #ffab70; --sX: #d7a6e8; --sW: #f2c14e;
  --sI: #7cc0ee; --on: #151815; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1060px; padding: 32px 24px 64px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 34px 0 10px; }
.about { color: var(--dim); margin: 0; overflow-wrap: anywhere; }
.verdict { margin: 20px 0; padding: 12px 16px; border-left: 5px solid var(--accent); background: var(--card);
  border-radius: 4px; }
.verdict strong { display: block; font-size: 17px; }
.verdict.F { border-color: var(--sF); } .verdict.R, .verdict.X { border-color: var(--sR); }
.verdict.W { border-color: var(--sW); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0; }
.numbers div { background: var(--card); border-radius: 6px; padding: 12px 16px; }
.numbers dt { color: var(--dim); font-size: 13px; } .numbers dd { margin: 0; font-size: 24px; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 8px 10px; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-size: 13px; font-weight: 600; }
td.count, th.count { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.code { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; font-size: 14px;
  white-space: nowrap; }
td.message { overflow-wrap: anywhere; min-width: 260px; }
.badge { display: inline-block; border-radius: 4px; padding: 1px 8px; font-size: 13px; font-weight: 600;
  white-space: nowrap; color: var(--on); }
.badge.sF { background: var(--sF); } .badge.sR { background: var(--sR); } .badge.sX { background: var(--sX); }
.badge.sW { background: var(--sW); } .badge.sI { background: var(--sI); }
details { margin-top: 4px; } summary { cursor: pointer; color: var(--accent); font-size: 14px; }
details ul { margin: 6px 0 2px; padding-left: 20px; } details p { margin: 6px 0 2px; }
details ul, details p { color: var(--dim); font-size: 14px; overflow-wrap: anywhere; }
.facts { columns: 2 320px; column-gap: 32px; }
.facts > div { break-inside: avoid; padding-bottom: 14px; }
.facts h3 { font-size: 15px; margin: 0 0 2px; padding: 8px 10px 0; }
.facts th { width: 42%; } .facts td { overflow-wrap: anywhere; }
.meanings { color: var(--dim); font-size: 13px; padding: 0; list-style: none; columns: 2 320px; }
.meanings li { padding: 3px 0; break-inside: avoid; }
figure { margin: 0; } figcaption { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 13px; color: var(--dim);
  margin-top: 8px; }
.key { white-space: nowrap; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 6px; }
.swatch.area { background: var(--accent); opacity: .5; border-radius: 2px; }
.swatch.square { border: 1px dashed var(--dim); border-radius: 0; }
.swatch.sF { background: var(--sF); } .swatch.sR { background: var(--sR); } .swatch.sX { background: var(--sX); }
.swatch.sW { background: var(--sW); } .swatch.sI { background: var(--sI); }
.map { display: block; width: 100%; max-width: 720px; background: var(--card); border-radius: 6px; }
.density { fill: var(--accent); } .d1 { fill-opacity: .14; } .d2 { fill-opacity: .25; } .d3 { fill-opacity: .37; }
.d4 { fill-opacity: .5; } .d5 { fill-opacity: .65; }
.hull { fill: none; stroke: var(--accent); stroke-width: 1.2; }
.tile { fill: none; stroke: var(--dim); stroke-width: 1; stroke-dasharray: 5 4; }
.tile-name, .scale-name { fill: var(--dim); font-size: 12px; } .scale-name { text-anchor: end; }
.scale { fill: none; stroke: var(--dim); stroke-width: 1.5; }
.dots { fill: none; stroke-width: 5; stroke-linecap: round; }
.dots.sF { stroke: var(--sF); } .dots.sR { stroke: var(--sR); } .dots.sX { stroke: var(--sX); }
.dots.sW { stroke: var(--sW); } .dots.sI { stroke: var(--sI); }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; } h2 { break-after: avoid; }
  tr, figure, .verdict, .numbers { break-inside: avoid; } thead { display: table-header-group; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { display: block; content-visibility: visible; } }
"""
