"""Style sheet of the crop type report, on top of that of the report of an upload."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
.lead { color: var(--dim); margin: 0 0 12px; max-width: 76ch; }
.verdict.confirmed { border-color: var(--accent); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 8px 36px;
  align-items: start; }
.pair h3, .drill h3 { font-size: 15px; margin: 14px 0 8px; }
.chart { display: block; width: 100%; height: auto; }
.chart text { fill: var(--text); font-size: 12px; } .chart .dim { fill: var(--dim); }
.chart .end { text-anchor: end; } .chart .middle { text-anchor: middle; }
.chart .small { font-size: 10.5px; } .chart .mono { font-family: ui-monospace, "Cascadia Mono", Menlo, monospace;
  font-size: 11px; }
.chart .axis { stroke: var(--line); stroke-width: 1; } .chart .ideal { stroke: var(--dim); stroke-dasharray: 5 4; }
.bar { fill: var(--accent); } .bar.overall { fill: var(--sI); } .bar.weak { fill: var(--sR); }
.bar.back { fill: var(--line); opacity: .45; }
.dot { fill: var(--page); stroke: var(--text); stroke-width: 1.6; } .chart .on { fill: var(--on); }
table.dense { font-size: 14px; } table.dense td, table.dense th { padding: 4px 10px; }
table.dense td, table.dense th { white-space: nowrap; }
.line { fill: none; stroke: var(--accent); stroke-width: 2; } .point { fill: var(--accent); }
.line.calibrated { stroke: var(--sI); } .point.calibrated { fill: var(--sI); }
.cell { stroke: var(--page); stroke-width: 1; } .cell.right { fill: var(--accent); } .cell.wrong { fill: var(--sR); }
.cell.none { fill: var(--card); }
.swatch.right { background: var(--accent); border-radius: 2px; }
.swatch.wrong { background: var(--sR); border-radius: 2px; }
.swatch.ring { background: none; border: 2px solid var(--text); }
.swatch.overall { background: var(--sI); border-radius: 2px; }
.badge.confirmed { background: var(--accent); } .badge.contradicted { background: var(--sF); }
.badge.cannot-tell { background: var(--dim); } .badge.none { background: var(--line); color: var(--text); }
.stack { display: flex; height: 12px; border-radius: 3px; overflow: hidden; background: var(--line); min-width: 120px; }
.stack span { display: block; } .stack .confirmed { background: var(--accent); }
.stack .contradicted { background: var(--sF); } .stack .cannot-tell { background: var(--dim); opacity: .6; }
details.drill { border-bottom: 1px solid var(--line); padding: 6px 0; margin: 0; }
details.drill > summary { display: flex; gap: 12px; align-items: center; color: var(--text); list-style: none; }
details.drill > summary::before { content: "\\25B8"; color: var(--accent); }
details.drill[open] > summary::before { content: "\\25BE"; }
details.drill > summary::-webkit-details-marker { display: none; }
details.drill .name { flex: 1 1 auto; font-weight: 600; } details.drill .figure { flex: 0 0 92px; text-align: right;
  font-variant-numeric: tabular-nums; } details.drill .stack { flex: 0 0 150px; }
.drill .inside { padding: 4px 0 14px 22px; } .drill .inside p { color: var(--text); }
.drill.head { display: flex; gap: 12px; color: var(--dim); font-size: 13px; font-weight: 600;
  border-bottom: 1px solid var(--line); padding: 6px 0 6px 22px; }
.drill.head .name { flex: 1 1 auto; } .drill.head .figure { flex: 0 0 92px; text-align: right; }
.drill.head .last { flex: 0 0 150px; }
@media (max-width: 640px) { details.drill .figure.less, .drill.head .figure.less { display: none; } }
"""
