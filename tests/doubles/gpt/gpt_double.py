"""A stand-in for SNAP's ``gpt``: takes its command line, checks the graph as SNAP would, writes small products.

It knows nothing of the system under test. Pixels of a map encode where they lie: ``VALUE`` of longitude and latitude
within the scene's footprint, 0 outside. ``GPT_DOUBLE`` chooses how it behaves (``BEHAVIOURS``; ``name@Operator`` only
when that operator is in the graph), each call is noted in ``GPT_DOUBLE_CALLS``, one JSON object a line.
"""

import json
import math
import os
import re
import signal
import struct
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

BEHAVIOURS = {
    "": "good products",
    "heap": "exit code 1, the Java heap is full",
    "databuffer": "exit code 1, no memory for an image tile",
    "orbit": "exit code 1, no orbit file",
    "disk": "exit code 1, no space left on the device",
    "dem": "exit code 1, no elevation",
    "unreadable": "exit code 1, the product cannot be read",
    "silent": "exit code 1 without a word",
    "memory": "killed by signal 9",
    "hang": "starts a child and never ends",
    "partial": "exit code 0, the last output without its pixels",
    "none": "exit code 0 and no output",
    "severe": "exit code 0, SEVERE with a full heap in the log",
    "complains": "exit code 0, SEVERE of something harmless in the log",
    "zero": "maps of nothing but no data",
    "half_pixel": "maps that lie half a pixel off the grid asked for",
}
DEM = "demName demResamplingMethod externalDEMFile externalDEMNoDataValue"
OPERATORS = {
    "Read": "file formatName useAdvancedOptions copyMetadata bandNames maskNames pixelRegion geometryRegion",
    "Write": "file formatName deleteOutputOnFailure writeEntireTileRows clearCacheAfterRowWrite",
    "Apply-Orbit-File": "orbitType polyDegree continueOnFail",
    "ThermalNoiseRemoval": "selectedPolarisations removeThermalNoise reIntroduceThermalNoise outputNoise",
    "Remove-GRD-Border-Noise": "selectedPolarisations borderLimit trimThreshold",
    "Calibration": "sourceBands auxFile externalAuxFile outputImageInComplex outputImageScaleInDb createGammaBand "
    "createBetaBand selectedPolarisations outputSigmaBand outputGammaBand outputBetaBand",
    "TOPSAR-Split": "subswath selectedPolarisations firstBurstIndex lastBurstIndex wktAoi",
    "Back-Geocoding": f"{DEM} resamplingType maskOutAreaWithoutElevation outputRangeAzimuthOffset "
    "outputDerampDemodPhase disableReramp",
    "Coherence": "cohWinAz cohWinRg subtractFlatEarthPhase srpPolynomialDegree srpNumberPoints orbitDegree squarePixel "
    "subtractTopographicPhase demName externalDEMFile externalDEMNoDataValue externalDEMApplyEGM tileExtensionPercent "
    "singleMaster",
    "TOPSAR-Deburst": "selectedPolarisations",
    "TOPSAR-Merge": "selectedPolarisations",
    "Multilook": "sourceBands nRgLooks nAzLooks outputIntensity grSquarePixel",
    "Speckle-Filter": "sourceBands filter filterSizeX filterSizeY dampingFactor estimateENL enl numLooksStr windowSize "
    "targetWindowSizeStr sigmaStr anSize",
    "Subset": "sourceBands bandNames region referenceBand geoRegion subSamplingX subSamplingY fullSwath "
    "tiePointGrids tiePointGridNames copyMetadata vectorFile polygonRegion",
    "BandSelect": "selectedPolarisations sourceBands bandNamePattern",
    "Terrain-Correction": f"sourceBands {DEM} externalDEMApplyEGM imgResamplingMethod pixelSpacingInMeter "
    "pixelSpacingInDegree mapProjection alignToStandardGrid standardGridOriginX standardGridOriginY nodataValueAtSea "
    "saveDEM saveLatLon saveIncidenceAngleFromEllipsoid saveLocalIncidenceAngle saveProjectedLocalIncidenceAngle "
    "saveSelectedSourceBand saveLayoverShadowMask outputComplex applyRadiometricNormalization saveSigmaNought "
    "saveGammaNought saveBetaNought incidenceAngleForSigma0 incidenceAngleForGamma0 auxFile externalAuxFile",
}  # fmt: skip
FORMATS = ("BEAM-DIMAP", "GeoTIFF", "GeoTIFF-BigTIFF")
RESAMPLINGS = (
    "NEAREST_NEIGHBOUR", "BILINEAR_INTERPOLATION", "CUBIC_CONVOLUTION", "BICUBIC_INTERPOLATION",
    "BISINC_5_POINT_INTERPOLATION", "BISINC_11_POINT_INTERPOLATION", "BISINC_21_POINT_INTERPOLATION",
)  # fmt: skip
ORBITS = ("Sentinel Precise (Auto Download)", "Sentinel Restituted (Auto Download)")
FILTERS = ("None", "Boxcar", "Median", "Frost", "Gamma Map", "Lee", "Refined Lee", "Lee Sigma", "IDAN")
EXTERNAL = "External DEM"


