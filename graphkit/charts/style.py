"""Colors and style of charts, for light and dark grounds. A page puts `STYLE` into its `<style>`.

The five colors are of Okabe and Ito's palette ("Color Universal Design", 2008), which people with any kind of color blindness
tell apart; on dark grounds the lighter ones of it stand in. Dash and marker say the same a second time.
"""

from __future__ import annotations

LIGHT = {"ground": "#ffffff", "ink": "#1b1f24", "soft": "#565f69", "line": "#d5dae0", "faint": "#eef1f4",
         "k0": "#0072b2", "k1": "#d55e00", "k2": "#009e73", "k3": "#cc79a7", "k4": "#000000"}  # fmt: skip
DARK = {"ground": "#14171b", "ink": "#e6e9ed", "soft": "#a3adb8", "line": "#363d45", "faint": "#23282e",
        "k0": "#56b4e9", "k1": "#e69f00", "k2": "#009e73", "k3": "#cc79a7", "k4": "#f0e442"}  # fmt: skip
STYLES = 5
"""Styles of lines, markers and bars that are told apart."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "14 4")
HOTTEST = 0.5
"""Opacity of a full cell of a heat table: text on it can still be read."""


def _variables(colors: dict[str, str]) -> str:
    return " ".join(f"--{name}: {color};" for name, color in colors.items())


STYLE = f"""
:root {{ color-scheme: light dark; {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); gap: 1.5rem 2rem; }}
figure.chart {{ margin: 0; min-width: 0; max-width: 32rem; }}
figure.chart > figcaption {{ color: var(--ink); font-weight: 600; font-size: .95rem; line-height: 1.3; margin-bottom: .35rem; }}
figure.chart > figcaption small {{ display: block; font-weight: 400; font-size: .85rem; color: var(--soft); }}
.chart svg {{ display: block; width: 100%; height: auto; overflow: visible; }}
.chart text {{ font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }}
.chart text.minor {{ font-size: 10.5px; }}
.chart text.said {{ paint-order: stroke; stroke: var(--ground); stroke-width: 4px; stroke-linejoin: round; }}
.chart text.cell {{ font-size: 11px; fill: var(--ink); text-anchor: middle; }}
.chart .grid {{ stroke: var(--faint); }} .chart .axis {{ stroke: var(--line); fill: none; }}
.chart .rule {{ stroke: var(--soft); stroke-width: 1.25; stroke-dasharray: 5 4; }}
{" ".join(f".k{number} {{ --k: var(--k{number}); }}" for number in range(STYLES))}
.chart .stroke {{ fill: none; stroke: var(--k); stroke-width: 1.75; stroke-linejoin: round; }}
.chart .area {{ fill: var(--k); fill-opacity: .2; }}
.chart .mark {{ fill: var(--k); stroke: var(--ground); }}
.chart .many .mark {{ fill-opacity: .55; stroke: none; r: 2.5px; }}
.chart .bar {{ fill: var(--k); stroke: var(--k); stroke-width: 1.5; fill-opacity: .75; }}
.chart .k1 .bar {{ fill-opacity: .15; }}
.chart .heat {{ fill: var(--k0); }} .chart .box {{ fill: none; stroke: var(--line); }}
.chart .key {{ display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: .25rem 0 0; font-size: .85rem; color: var(--soft); }}
.chart .key svg {{ display: inline-block; width: 26px; height: 12px; margin-right: .4rem; }}
"""
