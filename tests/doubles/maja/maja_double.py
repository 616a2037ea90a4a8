"""A stand-in for MAJA: takes its command line, checks its input as strictly, writes a small real product.

It knows nothing of the system under test. ``MAJA_DOUBLE`` chooses how it behaves; every word of it is documented in
``BEHAVIOURS``. Arguments it does not know are refused, as are incomplete, unreadable or surplus inputs.
"""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

BEHAVIOURS = {
    "": "a good product; cloud rate in the log (4.2 and later)",
    "report": "a good product; clouds and snow in a report file (3.2 and earlier)",
    "notv": "a product whose JPI says L2NOTV, and the message of clouds",
    "cloudy": "stops: too many cloudy pixels",
    "stopped": "stops: processing stopped",
    "dark": "stops: dark surface under its threshold",
    "nodata": "stops: too much NoData in the composite",
    "nopixel": "stops: statistics without valid pixel",
    "cloudy_in_report": "stops: too many cloudy pixels, said in the report only",
    "warns": "a good product although the log warns that no pixel of a band is valid",
    "clouds=N": "a good product with N % clouds",
    "error": "exit code 135 with two messages [E] and one [W]",
    "silent": "exit code 1 without a word",
    "lacks=X": "a product without the files whose name holds X; DATA and MASKS are folders",
    "none": "exit code 0 and no product",
    "other_tile": "a product of another tile",
    "black_with_cams": "all NoData when CAMS files are among the inputs, else a good product",
    "notv_with_cams": "L2NOTV when CAMS files are among the inputs, else a good product",
    "fails_without_cams": "stops without valid pixel when CAMS files are among the inputs, else as error",
    "memory": "killed by signal 9",
    "memory137": "exit code 137, as a container reports it",
    "disk": "no space left on the device",
    "hang": "never ends, nor does its child; says so in the log",
    "orphan": "a good product, and a child that stays behind",
}
OPTIONS = ("--input", "--TileId", "--output", "--mode", "--conf")
MODES = ("L2INIT", "L2NOMINAL", "L2BACKWARD")
COMMON = ("L2COMM", "L2ALBD", "L2DIFT", "L2DIRT", "L2TOCR", "L2WATV", "L2SMAC")
LAYERS = ("ALT_R1", "ALT_R2", "ALC", "SLP_R1", "SLP_R2", "SLC", "ASP_R1", "ASP_R2", "ASC", "MSK")
BANDS = {"R1": ("B2", "B3", "B4", "B8"), "R2": ("B5", "B6", "B7", "B8A", "B11", "B12")}
L1C_BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
TEXTS = {
    "cloudy": "The number of cloudy pixel is too high. The level2 algorithm processing is stopped!",
    "stopped": "The level2 algorithm processing is stopped",
    "dark": "The dark surface reflectance associated to the value of AOT index min is lower than the dark surface"
    " reflectance threshold",
    "nodata": "The number of NoData pixel in the output L2 composite product is too high.",
    "nopixel": "PersistentStreamingConditionalStatisticsImageFilter::Synthetize.No pixel is valid."
    " Return null statistics",
}


def say(kind, text):
    print(f"2021-04-02T17:03:44.518677 host maja-processing 04.05 [000000032108] [{kind}] {text}", flush=True)


def refuse(text, code=135):
    say("E", text)
    sys.exit(code)


def arguments(given):
    values = {}
    while given:
        option = given.pop(0)
        if option not in OPTIONS or option in values or not given:
            refuse(f"wrong argument {option}", 2)
        values[option] = given.pop(0)
    missing = [option for option in OPTIONS if option not in values]
    if missing or values["--mode"] not in MODES:
        refuse(f"arguments missing or wrong: {missing} {values.get('--mode')}", 2)
    return values


def readable(folder):
    """Everything below, links followed; a link that leads nowhere ends the run."""
    for path in sorted(folder.rglob("*")):
        if not path.exists():
            refuse(f"dangling {path}")
        if path.is_file():
            with path.open("rb") as stream:
                stream.read(1)