def value_at(longitude, latitude):
    """What a pixel of a map holds: within the range of coherence and of sigma nought."""
    return 0.2 + 0.01 * (longitude % 10) + 0.02 * (latitude % 10)


class RefusedError(Exception):
    pass


def refuse(node, text):
    raise RefusedError(f"[NodeId: {node}] {text}" if node else text)


def arguments(words):
    """Options of the command line by name, the graph, and the definitions of -P, -S, -J, -D."""
    options, given, defined = {}, [], {"P": {}, "S": {}, "J": [], "D": []}
    words = list(words)
    while words:
        word = words.pop(0)
        if word in ("-h", "-e", "-x", "--diag"):
            options[word] = ""
        elif word in ("-c", "-q", "-t", "-f", "-p"):
            if not words:
                refuse("", f"Missing argument for option {word}")
            options[word] = words.pop(0)
        elif word[:2] in ("-P", "-S") and "=" in word:
            name, _, value = word[2:].partition("=")
            defined[word[1]][name] = value
        elif word[:2] in ("-J", "-D"):
            defined[word[1]].append(word[2:])
        elif word.startswith("-"):
            refuse("", f"Unknown option '{word}'")
        else:
            given.append(word)
    if not re.fullmatch(r"-?\d+[KMG]?", options.get("-c", "1G")) or not options.get("-q", "1").isdigit():
        refuse("", "Invalid value for option -c or -q")
    for java in defined["J"]:
        if not re.fullmatch(r"-Xm[xs]\d+[kmgKMG]|-D[\w.]+=.*", java):
            print(f"Unrecognized option: {java}\nError: Could not create the Java Virtual Machine.", file=sys.stderr)
            sys.exit(1)
    if len(given) != 1:
        refuse("", f"One graph file or operator is wanted, got {given}")
    return Path(given[0]), options, defined


def nodes_of(path, defined):
    """Nodes by id, checked: operators, parameters, and that all sources exist."""
    text = path.read_text()
    for name, value in {**defined["P"], **defined["S"]}.items():
        text = text.replace("${" + name + "}", value)
    root = ElementTree.fromstring(text)
    if root.tag != "graph" or root.findtext("version") != "1.0":
        refuse("", f"{path} is no graph of version 1.0")
    nodes = {}
    for element in root.findall("node"):
        key, operator = element.get("id"), element.findtext("operator")
        if key in nodes:
            refuse(key, "Duplicate node id")
        if operator not in OPERATORS:
            refuse(key, f"No operator with the alias or class name '{operator}' found")
        sources = []
        for number, source in enumerate(element.find("sources")):
            if source.tag != "sourceProduct" + (f".{number}" if number else "") or not source.get("refid"):
                refuse(key, f"Unknown element '{source.tag}'")
            sources.append(source.get("refid"))
        values = {item.tag: (item.text or "").strip() for item in element.find("parameters")}
        for name in values:
            if name not in OPERATORS[operator].split():
                refuse(key, f"com.bc.ceres.binding.ConversionException: Unknown element '{name}'")
        check_values(key, values)
        nodes[key] = (operator, sources, values)
    for key, (_, sources, _) in nodes.items():
        for source in sources:
            if source not in nodes:
                refuse(key, f"Missing source. Node id: {source}")
    return nodes


def check_values(key, values):
    for name, value in values.items():
        choices = (
            RESAMPLINGS if name in ("demResamplingMethod", "imgResamplingMethod", "resamplingType")
            else ORBITS if name == "orbitType"
            else FILTERS if name == "filter"
            else ("IW1", "IW2", "IW3") if name == "subswath"
            else None
        )  # fmt: skip
        if choices is not None and value not in choices:
            refuse(key, f"com.bc.ceres.binding.ValidationException: Value for '{name}' is invalid: '{value}'")


