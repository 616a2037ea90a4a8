"""Graphs for SNAP: operators in their order, parameters the operators have, one run for each or one for all."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from snap_cases import DOUBLE, options

from s4c_lib.parameters import Layers, resolve
from s4c_lib.preprocessing.radar.snap_graphs import (
    Elevation,
    Placement,
    SlcSource,
    backscatter_of_grd,
    backscatter_of_slc,
    coherence_of,
)
from s4c_lib.preprocessing.radar.snap_settings import SnapOptions, gpt_arguments
from s4c_lib.preprocessing.radar.snap_steps import Chain, Node, graph_xml, steps_of

MAP = Path("map.tif")
HEIGHTS = Elevation(file=Path("heights.tif"))
PLACE = Placement(
    region="POLYGON ((0 0, 1 0, 1 1, 0 0))", spacing=20, outputs={32631: MAP}, origins={32631: (600000, 0)}
)


def slc(name: str = "current", orbit: str = "POE", **bursts: int) -> SlcSource:
    return SlcSource(
        manifest=Path(name) / "manifest.safe", bursts=bursts or {"IW1": 9, "IW2": 8, "IW3": 9}, orbit=orbit
    )


def backscatter(**changes: Any) -> Chain:
    values: dict[str, Any] = {"quantity": "sigma0", "remove_noise": True, **changes}
    return backscatter_of_slc(values.pop("source", slc()), "VV", HEIGHTS, PLACE, **values)


def grd(**changes: Any) -> Chain:
    values: dict[str, Any] = {"quantity": "sigma0", "remove_noise": True, "noisy_border": False, **changes}
    return backscatter_of_grd(
        Path("grd/manifest.safe"), values.pop("orbit", "POE"), "VH", HEIGHTS, values.pop("place", PLACE), **values
    )


def coherence(*, remove_geometric_phase: bool = True, elevation: Elevation = HEIGHTS, **bursts: int) -> Chain:
    return coherence_of(
        slc(), slc("previous", "RES", **bursts), "VV", elevation, PLACE, remove_geometric_phase=remove_geometric_phase
    )


def operators(chain: Chain) -> list[str]:
    return [node.operator for node in chain.nodes]


def node(chain: Chain, operator: str) -> Node:
    return next(node for node in chain.nodes if node.operator == operator)


def parameters(chain: Chain, operator: str) -> Mapping[str, str]:
    return dict(node(chain, operator).parameters)


@pytest.fixture(scope="module")
def double() -> ModuleType:
    """The double as a module, for its table of operators."""
    spec = importlib.util.spec_from_file_location("gpt_double", DOUBLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_backscatter_of_an_slc_needs_no_pair() -> None:
    chain = backscatter()
    assert "Back-Geocoding" not in operators(chain)
    assert operators(chain)[1:6] == [
        "TOPSAR-Split",
        "Apply-Orbit-File",
        "ThermalNoiseRemoval",
        "Calibration",
        "TOPSAR-Deburst",
    ]
    assert operators(chain)[16:] == ["TOPSAR-Merge", "Multilook", "Subset", "Terrain-Correction"]
    assert parameters(chain, "Multilook")["nRgLooks"] == "8"
    assert parameters(chain, "Multilook")["nAzLooks"] == "2"
    splits = [dict(item.parameters) for item in chain.nodes if item.operator == "TOPSAR-Split"]
    assert [(split["subswath"], split["firstBurstIndex"], split["lastBurstIndex"]) for split in splits] == [
        ("IW1", "1", "9"),
        ("IW2", "1", "8"),
        ("IW3", "1", "9"),
    ]


def test_noise_stays_where_it_is_not_to_be_removed() -> None:
    assert "ThermalNoiseRemoval" not in operators(backscatter(remove_noise=False))
    assert "ThermalNoiseRemoval" not in operators(grd(remove_noise=False))


@pytest.mark.parametrize(("quantity", "band"), [("sigma0", "Sigma"), ("amplitude", "Sigma"), ("gamma0", "Gamma")])
def test_calibration_makes_the_one_band_that_is_wanted(quantity: str, band: str) -> None:
    made = parameters(backscatter(quantity=quantity), "Calibration")
    bands = [name for name in ("Sigma", "Gamma", "Beta") if made[f"output{name}Band"] == "true"]
    assert bands == [band]
    assert made["outputImageInComplex"] == made["outputImageScaleInDb"] == "false"


def test_one_swath_is_not_merged() -> None:
    assert "TOPSAR-Merge" not in operators(backscatter(source=slc(IW2=9)))


def test_grd_is_averaged_to_the_cell_before_it_is_placed() -> None:
    assert operators(grd()) == [
        "Read",
        "Apply-Orbit-File",
        "ThermalNoiseRemoval",
        "Calibration",
        "Multilook",
        "Subset",
        "Terrain-Correction",
    ]
    assert parameters(grd(), "Multilook")["nRgLooks"] == "2"
    fine = Placement(region=PLACE.region, spacing=10, outputs=PLACE.outputs, origins={})
    assert "Multilook" not in operators(grd(place=fine))
    assert operators(grd(noisy_border=True))[2] == "Remove-GRD-Border-Noise"
    assert parameters(grd(speckle_filter="Lee"), "Speckle-Filter")["filter"] == "Lee"


def test_coherence_in_the_geometry_of_the_current_scene() -> None:
    chain = coherence()
    assert node(chain, "Back-Geocoding").sources == ("Orbit-IW1", "Orbit-IW1-Previous")
    assert [node for node in operators(chain) if node in ("Enhanced-Spectral-Diversity", "Calibration")] == []
    assert parameters(chain, "Back-Geocoding")["resamplingType"] == "BISINC_5_POINT_INTERPOLATION"
    estimate = parameters(chain, "Coherence")
    assert (estimate["cohWinRg"], estimate["cohWinAz"], estimate["squarePixel"]) == ("20", "5", "false")
    assert estimate["subtractFlatEarthPhase"] == estimate["subtractTopographicPhase"] == "true"
    parity = parameters(coherence(remove_geometric_phase=False), "Coherence")
    assert parity["subtractFlatEarthPhase"] == parity["subtractTopographicPhase"] == "false"
    orbits = [dict(item.parameters)["orbitType"] for item in chain.nodes if item.operator == "Apply-Orbit-File"]
    assert orbits[:2] == ["Sentinel Precise (Auto Download)", "Sentinel Restituted (Auto Download)"]


def test_coherence_uses_the_swaths_both_scenes_have() -> None:
    chain = coherence(IW1=9, IW3=9)
    assert [item.id for item in chain.nodes if item.operator == "Coherence"] == ["Coherence-IW1", "Coherence-IW3"]


@pytest.mark.parametrize(("orbit", "operator", "continues"), [("POE", True, "false"), ("ANN", False, "")])
def test_an_orbit_file_that_is_here_must_be_used(orbit: str, operator: bool, continues: str) -> None:
    chain = grd(orbit=orbit)
    assert ("Apply-Orbit-File" in operators(chain)) is operator
    if operator:
        assert parameters(chain, "Apply-Orbit-File")["continueOnFail"] == continues


def test_pixels_are_those_of_the_tile() -> None:
    placed = parameters(backscatter(), "Terrain-Correction")
    assert (placed["mapProjection"], placed["pixelSpacingInMeter"]) == ("EPSG:32631", "20.0")
    assert placed["alignToStandardGrid"] == "true"
    assert (placed["standardGridOriginX"], placed["standardGridOriginY"]) == ("600000.0", "0.0")
    scene = Placement(region=PLACE.region, spacing=20, outputs={3035: MAP}, origins={})
    assert parameters(grd(place=scene), "Terrain-Correction")["alignToStandardGrid"] == "false"


def test_heights_are_ours() -> None:
    """Height 0 is a height: land at sea level is not masked."""
    ours = parameters(backscatter(), "Terrain-Correction")
    assert (ours["externalDEMFile"], ours["externalDEMNoDataValue"]) == ("heights.tif", "-32768.0")
    assert (ours["externalDEMApplyEGM"], ours["nodataValueAtSea"]) == ("true", "false")


def test_one_run_for_each_operator_frees_what_nobody_reads_any_more() -> None:
    steps = steps_of(coherence(), Path("w"), "VV-0", joined=False)
    alive: set[Path] = set()
    most = 0
    for step in steps:
        assert sum(item.operator not in ("Read", "Write") for item in step.nodes) == 1
        for item in step.nodes:
            file = dict(item.parameters).get("file", "")
            if item.operator == "Read" and file.endswith(".dim"):
                assert Path(file) in alive
        alive |= set(step.writes)
        most = max(most, len(alive))
        assert set(step.frees) <= alive
        alive -= set(step.frees)
    assert alive == {MAP}
    assert most <= 5  # three coherences, and what the next swath is made of


def test_one_run_for_all() -> None:
    (step,) = steps_of(backscatter(), Path("w"), "VV-0", joined=True)
    assert (step.writes, step.frees) == ((MAP,), ())
    assert step.nodes[-1].operator == "Write"


@pytest.mark.parametrize(
    "chain",
    [backscatter(), backscatter(speckle_filter="Gamma Map"), grd(noisy_border=True), coherence()],
    ids=["slc", "filtered", "grd", "pair"],
)
@pytest.mark.parametrize("joined", [False, True])
def test_every_operator_and_parameter_is_one_snap_has(double: ModuleType, chain: Chain, joined: bool) -> None:
    for step in steps_of(chain, Path("w"), "x", joined=joined):
        root = ElementTree.fromstring(step.xml)
        ids = {item.get("id") for item in root.findall("node")}
        for item in root.findall("node"):
            known = double.OPERATORS[item.findtext("operator")].split()
            assert [element.tag for element in item.find("parameters") or () if element.tag not in known] == []
            assert {source.get("refid") for source in item.find("sources") or ()} <= ids


def test_graphs_are_the_same_every_time_and_escape_what_xml_needs() -> None:
    assert graph_xml(backscatter().nodes) == graph_xml(backscatter().nodes)
    odd = graph_xml([Node("a", "Read", (), (("file", "a & <b>"),))])
    assert ElementTree.fromstring(odd).findtext(".//file") == "a & <b>"


def test_command_line() -> None:
    words = gpt_arguments(Path("g.xml"), options(tile_cache_mb=512, threads=2, min_memory_mb=6000), Path("o"))
    assert words[2:7] == ("-c", "512M", "-q", "2", "g.xml")
    assert "-J-Xmx6000M" in words
    assert "-J-DOrbitFiles.sentinel1POEOrbitPath=o/POEORB" in words


def test_options_of_the_parameters() -> None:
    given = {"processor.l2s1.gpt.tile.cache.size": 300, "processor.l2s1.pixel.spacing": 10}
    made = SnapOptions.of(resolve(Layers(global_=given), phase="current").values)
    assert (made.tile_cache_mb, made.threads, made.pixel_spacing) == (300, 8, 10)
    assert (made.join_backscatter, made.projection, made.min_disk_mb) == (False, "tile_utm", 40_960)
    assert (made.quantity, made.remove_noise, made.remove_geometric_phase) == ("sigma0", True, True)
    assert made.faults() == ()
    parity = SnapOptions.of(resolve(Layers(season={"profile": "reference"}), phase="current").values)
    assert (parity.quantity, parity.remove_noise, parity.remove_geometric_phase) == ("amplitude", False, False)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rtc": "on"}, "flattening"),
        ({"speckle_filter": "kuan"}, "kuan"),
        ({"pixel_spacing": 25}, "25 m"),
        ({"quantity": "beta0"}, "beta0"),
        ({"polarisations": ("HH",)}, "HH"),
        ({"polarisations": ()}, "none"),
        ({"projection": "EPSG:4326"}, "EPSG:4326"),
        ({"tile_cache_mb": 8000}, "does not fit"),
        ({"threads": 0}, "above zero"),
    ],
)
def test_what_snap_cannot_do_is_said_before(changes: dict[str, Any], text: str) -> None:
    (fault,) = options(**changes).faults()
    assert text in fault


GOOD = '<node id="r"><operator>Read</operator><sources/><parameters><file>x/manifest.safe</file></parameters></node>'


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ('<node id="a"><operator>Sharpen</operator><sources/><parameters/></node>', "No operator with .*'Sharpen'"),
        (GOOD.replace("file>", "fil>"), "Unknown element 'fil'"),
        ('<node id="a"><operator>Multilook</operator><sources><sourceProduct refid="b"/></sources><parameters/></node>',
         "Missing source. Node id: b"),
        (GOOD, "does not exist"),
        (GOOD + GOOD, "Duplicate node id"),
    ],
)  # fmt: skip
def test_the_double_refuses_as_snap_does(tmp_path: Path, nodes: str, text: str) -> None:
    graph = tmp_path / "g.xml"
    graph.write_text(f'<graph id="g"><version>1.0</version>{nodes}</graph>')
    environment = {**os.environ, "GPT_DOUBLE_CALLS": str(tmp_path / "calls.txt")}
    ended = subprocess.run(
        [sys.executable, str(DOUBLE), str(graph), "-c", "256M", "-q", "2"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: ")
    assert re.search(text, ended.stderr), ended.stderr


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["-h"], 0, "Usage"),
        (["g.xml", "--fast"], 1, "Unknown option"),
        (["g.xml", "-J-Xfast"], 1, "Unrecognized option"),
        (["-c", "lots", "g.xml"], 1, "Invalid value"),
    ],
)
def test_the_double_knows_the_command_line(words: list[str], code: int, text: str) -> None:
    ended = subprocess.run([sys.executable, str(DOUBLE), *words], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert text in ended.stdout + ended.stderr