def check_gipp(inputs, platform, tile):
    for kind in COMMON:
        found = list(inputs.glob(f"{platform}_*_GIP_{kind}_L_*"))
        if not found:
            refuse(f"no common GIPP {kind} of {platform}")
        for header in [path for path in found if path.suffix == ".HDR"]:
            if not any(header.with_suffix(suffix).exists() for suffix in (".DBL", ".DBL.DIR")):
                refuse(f"{header.name} without data")
    for kind in ("L2SITE", "CKEXTL", "CKQLTL"):
        found = [path for path in inputs.glob(f"S2*_GIP_{kind}_S_*") if tile in path.name]
        if len(found) != 1:
            refuse(f"{len(found)} GIPP {kind} of {tile}")
        root = ElementTree.parse(found[0]).getroot()
        texts = {element.tag.rsplit("}", 1)[-1]: element.text or "" for element in root.iter()}
        if texts.get("File_Name") != found[0].stem:
            refuse(f"File_Name of {found[0].name} is {texts.get('File_Name')}")
        for name in ("Applicability_NickName", "Applicable_SiteDefinition_Id"):
            if tile not in texts.get(name, "") or "ALLSITES" in texts.get(name, ""):
                refuse(f"{name} of {found[0].name} is {texts.get(name)}")


def check_elevation(inputs, tile):
    headers = list(inputs.glob(f"S2*_AUX_REFDE2_*{tile}_*.HDR"))
    if len(headers) != 1:
        refuse(f"{len(headers)} elevation models")
    names = [path.stem for path in (inputs / f"{headers[0].stem}.DBL.DIR").iterdir()]
    missing = [layer for layer in LAYERS if not any(name.endswith("_" + layer) for name in names)]
    if missing:
        refuse(f"elevation layers missing: {missing}")


def check_configuration(folder):
    system = folder / "MAJAUserConfigSystem.xml"
    missions = list(folder.glob("MAJAUserConfig_SENTINEL2*.xml"))
    if not system.is_file() or not missions:
        refuse(f"no user configuration in {folder}")
    threads = ElementTree.parse(system).getroot().findtext(".//NbThreads")
    coarse = {ElementTree.parse(path).getroot().findtext(".//L2CoarseResolution") for path in missions}
    say("I", f"NbThreads {threads}, coarse resolution {coarse}")
    if coarse != {"240"}:
        refuse(f"the DTM is made at 240 m, not {coarse}")


def check_l1c(folder):
    if not (folder / "MTD_MSIL1C.xml").is_file() or not (folder / "manifest.safe").is_file():
        refuse(f"{folder.name} lacks metadata")
    bands = sorted(path.stem.rsplit("_", 1)[-1] for path in folder.glob("GRANULE/*/IMG_DATA/*.jp2"))
    if [band for band in bands if band != "TCI"] != sorted(L1C_BANDS):
        refuse(f"{folder.name} has the bands {bands}")


def check_inputs(values):
    inputs, tile, mode = Path(values["--input"]), values["--TileId"], values["--mode"]
    readable(inputs)
    products = sorted(inputs.glob(f"S2?_MSIL1C_*_T{tile}_*.SAFE"), key=lambda path: path.name.split("_")[2])
    if (len(products) < 2) if mode == "L2BACKWARD" else (len(products) != 1):
        refuse(f"{mode} with {len(products)} L1C")
    for product in products:
        check_l1c(product)
    check_gipp(inputs, products[0].name[:3], tile)
    check_elevation(inputs, tile)
    check_configuration(Path(values["--conf"]))
    previous = list(inputs.glob(f"SENTINEL2?_*_L2A_T{tile}_?_V*"))
    if len(previous) != (1 if mode == "L2NOMINAL" else 0):
        refuse(f"{mode} with {len(previous)} L2A")
    for folder in previous:
        if list(folder.rglob("*.log")):
            refuse(f"logs in {folder.name}")
        if not (folder / "DATA").is_dir() or not list(folder.glob("*_MTD_ALL.xml")):
            refuse(f"{folder.name} is incomplete")
        if folder.name.split("_")[1][:8] >= products[0].name.split("_")[2][:8]:
            refuse(f"{folder.name} is not earlier than {products[0].name}")
    return products


def check_places(values):
    (Path.cwd() / "LTC").mkdir()
    (Path.cwd() / "LTC").rmdir()
    if list(Path(values["--output"]).iterdir()):
        refuse("the output folder is not empty")


def write_raster(path, array, profile, **extra):
    import rasterio

    rows, columns = array.shape[-2:]
    keys = {**profile, "driver": "GTiff", "height": rows, "width": columns, "dtype": array.dtype.name, **extra}
    planes = array if array.ndim == 3 else array[None]
    with rasterio.open(path, "w", count=planes.shape[0], **keys) as raster:
        raster.write(planes)