class Product:
    """What an operator hands on: what was done to it, and where it lies."""

    def __init__(self, facts):
        self.facts = facts

    def but(self, **changes):
        done = [*self.facts["done"], *([changes.pop("did")] if "did" in changes else [])]
        return Product({**self.facts, **changes, "done": done})

    def __getitem__(self, name):
        return self.facts[name]


def read_product(key, values):
    path = Path(values["file"])
    if not path.is_file():
        refuse(key, f"Specified 'file' [{path}] does not exist.")
    if path.suffix == ".dim":
        held = ElementTree.parse(path).findtext("Dataset_Sources")
        if not list(path.with_suffix(".data").glob("*.img")):
            refuse(key, f"Cannot construct DataBuffer: no image in {path.with_suffix('.data')}")
        return Product(json.loads(held))
    if path.name != "manifest.safe":
        refuse(key, f"No product reader found for file '{path}'")
    root = ElementTree.parse(path).getroot()
    ring = next(item.text for item in root.iter() if item.tag.endswith("}coordinates"))
    corners = [tuple(map(float, pair.split(",")))[::-1] for pair in ring.split()]
    bursts = {}
    for file in sorted((path.parent / "annotation").glob("*.xml")):
        document = ElementTree.parse(file)
        swath, polarisation = document.findtext(".//swath"), document.findtext(".//polarisation")
        image = path.parent / "measurement" / f"{file.stem}.tiff"
        if image.stat().st_size == 0:
            refuse(key, f"I/O error reading {image}")
        count = document.find(".//burstList")
        bursts[f"{swath} {polarisation}"] = 0 if count is None else int(count.get("count"))
    kind = "SLC" if "_SLC_" in path.parent.name else "GRD"
    stop = re.search(r"_(\d{8})T", path.parent.name)[1]
    return Product({"kind": kind, "corners": corners, "regions": [], "bursts": bursts, "date": stop, "done": ["Read"],
                    "platform": path.parent.name[:3], "swaths": [], "bands": []})  # fmt: skip


def wants(key, product, *, done=(), undone=(), kind=None):
    if kind is not None and product["kind"] != kind:
        refuse(key, f"Source product should be a {kind} product")
    for operator in done:
        if operator not in product["done"]:
            refuse(key, f"Source product should first be processed by {operator}")
    for operator in undone:
        if operator in product["done"]:
            refuse(key, f"{operator} has been applied to the source product already")


def polarisation_of(key, product, values):
    wanted = values.get("selectedPolarisations", "")
    if not any(name.endswith(wanted) for name in product["bursts"]):
        refuse(key, f"Polarisation {wanted} is not in the source product")
    return wanted


def check_elevation(key, values, *, product=None):
    if values.get("demName") != EXTERNAL:
        refuse(key, f"Unable to fetch {values.get('demName')}: step.esa.int: unknown host")
    file = Path(values.get("externalDEMFile", ""))
    if not file.is_file():
        refuse(key, f"externalDEMFile {file} does not exist")
    if product is None:
        return
    west, south, east, north, code, nodata = tiff_place(file)
    if float(values["externalDEMNoDataValue"]) != nodata:
        refuse(key, "externalDEMFile: the no-data value is not that of the file")
    if code != 4326:
        from pyproj import Transformer

        back = Transformer.from_crs(code, 4326, always_xy=True)
        west, south, east, north = back.transform_bounds(west, south, east, north)
    x = [corner[0] for corner in product["regions"][-1]]
    y = [corner[1] for corner in product["regions"][-1]]
    if min(x) < west - 0.01 or max(x) > east + 0.01 or min(y) < south - 0.01 or max(y) > north + 0.01:
        refuse(key, "no valid output was produced. Please verify the DEM")


def check_orbit(key, product, values, defined):
    kind = "POE" if "Precise" in values["orbitType"] else "RES"
    prefix = f"-DOrbitFiles.sentinel1{kind}OrbitPath="
    folder = next((Path(word[len(prefix) :]) for word in defined["J"] if word.startswith(prefix)), None)
    date = product["date"]
    place = folder / product["platform"] / date[:4] / date[4:6] if folder is not None else None
    if place is not None and any(file.stat().st_size for file in place.glob("*.EOF")):
        return
    if values.get("continueOnFail") != "true":
        refuse(key, f"No valid orbit file found for {date}")
    print(f"WARNING: no orbit file for {date}, the one of the product is kept")


