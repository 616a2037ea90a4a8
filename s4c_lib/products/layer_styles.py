"""The styles a layer of parcels comes with, by the columns it has: QGIS shows the first at once and offers the others.

Colours as in the pictures of the products, told apart by colour-blind readers too. Source: lpis-and-inputs.md §6.2.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from s4c_lib.chart_style import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, YELLOW
from s4c_lib.products.export_columns import GEOMETRY
from s4c_lib.products.export_rows import Layer, LayerColumn, taken
from s4c_lib.products.qml import Style, categories, leading, qml, quoted

TABLE: Final = "layer_styles"
_PALE, _PALER = "#BBBBBB", "#DDDDDD"
_LONGEST_NAME: Final = 30

_DECISION: Final = categories(
    (
        ("yes", "yes", GREEN),
        ("inconclusive", "inconclusive", YELLOW),
        ("no", "no: to be reviewed", VERMILION),
        ("not_monitorable", "not monitorable", GREY),
        ("not_applicable", "not applicable", _PALE),
    )
)
_VERDICT: Final = categories(
    (
        ("confirmed", "confirmed", GREEN),
        ("cannot tell", "cannot tell", YELLOW),
        ("contradicted", "contradicted", VERMILION),
    )
)
_CONFORM: Final = categories(
    (
        ("first", "conform", GREEN),
        ("second", "second choice", SKY),
        ("neither", "not conform", VERMILION),
    )
)
_AGREEMENT: Final = categories(
    (
        ("STRONG", "strong agreement", GREEN),
        ("MODERATE", "moderate agreement", SKY),
        ("WEAK", "weak agreement", YELLOW),
        ("POOR", "poor agreement", VERMILION),
        ("NR", "period still open (NR)", _PALER),
        ("NA", "not assessed (NA)", _PALE),
        ("NA1", "no data (NA1)", GREY),
    )
)
_COMPLIANCE: Final = categories(
    (
        (1, "compliant", GREEN),
        (3, "mown inside and outside of the period", YELLOW),
        (2, "not compliant", VERMILION),
        (0, "not assessed", _PALE),
        (-1, "no period for the crop", _PALER),
    )
)
_MOST_CUTS: Final = 4
_CUTS: Final = categories(
    (
        (0, "not mown", "#F7F4C5"),
        (1, "mown once", "#C2E084"),
        (2, "twice", "#78BE5A"),
        (3, "three times", "#2F8F46"),
        (_MOST_CUTS, f"{_MOST_CUTS} times and more", "#0B4F2C"),
    )
)
_LAND_COVER: Final = categories(
    (
        (1, "annual crop", YELLOW),
        (2, "permanent crop", ORANGE),
        (3, "grassland", GREEN),
        (4, "fallow", "#B0895B"),
        (5, "greenhouse or nursery", BLUE),
        (0, "other natural area", _PALE),
    )
)
_WEEKS: Final = 4
_HARVEST: Final = ("#440154", "#443983", "#31688E", "#21918C", "#35B779", "#90D743", "#FDE725")
_FIRST_HARVEST: Final = 21

# Hue in degrees from and to, lightness and saturation of the crops of a land cover.
_FAMILIES: Final[Mapping[int, tuple[float, float, float, float]]] = {
    0: (210.0, 240.0, 0.72, 0.10),
    1: (165.0, 410.0, 0.58, 0.70),
    2: (15.0, 35.0, 0.36, 0.55),
    3: (80.0, 145.0, 0.48, 0.50),
    4: (38.0, 52.0, 0.70, 0.35),
    5: (220.0, 260.0, 0.30, 0.45),
}


def styles_of(layer: Layer, first: str = "") -> list[Style]:
    """Return the styles that the columns of a layer allow, the default first; none when it has nothing to show.

    Parameters
    ----------
    first : the column it is shown by, if it can be.
    """
    columns = {column.name: column for column in layer.columns}
    found = dict(_styles(columns))
    chosen = found.get(first)
    return leading(list(found.values()), chosen.name if chosen else "")


def style_table(layers: Sequence[Layer], first: str, created: datetime) -> pa.Table | None:
    """Return the table ``layer_styles`` as QGIS reads it; None when no layer has a style."""
    rows = [
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": layer.name,
            "f_geometry_column": GEOMETRY,
            "styleName": style.name,
            "styleQML": qml(style),
            "styleSLD": "",
            "useAsDefault": place == 0,
            "description": style.description,
            "owner": "",
            "ui": "",
            "update_time": created.replace(tzinfo=None),
        }
        for layer in layers
        for place, style in enumerate(styles_of(layer, first))
    ]
    if not rows:
        return None
    text = ("f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column", "styleName", "styleQML")
    more = ("description", "owner", "ui")
    kinds = [(name, pa.string()) for name in (*text, "styleSLD")] + [("useAsDefault", pa.bool_())]
    kinds += [(name, pa.string()) for name in more] + [("update_time", pa.timestamp("ms"))]
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def _styles(columns: Mapping[str, LayerColumn]) -> Iterator[tuple[str, Style]]:
    """Give each style with the column it belongs to, most telling first."""
    for name in columns:
        # in the wide layout a column bears the name of its product
        if name == "decision" or name.endswith("_decision"):
            yield name, Style(_name("Decision", name, "decision"), "Traffic light", quoted(name), _DECISION)
    if "verdict" in columns:
        yield "verdict", Style("Declaration", "Is the declared crop there", quoted("verdict"), _VERDICT)
    if {"conform", "CT_decl", "CT_pred_1"} <= columns.keys():
        expression = (
            'CASE WHEN "CT_decl" = "CT_pred_1" THEN \'first\' WHEN "conform" = 1 THEN \'second\' '
            "WHEN \"conform\" = 0 THEN 'neither' END"
        )
        yield "conform", Style("Conformity", "Declared among predicted crops", expression, _CONFORM, "not classified")
    if "C_INDEX" in columns:
        yield "C_INDEX", Style("Agreement", "With the declared practice", quoted("C_INDEX"), _AGREEMENT)
    if "H_WEEK" in columns:
        yield "H_WEEK", _harvest_style()
    if "mow_n" in columns:
        count = f'min("mow_n", {_MOST_CUTS})'
        seen = f"if(\"status\" = 'processed', {count}, NULL)" if "status" in columns else count
        yield "mow_n", Style("Mowing events", "How often was mown", seen, _CUTS)
    if "compl" in columns:
        yield "compl", Style("Compliance", "Mowing in its period", quoted("compl"), _COMPLIANCE)
    for name, title, names in (
        ("CT_pred_1_name", "Predicted crop", "CTL4A"),
        ("CT", "Declared crop", "CT"),
        ("CTL4A", "Declared crop group", "CTL4A"),
    ):
        if name in columns:
            yield name, _crop_style(name, title, columns, names)
    if "LC" in columns:
        yield "LC", Style("Land cover", "Of the declared crop", quoted("LC"), _LAND_COVER, "not in the crop table")


def _name(title: str, column: str, ending: str) -> str:
    prefix = column.removesuffix(ending).strip("_")
    return f"{title} {prefix}".strip()[:_LONGEST_NAME]


def _harvest_style() -> Style:
    spans = [_FIRST_HARVEST + _WEEKS * at for at in range(len(_HARVEST))]
    rows = [
        (at, f"weeks {week} to {week + _WEEKS - 1}", color)
        for at, (week, color) in enumerate(zip(spans, _HARVEST, strict=True))
    ]
    rows[0] = (0, f"up to week {spans[1] - 1}", rows[0][2])
    rows[-1] = (rows[-1][0], f"week {spans[-1]} and later", rows[-1][2])
    # weeks are text, in which the reasons for none stand too
    last = len(_HARVEST) - 1
    expression = f'try(max(0, min({last}, floor((to_int("H_WEEK") - {_FIRST_HARVEST}) / {_WEEKS}))), NULL)'
    return Style("Harvest week", "ISO week of harvest", expression, categories(rows), "no harvest found")


def _crop_style(name: str, title: str, columns: Mapping[str, LayerColumn], names: str) -> Style:
    """Give every crop that occurs a colour of the family of its land cover."""
    crops = _distinct(columns[name])
    covers = _land_covers(columns, names)
    rows = []
    for cover in sorted({covers.get(crop, 0) for crop in crops}):
        family = [crop for crop in crops if covers.get(crop, 0) == cover]
        rows += [(crop, crop, _shade(cover, at, len(family))) for at, crop in enumerate(family)]
    return Style(title, "Colours by crop table", quoted(name), categories(rows), "not classified")


def _distinct(column: LayerColumn) -> list[str]:
    values = pc.unique(taken(column.values, column.rows)).cast(pa.string()).to_pylist()
    return sorted(value for value in values if value)


def _land_covers(columns: Mapping[str, LayerColumn], names: str) -> dict[str, int]:
    """Return the land cover of each crop; the smallest where the crop table gives several."""
    if "LC" not in columns or names not in columns:
        return {}
    crop, cover = (taken(columns[name].values, columns[name].rows) for name in (names, "LC"))
    pairs = pa.table({"crop": crop.cast(pa.string()), "cover": cover.cast(pa.int64())}).drop_null()
    found = pairs.group_by("crop").aggregate([("cover", "min")])
    return dict(zip(found["crop"].to_pylist(), found["cover_min"].to_pylist(), strict=True))


def _shade(cover: int, at: int, count: int) -> str:
    """Return one of several colours of a family: neighbours differ in lightness too."""
    low, high, lightness, saturation = _FAMILIES.get(cover, _FAMILIES[0])
    hue = low + (high - low) * (at + 0.5) / count
    lightness += (0.0, 0.12, -0.12)[at % 3]
    parts = colorsys.hls_to_rgb(hue % 360 / 360, min(max(lightness, 0.15), 0.85), saturation)
    return "#" + "".join(f"{round(255 * part):02X}" for part in parts)