def write_product(output, l1c, tile, *, black=False, clouds="7.4", snow="0.0", validity="L2VALD"):
    import numpy as np
    import rasterio
    from rasterio import Affine

    start = datetime.strptime(l1c.name.split("_")[2], "%Y%m%dT%H%M%S")
    name = f"SENTINEL2{l1c.name[2]}_{start:%Y%m%d-%H%M%S}-024_L2A_T{tile}_C_V4-0"
    folder = output / name
    (folder / "DATA").mkdir(parents=True)
    (folder / "MASKS").mkdir()
    with rasterio.open(next(l1c.glob("GRANULE/*/IMG_DATA/*_B02.jp2"))) as blue:
        fine = blue.read(1).astype("int16")
        crs, transform = blue.crs, blue.transform
    if "RADIO_ADD_OFFSET" in (l1c / "MTD_MSIL1C.xml").read_text():
        fine = fine - 1000
    grids = {
        "R1": (fine, {"crs": crs, "transform": transform}),
        "R2": (fine[::2, ::2], {"crs": crs, "transform": transform * Affine.scale(2)}),
    }
    for group, (numbers, profile) in grids.items():
        values = np.full_like(numbers, -10000) if black else np.clip(numbers - numbers // 4, 1, 9000)
        for kind in ("SRE", "FRE"):
            for band in BANDS[group]:
                write_raster(folder / f"{name}_{kind}_{band}.tif", values, profile, nodata=-10000)
        zeros = np.zeros(numbers.shape, "uint8")
        write_raster(folder / f"{name}_ATB_{group}.tif", np.stack([zeros + 40, zeros + 24]), profile, nodata=0)
        for mask in ("CLM", "EDG", "MG2", "SAT", "IAB"):
            write_raster(folder / "MASKS" / f"{name}_{mask}_{group}.tif", zeros + (mask == "EDG") * black, profile)
    picture = np.zeros((3, 20, 20), "uint8") + 90
    write_raster(folder / f"{name}_QKL_ALL.jpg", picture, {}, driver="JPEG")
    (folder / f"{name}_MTD_ALL.xml").write_text(metadata(name, l1c, tile, grids, clouds, snow))
    (folder / "DATA" / f"{name}_PVT_ALL.xml").write_text("<Composite/>")
    (folder / "DATA" / f"{name}_JPI_ALL.xml").write_text(
        "<Job><Processing_Flags_And_Modes_List><Processing_Flags_And_Modes><Key>Validity_Flag</Key>"
        f"<Value>{validity}</Value></Processing_Flags_And_Modes></Processing_Flags_And_Modes_List></Job>"
    )
    return folder


def metadata(name, l1c, tile, grids, clouds, snow):
    """The document of a product: what it is, where its rasters lie, mean angles (those of the L1C), quality."""
    granule = ElementTree.parse(next(l1c.glob("GRANULE/*/MTD_TL.xml"))).getroot()

    def angles(element):
        return "".join(
            f'<{angle} unit="deg">{element.findtext(angle)}</{angle}>' for angle in ("ZENITH_ANGLE", "AZIMUTH_ANGLE")
        )

    view = next(granule.iter("Mean_Viewing_Incidence_Angle"))
    bands = [band for group in BANDS.values() for band in group]
    views = "".join(
        f'<Mean_Viewing_Incidence_Angle band_id="{band}">{angles(view)}</Mean_Viewing_Incidence_Angle>'
        for band in bands
    )
    places = "".join(
        f'<Group_Geopositioning group_id="{group}"><ULX>{profile["transform"].c:.0f}</ULX>'
        f"<ULY>{profile['transform'].f:.0f}</ULY><XDIM>{profile['transform'].a:.0f}</XDIM>"
        f"<YDIM>{profile['transform'].e:.0f}</YDIM><NROWS>{numbers.shape[0]}</NROWS><NCOLS>{numbers.shape[1]}</NCOLS>"
        "</Group_Geopositioning>"
        for group, (numbers, profile) in grids.items()
    )
    return (
        "<Muscate_Metadata_Document><Dataset_Identification>"
        f'<IDENTIFIER>{name}</IDENTIFIER><GEOGRAPHICAL_ZONE type="Tile">{tile}</GEOGRAPHICAL_ZONE>'
        f"</Dataset_Identification><Product_Characteristics><PLATFORM>{name.split('_')[0]}</PLATFORM>"
        f'<ORBIT_NUMBER type="Path">{int(l1c.name.split("_")[4][1:])}</ORBIT_NUMBER></Product_Characteristics>'
        "<Geoposition_Informations><Coordinate_Reference_System><Horizontal_Coordinate_System>"
        f"<HORIZONTAL_CS_CODE>{grids['R1'][1]['crs'].to_epsg()}</HORIZONTAL_CS_CODE>"
        "</Horizontal_Coordinate_System></Coordinate_Reference_System><Geopositioning><Group_Geopositioning_List>"
        f"{places}</Group_Geopositioning_List></Geopositioning></Geoposition_Informations>"
        "<Geometric_Informations><Mean_Value_List>"
        f"<Sun_Angles>{angles(next(granule.iter('Mean_Sun_Angle')))}</Sun_Angles>"
        f"<Mean_Viewing_Incidence_Angle_List>{views}</Mean_Viewing_Incidence_Angle_List></Mean_Value_List>"
        "</Geometric_Informations><Radiometric_Informations><REFLECTANCE_QUANTIFICATION_VALUE>10000"
        '</REFLECTANCE_QUANTIFICATION_VALUE><SPECIAL_VALUES_LIST><SPECIAL_VALUE name="nodata">-10000</SPECIAL_VALUE>'
        "</SPECIAL_VALUES_LIST></Radiometric_Informations><Quality_Informations>"
        f'<QUALITY_INDEX name="CloudPercent">{round(float(clouds))}</QUALITY_INDEX>'
        f'<QUALITY_INDEX name="SnowPercent">{round(float(snow))}</QUALITY_INDEX>'
        "</Quality_Informations></Muscate_Metadata_Document>"
    )


def write_report(output, tile, *messages):
    body = "".join(f"<Message><Type>{kind}</Type><Text>{text}</Text></Message>" for kind, text in messages)
    (output / f"MACCS_L2REPT_{tile}.EEF").write_text(f"<Earth_Explorer_File><List>{body}</List></Earth_Explorer_File>")


def end_at_once(behaviour, output, tile):
    """Behaviours without product."""
    if behaviour in TEXTS:
        say("W", TEXTS[behaviour])
        sys.exit(1)
    if behaviour == "cloudy_in_report":
        write_report(output, tile, ("W", TEXTS["cloudy"]), ("I", "cloud percentage computed is 97"))
        sys.exit(1)
    if behaviour == "error":
        say("W", "The AOT mean is unlikely")
        say("E", "Cannot open the lookup table")
        say("E", "Processing aborted")
        sys.exit(135)
    if behaviour == "silent":
        sys.exit(1)
    if behaviour == "none":
        sys.exit(0)
    if behaviour == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "memory137":
        sys.exit(137)
    if behaviour == "disk":
        say("E", "TIFFAppendToStrip: Write error: No space left on device")
        sys.exit(1)
    if behaviour == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        say("I", f"waits, child {child.pid}")
        time.sleep(600)


def main():
    values = arguments(sys.argv[1:])
    behaviour = os.environ.get("MAJA_DOUBLE", "")
    word, _, value = behaviour.partition("=")
    if behaviour not in BEHAVIOURS and f"{word}=N" not in BEHAVIOURS and f"{word}=X" not in BEHAVIOURS:
        refuse(f"the double cannot {behaviour}", 3)
    output, tile = Path(values["--output"]), values["--TileId"]
    products = check_inputs(values)
    check_places(values)
    say("I", f"{values['--mode']} of {[product.name for product in products]}")
    cams = bool(list(Path(values["--input"]).glob("*EXO_CAMS*")))
    if behaviour == "fails_without_cams":
        behaviour = "nopixel" if cams else "error"
    end_at_once(behaviour, output, tile)
    clouds = value if word == "clouds" else "7.4"
    invalid = behaviour == "notv" or (behaviour == "notv_with_cams" and cams)
    if invalid:
        say("W", TEXTS["cloudy"])
    folder = write_product(
        output,
        products[0],
        "31UGS" if behaviour == "other_tile" else tile,
        black=behaviour == "black_with_cams" and cams,
        clouds=clouds,
        validity="L2NOTV" if invalid else "L2VALD",
    )
    if behaviour == "report":
        write_report(
            output,
            tile,
            ("I", "The cloud percentage computed is 41"),
            ("I", "The snow percentage computed is 3"),
            ("I", "Code return: 0"),
        )
    else:
        say("I", f"Cloud Rate on the Product : {clouds}")
    if behaviour == "warns":
        say("W", TEXTS["nopixel"])
    if word == "lacks":
        for path in sorted(folder.rglob("*"), reverse=True):
            inside = re.search(rf"/{value}(/|$)", str(path.relative_to(output)))
            if inside or (path.is_file() and f"_{value}" in path.name):
                path.rmdir() if path.is_dir() else path.unlink()
    if behaviour == "orphan":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        say("I", f"leaves child {child.pid}")


if __name__ == "__main__":
    main()