def apply(key, operator, sources, values, defined):
    """Product of one operator."""
    product = sources[0] if sources else None
    if operator == "Read":
        return read_product(key, values)
    if operator == "Apply-Orbit-File":
        check_orbit(key, product, values, defined)
        return product.but(did=operator)
    if operator == "TOPSAR-Split":
        wants(key, product, kind="SLC", undone=(operator, "TOPSAR-Deburst"))
        name = f"{values['subswath']} {polarisation_of(key, product, values)}"
        if name not in product["bursts"]:
            refuse(key, f"{name} is not in the source product")
        if not 1 <= int(values["firstBurstIndex"]) <= int(values["lastBurstIndex"]) <= product["bursts"][name]:
            refuse(
                key, f"bursts {values['firstBurstIndex']} to {values['lastBurstIndex']} of {product['bursts'][name]}"
            )
        return product.but(did=operator, swaths=[values["subswath"]], bands=[f"i_{name}", f"q_{name}"])
    if operator in ("ThermalNoiseRemoval", "Remove-GRD-Border-Noise"):
        polarisation_of(key, product, values)
        wants(key, product, undone=("Calibration", "TOPSAR-Deburst", "Multilook"))
        if operator == "Remove-GRD-Border-Noise":
            wants(key, product, kind="GRD")
        return product.but(did=operator)
    if operator == "Calibration":
        name = polarisation_of(key, product, values)
        wants(key, product, undone=(operator,))
        kinds = {"outputSigmaBand": "Sigma0", "outputGammaBand": "Gamma0", "outputBetaBand": "Beta0"}
        bands = [f"{band}_{name}" for option, band in kinds.items() if values.get(option) == "true"]
        return product.but(did=operator, bands=bands)
    if operator == "Back-Geocoding":
        if len(sources) < 2:
            refuse(key, "Please select two or more source products")
        for source in sources:
            wants(key, source, done=("TOPSAR-Split",), undone=("TOPSAR-Deburst",))
        if len({tuple(source["swaths"]) for source in sources}) > 1:
            refuse(key, "Same sub-swath is expected")
        check_elevation(key, values)
        dates = [source["date"] for source in sources]
        return product.but(did=operator, dates=dates, other=sources[1]["corners"])
    if operator == "Coherence":
        wants(key, product, done=("Back-Geocoding",), undone=("TOPSAR-Deburst",))
        if values.get("subtractTopographicPhase") == "true":
            check_elevation(key, values)
        return product.but(did=operator, bands=["coh_" + "_".join(product["dates"])])
    if operator == "TOPSAR-Deburst":
        wants(key, product, done=("TOPSAR-Split",), undone=(operator,))
        polarisation_of(key, product, values)
        return product.but(did=operator)
    if operator == "TOPSAR-Merge":
        for source in sources:
            wants(key, source, done=("TOPSAR-Deburst",))
        swaths = [swath for source in sources for swath in source["swaths"]]
        if len(sources) < 2 or len(set(swaths)) < len(swaths):
            refuse(key, "Please select two or more different sub-swaths")
        return product.but(did=operator, swaths=sorted(swaths))
    if operator in ("Multilook", "Speckle-Filter"):
        wants(key, product, done=("TOPSAR-Deburst",) if product["kind"] == "SLC" else ())
        return product.but(did=operator)
    if operator == "Subset":
        region = [tuple(map(float, pair.split())) for pair in re.findall(r"[-\d.e]+ [-\d.e]+", values["geoRegion"])]
        return product.but(did=operator, regions=[*product["regions"], region])
    if operator == "BandSelect":
        return product.but(did=operator)
    wants(key, product, done=("TOPSAR-Deburst",) if product["kind"] == "SLC" else (), undone=(operator,))
    if not product["bands"]:
        refuse(key, "Source product has no band")
    check_elevation(key, values, product=product if product["regions"] else None)
    keep = ("pixelSpacingInMeter", "mapProjection", "alignToStandardGrid", "standardGridOriginX", "standardGridOriginY")
    return product.but(did=operator, map={name: values[name] for name in keep if name in values})


