"""The window as an image: natural colour, radar, clouds and their classification, and the map of crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from s4c_lib.chart_style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW, new_figure
from s4c_lib.synthetic.crops import CROPS, Cover
from s4c_lib.synthetic.optical.scene import OpticalScene
from s4c_lib.synthetic.optical.scene_classes import SceneClass
from s4c_lib.synthetic.passes import RadarPass
from s4c_lib.synthetic.pictures.observations import Floats, Gallery, decibels
from s4c_lib.synthetic.radar_view import radar_scene
from s4c_lib.synthetic.world import World, previous_pass

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from shapely.geometry.base import BaseGeometry

Bytes = npt.NDArray[np.uint8]

# Reflectance shown white, and the exponent that lifts the dark: fields lie between 0.02 and 0.25.
_WHITE, _LIFT = 0.28, 0.8
# Colour and hatching of each crop, in the order of `CROPS`: grasslands alike, arable crops apart.
_CROP_LOOKS: Final[tuple[tuple[str, str], ...]] = (
    ("#B7DFA8", ""), ("#B7DFA8", "///"), ("#DDEBC8", ""), ("#DDEBC8", "///"), (YELLOW, ""), (ORANGE, ""),
    (ORANGE, "///"), (ORANGE, "..."), (PURPLE, ""), (VERMILION, ""), (VERMILION, "///"), (SKY, "///"),
    (YELLOW, "///"), (BLUE, "///"), (BLUE, ""), (GREEN, "///"), ("#FFFFFF", "..."), (GREEN, ""),
)  # fmt: skip
_COVER_LOOKS: Final = {
    Cover.FOREST: "#8A9A8A", Cover.BUILT_UP: "#B8B0B0", Cover.WATER: "#5F7F9F", Cover.MARGIN: "#E4E4E0",
}  # fmt: skip
# ESA's colours of the scene classification.
_CLASS_COLORS: Final = {
    SceneClass.DARK: ("#2F2F2F", "dark"),
    SceneClass.SHADOW: ("#643200", "shadow"),
    SceneClass.VEGETATION: ("#00A000", "vegetation"),
    SceneClass.BARE: ("#FFE65A", "bare"),
    SceneClass.WATER: ("#0000FF", "water"),
    SceneClass.UNCLASSIFIED: ("#808080", "unclassified"),
    SceneClass.CLOUD_MEDIUM: ("#C0C0C0", "cloud, medium"),
    SceneClass.CLOUD_HIGH: ("#FFFFFF", "cloud, high"),
    SceneClass.CIRRUS: ("#64C8FF", "cirrus"),
}
_TRUTH_COLORS: Final = (("#00A000", "clear"), ("#643200", "shadow"), ("#FFFFFF", "cloud"))


def natural_color(scene: OpticalScene) -> Bytes:
    """Red, green and blue as the eye would see them, uint8 (rows, columns, 3)."""
    light = np.stack([scene.bands[name] for name in ("B04", "B03", "B02")], axis=-1)
    return np.asarray(np.rint(255 * np.clip(light / _WHITE, 0, 1) ** _LIFT), dtype=np.uint8)


def month_picture(world: World, number: int, scene: OpticalScene) -> Figure:
    """Natural colour of one date, pixel by pixel."""
    flight = world.optical[number]
    rows, columns = scene.grid.shape
    figure = new_figure(6.0, 6.4)
    axes = figure.subplots()
    axes.imshow(natural_color(scene), interpolation="nearest" if max(rows, columns) < 560 else "antialiased")
    hidden = float((scene.true_cloud | scene.true_shadow).mean())
    axes.set_title(
        f"{flight.platform} {flight.start:%d %B %Y}, R{flight.relative_orbit:03d}\n"
        f"natural colour, {hidden:.0%} under cloud or shadow",
        fontsize=11,
    )
    axes.set_axis_off()
    return figure


def backscatter_sheet(world: World, flights: list[RadarPass]) -> Figure:
    """VV of some passes beside each other."""
    images = [decibels(radar_scene(world, flight, None).backscatter[..., 0]) for flight in flights]
    return _sheet(flights, images, "Backscatter VV, dB, pixels of 20 m with speckle", (-18.0, -4.0))


def coherence_sheet(world: World, flights: list[RadarPass]) -> Figure:
    """Coherence VV of the same passes, each of which has one before."""
    scenes = [radar_scene(world, flight, previous_pass(world.radar, flight)) for flight in flights]
    images = [scene.coherence[..., 0] for scene in scenes if scene.coherence is not None]
    return _sheet(flights, images, "Coherence VV with the pass before, as estimated", (0.0, 0.9))


def paired_flights(world: World, gallery: Gallery, most: int = 4) -> list[RadarPass]:
    """Passes with one before, nearest to the clearest dates of months spread over the season."""
    paired = [flight for flight in world.radar if previous_pass(world.radar, flight) is not None]
    months = sorted(gallery.clearest)
    if not paired or not months:
        return []
    steps = {round((place + 0.5) * len(months) / most - 0.5) for place in range(most)}
    centres = [world.optical[gallery.clearest[months[step]][0]].start for step in steps]
    return sorted({min(paired, key=lambda flight: (abs(flight.start - centre), flight)) for centre in centres})


def classification_picture(world: World, number: int, scene: OpticalScene) -> Figure:
    """A cloudy date: as it looks, as it is, and as the classification says."""
    flight = world.optical[number]
    figure = new_figure(12.0, 5.5)
    left, middle, right = figure.subplots(1, 3)
    figure.suptitle(
        f"Clouds of {flight.platform} {flight.start:%d %B %Y} and what the classification makes of them", fontsize=13
    )
    left.imshow(natural_color(scene))
    left.set_title("natural colour", fontsize=10)
    truth = np.where(scene.true_cloud, 2, np.where(scene.true_shadow, 1, 0))
    _classes(middle, truth, dict(enumerate(_TRUTH_COLORS)))
    middle.set_title(f"truth: {scene.true_cloud.mean():.0%} cloud, {scene.true_shadow.mean():.0%} shadow", fontsize=10)
    _classes(right, scene.scene_class, {int(code): look for code, look in _CLASS_COLORS.items()})
    cloud = scene.true_cloud[::2, ::2]
    found = np.isin(
        scene.scene_class, [SceneClass.UNCLASSIFIED, *range(SceneClass.CLOUD_MEDIUM, SceneClass.CIRRUS + 1)]
    )
    missed = float((cloud & ~found).sum() / max(int(cloud.sum()), 1))
    right.set_title(f"SCL: {missed:.0%} of the cloud missed", fontsize=10)
    for axes in (left, middle, right):
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def parcel_map(world: World) -> Figure:
    """Parcels by what really grows there; wrong declarations have a thick outline."""
    from matplotlib.patches import Patch

    figure = new_figure(10.4, 7.4)
    axes = figure.subplots()
    west, south, east, north = world.window.grid.bounds
    axes.set_facecolor(_COVER_LOOKS[Cover.MARGIN])
    for cover, shape in world.landscape.covers:
        _fill(axes, shape, _COVER_LOOKS[cover], "", None)
    traits = world.landscape.traits
    for position, shape in enumerate(world.landscape.shapes):
        color, hatch = _CROP_LOOKS[int(traits.crop[position])]
        wrong = traits.crop[position] != traits.declared[position]
        _fill(axes, shape, color, hatch, BLACK if wrong else GREY, 2.0 if wrong else 0.3)
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    counts = np.bincount(traits.crop, minlength=len(CROPS))
    handles = [
        Patch(facecolor=color, hatch=hatch, edgecolor=GREY, label=f"{crop.english} ({crop.code}): {counts[index]}")
        for index, (crop, (color, hatch)) in enumerate(zip(CROPS, _CROP_LOOKS, strict=True))
        if counts[index]
    ]
    handles += [Patch(facecolor=color, label=cover.value.replace("_", " ")) for cover, color in _COVER_LOOKS.items()]
    handles.append(Patch(facecolor="white", edgecolor=BLACK, linewidth=2, label="declared as another crop"))
    figure.legend(handles=handles, loc="outside right upper", fontsize=8.5, frameon=False, handlelength=2.4)
    axes.set_title(
        f"{len(traits)} parcels by true crop, {world.options.year}; window {(east - west) / 1000:.1f} km wide, "
        f"EPSG:{world.window.grid.epsg}",
        fontsize=11,
    )
    return figure


def _sheet(flights: list[RadarPass], images: list[Floats], title: str, limits: tuple[float, float]) -> Figure:
    figure = new_figure(2.8 * len(images) + 0.7, 3.5)
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    figure.suptitle(title, fontsize=12)
    for axes, flight, image in zip(panels, flights, images, strict=True):
        shown = axes.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], interpolation="nearest")
        axes.set_title(f"{flight.platform} {flight.start:%d %b}, {flight.direction}", fontsize=9)
        axes.set_axis_off()
    figure.colorbar(shown, ax=list(panels), shrink=0.8, fraction=0.03, pad=0.01)
    return figure


def _classes(axes: Axes, codes: npt.NDArray[np.integer], looks: dict[int, tuple[str, str]]) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    image = np.zeros((*codes.shape, 3))
    present = [code for code in looks if (codes == code).any()]
    for code in present:
        image[codes == code] = to_rgb(looks[code][0])
    axes.imshow(image, interpolation="nearest")
    handles = [Patch(facecolor=looks[code][0], edgecolor=GREY, label=looks[code][1]) for code in present]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01), fontsize=8, ncols=3, frameon=False)


def _fill(axes: Axes, shape: BaseGeometry, color: str, hatch: str, edge: str | None, width: float = 0.0) -> None:
    import shapely
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for part in shapely.get_parts(shape):
        if shapely.get_type_id(part) != shapely.GeometryType.POLYGON:
            continue
        rings = [part.exterior, *part.interiors]
        outline = Path.make_compound_path(*(Path(np.asarray(ring.coords)[:, :2], closed=True) for ring in rings))
        axes.add_patch(
            PathPatch(outline, facecolor=color, hatch=hatch or None, edgecolor=edge or "none", linewidth=width)
        )