def write_dim(path, product, behaviour):
    bands = product["bands"] or ["Intensity"]
    listed = "".join(f"<Spectral_Band_Info><BAND_NAME>{band}</BAND_NAME></Spectral_Band_Info>" for band in bands)
    data = path.with_suffix(".data")
    data.mkdir(exist_ok=True)
    for band in bands:
        if behaviour != "partial":
            (data / f"{band.replace(' ', '_')}.img").write_bytes(struct.pack(">64f", *[0.5] * 64))
            (data / f"{band.replace(' ', '_')}.hdr").write_text("ENVI\nsamples = 8\nlines = 8\nbands = 1\n")
    path.write_text(
        f"<Dimap_Document><Image_Interpretation>{listed}</Image_Interpretation>"
        f"<Dataset_Sources>{json.dumps(product.facts)}</Dataset_Sources></Dimap_Document>"
    )


def inside(polygon, x, y):
    """Whether places lie in a convex polygon."""
    sides = [
        (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True)
        if (x0, y0) != (x1, y1)
    ]
    left = right = True
    for side in sides:
        left, right = left & (side >= 0), right & (side <= 0)
    return left | right


def write_map(path, product, behaviour):
    import numpy
    from pyproj import Transformer

    shapes = [product["corners"], *product["regions"], *([product["other"]] if "other" in product.facts else [])]
    west, south = (max(min(corner[axis] for corner in shape) for shape in shapes) for axis in (0, 1))
    east, north = (min(max(corner[axis] for corner in shape) for shape in shapes) for axis in (0, 1))
    if west >= east or south >= north:
        refuse("Subset", "No intersection with source product boundary")
    layout, pixel = product["map"], float(product["map"]["pixelSpacingInMeter"])
    forth = Transformer.from_crs("EPSG:4326", layout["mapProjection"], always_xy=True)
    west, south, east, north = forth.transform_bounds(west, south, east, north)
    if layout["alignToStandardGrid"] == "true":
        x, y = float(layout["standardGridOriginX"]), float(layout["standardGridOriginY"])
        west = x + math.floor((west - x) / pixel) * pixel
        north = y + math.ceil((north - y) / pixel) * pixel
    if behaviour == "half_pixel":
        west, north = west - pixel / 2, north + pixel / 2
    columns, rows = math.ceil((east - west) / pixel), math.ceil((north - south) / pixel)
    across, down = numpy.meshgrid(
        west + (numpy.arange(columns) + 0.5) * pixel, north - (numpy.arange(rows) + 0.5) * pixel
    )
    longitude, latitude = forth.transform(across, down, direction="INVERSE")
    covered = numpy.logical_and.reduce([inside(shape, longitude, latitude) for shape in shapes])
    values = numpy.where(covered, value_at(longitude, latitude), 0).astype("<f4")
    values *= behaviour != "zero"
    code = int(layout["mapProjection"].removeprefix("EPSG:"))
    path.write_bytes(tiff(values.tobytes(), columns, rows, (west, north, pixel), code))


def tiff(pixels, columns, rows, place, code):
    """A GeoTIFF of one float32 band in one strip, 0 as no data."""
    west, north, pixel = place
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, code)
    tags = [
        (256, "I", (columns,)), (257, "I", (rows,)), (258, "H", (32,)), (259, "H", (1,)), (262, "H", (1,)),
        (273, "I", (8,)), (277, "H", (1,)), (278, "I", (rows,)), (279, "I", (len(pixels),)), (339, "H", (3,)),
        (33550, "d", (pixel, pixel, 0)), (33922, "d", (0, 0, 0, west, north, 0)), (34735, "H", keys),
        (42113, "s", b"0\0"),
    ]  # fmt: skip
    kinds = {"H": 3, "I": 4, "d": 12, "s": 2}
    directory, aside, start = b"", b"", 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for number, kind, values in tags:
        packed = values if kind == "s" else struct.pack(f"<{len(values)}{kind}", *values)
        if len(packed) > 4:
            held, packed = packed, struct.pack("<I", start + len(aside))
            aside += held
        directory += struct.pack("<HHI", number, kinds[kind], len(values)) + packed.ljust(4, b"\0")
    end = struct.pack("<H", len(tags)) + directory + struct.pack("<I", 0) + aside
    return struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + end


def tiff_place(path):
    """West, south, east, north, EPSG code and no-data value of a GeoTIFF."""
    content = path.read_bytes()
    _, magic, at = struct.unpack_from("<2sHI", content)
    if magic != 42:
        refuse("", f"{path} is no TIFF")
    found = {}
    for number in range(struct.unpack_from("<H", content, at)[0]):
        tag, kind, count, value = struct.unpack_from("<HHII", content, at + 2 + 12 * number)
        letter, size = {2: ("s", 1), 3: ("H", 2), 4: ("I", 4), 12: ("d", 8)}.get(kind, ("B", 1))
        place = value if size * count > 4 else at + 2 + 12 * number + 8
        found[tag] = struct.unpack_from(f"<{count}{letter}", content, place)
    dx, dy, west, north = *found[33550][:2], *found[33922][3:5]
    keys = found[34735]
    codes = {keys[place]: keys[place + 3] for place in range(4, len(keys), 4)}
    nodata = float(found[42113][0].rstrip(b"\0"))
    east, south = west + dx * found[256][0], north - dy * found[257][0]
    return west, south, east, north, codes.get(3072) or codes[2048], nodata


def run(nodes, defined, behaviour):
    """Carry the graph out in the order its nodes need each other."""
    made, waiting = {}, dict(nodes)
    while waiting:
        ready = [key for key, (_, sources, _) in waiting.items() if all(source in made for source in sources)]
        if not ready:
            refuse(next(iter(waiting)), "The graph has a cycle")
        for key in ready:
            operator, sources, values = waiting.pop(key)
            if operator != "Write":
                made[key] = apply(key, operator, [made[source] for source in sources], values, defined)
                continue
            path, product = Path(values["file"]), made[sources[0]]
            if values.get("formatName") not in FORMATS:
                refuse(key, f"Unknown format '{values.get('formatName')}'")
            made[key] = product
            if behaviour == "none":
                continue
            if values["formatName"] == "BEAM-DIMAP":
                write_dim(path, product, behaviour)
            elif "map" in product.facts:
                write_map(path, product, behaviour)
            else:
                refuse(key, "GeoTIFF of a product without map projection")


def end_at_once(behaviour):
    said = {
        "heap": "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space",
        "databuffer": "Error: Cannot construct DataBuffer.",
        "orbit": "Error: [NodeId: Orbit] No valid orbit file found for 04-JAN-2022 16:54:51.328453",
        "disk": "Error: [NodeId: Write] No space left on device",
        "dem": "Error: [NodeId: Map] no valid output was produced. Please verify the DEM",
        "unreadable": "Error: [NodeId: Read] No product reader found for file",
        "silent": "",
    }  # fmt: skip
    if behaviour in said:
        print("INFO: org.esa.snap.core.gpf.operators.tooladapter.ToolAdapterIO: Initializing external tool adapters")
        print(said[behaviour], file=sys.stderr, flush=True)
        sys.exit(1)
    if behaviour == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "hang":
        child = os.fork()
        if child:
            Path(os.environ["GPT_DOUBLE_CALLS"]).with_name("pids.txt").write_text(f"{os.getpid()} {child}")
        time.sleep(600)
    if behaviour == "severe":
        print("SEVERE: org.esa.snap.core.gpf.internal.OperatorExecutor: java.lang.OutOfMemoryError: Java heap space")
    if behaviour == "complains":
        print("SEVERE: org.esa.snap.runtime.Config: no preferences of this user")


def main():
    try:
        if "-h" in sys.argv[1:]:
            print("Usage:\n  gpt <op>|<graph-file> [options] [<source-file-1> <source-file-2> ...]")
            return
        path, options, defined = arguments(sys.argv[1:])
        nodes = nodes_of(path, defined)
        operators = [operator for operator, _, _ in nodes.values()]
        call = {"graph": path.name, "operators": operators, "options": options, "java": defined["J"]}
        call["parameters"] = {key: values for key, (_, _, values) in nodes.items()}
        with Path(os.environ["GPT_DOUBLE_CALLS"]).open("a") as calls:
            calls.write(json.dumps(call) + "\n")
        behaviour, _, where = os.environ.get("GPT_DOUBLE", "").partition("@")
        if behaviour not in BEHAVIOURS:
            print(f"the double cannot {behaviour}", file=sys.stderr)
            sys.exit(3)
        if where and where not in operators:
            behaviour = ""
        end_at_once(behaviour)
        print("Executing processing graph")
        run(nodes, defined, behaviour)
        print("....10%....20%....30%....40%....50%....60%....70%....80%....90% done.")
    except RefusedError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
