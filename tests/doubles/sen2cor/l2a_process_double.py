"""A stand-in for Sen2Cor's ``L2A_Process``: takes its command line, checks its input, writes a small real L2A.

It knows nothing of the system under test. ``SEN2COR_DOUBLE`` chooses how it behaves (``BEHAVIOURS``),
``SEN2COR_DOUBLE_VERSION`` what it says it is. Each call is noted in ``calls.txt`` beside the starter, one line each.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

BEHAVIOURS = {
    "": "a good product",
    "shares=N,C,S,D,H,W": "percentages: no data, cloud, saturated, dark, cloud shadow, snow",
    "new_names=N,C,S,D,H,W": "the same, with CAST_SHADOW_PERCENTAGE instead of DARK_FEATURES_PERCENTAGE",
    "no_shares": "a product whose metadata lack the percentages",
    "error": "exit code 1, the cause in the last line",
    "silent": "exit code 1 without a word",
    "fails_at=R": "a full disk is met and survived at 60 m; at R metres exit code 1 with the cause in the last line",
    "lacks=X": "a product without the layers whose name holds X",
    "two": "two products",
    "none": "exit code 0 and no product",
    "no_preview": "a product without TCI and PVI",
    "memory": "killed by signal 9",
    "disk": "no space left on the device",
    "hang": "never ends",
    "writes_beside_input": "tries to change the L1C and to add a file to it, then makes a good product",
}
VALUED = (
    "--work_dir", "--output_dir", "--resolution", "--GIP_L2A", "--GIP_L2A_SC", "--GIP_L2A_AC", "--GIP_L2A_PB",
    "--processing_centre", "--archiving_centre", "--processing_baseline", "--mode", "--datastrip", "--tile",
    "--img_database_dir", "--res_database_dir",
)  # fmt: skip
FLAGS = ("--tif", "--raw", "--sc_only", "--cr_only")
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
LAYERS = {
    10: ("B02", "B03", "B04", "B08"),
    20: ("B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B11", "B12"),
    60: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B8A", "B09", "B11", "B12"),
}
SHARES = ("NODATA_PIXEL", "CLOUDS", "SATURATED_DEFECTIVE_PIXEL", "DARK_FEATURES", "CLOUD_SHADOW", "SNOW_ICE")


def refuse(text, code=1):
    print(f"[CRITICAL] {text}", flush=True)
    sys.exit(code)


def arguments(given):
    values, places = {}, []
    while given:
        word = given.pop(0)
        if word in values:
            refuse(f"{word} twice", 2)
        if word in FLAGS:
            values[word] = ""
        elif word in VALUED and given:
            values[word] = given.pop(0)
        elif word.startswith("-"):
            refuse(f"unrecognized arguments: {word}", 2)
        else:
            places.append(word)
    if len(places) != 1:
        refuse(f"one input is wanted, got {places}", 2)
    if values.get("--resolution", "10") not in ("10", "20", "60"):
        refuse("invalid resolution", 2)
    return Path(places[0]), values


def check_places(values):
    for option in ("--work_dir", "--output_dir"):
        folder = Path(values[option])
        if not folder.is_absolute() or not folder.is_dir():
            refuse(f"{option} {folder} is no absolute path of a folder")
        (folder / "probe").write_text("")
        (folder / "probe").unlink()
    for option in ("--GIP_L2A", "--GIP_L2A_SC", "--GIP_L2A_AC", "--GIP_L2A_PB"):
        if option in values:
            root = ElementTree.parse(values[option]).getroot()
            if option == "--GIP_L2A":
                check_settings(root)


def check_settings(root):
    wanted = {"Aerosol_Type": "AUTO", "Mid_Latitude": "AUTO", "Ozone_Content": "0", "Nr_Processes": "1"}
    for name, value in wanted.items():
        if root.findtext(f".//{name}") != value:
            refuse(f"{name} is {root.findtext(f'.//{name}')}")
    if root.findtext(".//Cirrus_Correction") != "TRUE" or float(root.findtext(".//Visibility")) != 40:
        refuse("cirrus or visibility")
    elevation = root.findtext(".//DEM_Directory")
    if elevation.startswith("/") and not list(Path(elevation).iterdir()):
        refuse(f"no elevation in {elevation}")


def find_granules(source):
    """The product of an input, and the granules to process: all, or the one that was given."""
    if source.parent.name == "GRANULE":
        product, granules = source.parent.parent, [source]
    else:
        product, granules = source, sorted((source / "GRANULE").iterdir())
    if not re.match(r"S2[A-D]_.*L1C.*\.SAFE$", product.name):
        refuse(f"{product.name} is no Level-1C product")
    for folder in ("AUX_DATA", "HTML", "DATASTRIP"):
        if not (product / folder).is_dir():
            refuse("Error in creating L2A User Product")
    for name in ("manifest.safe",):
        ElementTree.parse(product / name)
    return product, granules


def tile_of(granule):
    return re.search(r"_T(\d{2}[A-Z]{3})", granule.name)[1]


def images_of(granule):
    images = {path.stem.rsplit("_", 1)[-1]: path for path in (granule / "IMG_DATA").glob("*.jp2")}
    missing = [band for band in BANDS if band not in images]
    if missing:
        refuse(f"tile {tile_of(granule)}: bands {missing} are missing")
    return images


def product_name(product):
    parts = product.name.removesuffix(".SAFE").split("_")
    if parts[1] == "MSIL1C":
        return f"{parts[0]}_MSIL2A_{parts[2]}_N9999_{parts[4]}_{parts[5]}_20240101T120000.SAFE"
    return product.name.replace("_OPER_PRD_MSIL1C_", "_USER_PRD_MSIL2A_")


def granule_name(granule):
    return granule.name.replace("L1C_T", "L2A_T", 1).replace("_MSI_L1C_TL_", "_MSI_L2A_TL_").replace("_OPER_", "_USER_")


def has_offset(l1c):
    """Whether 1000 is added to the numbers of a product, as since baseline 04.00."""
    return any("RADIO_ADD_OFFSET" in path.read_text() for path in l1c.glob("*MTD*.xml"))


def write_layer(path, array, like):
    import rasterio
    from rasterio import Affine

    rows, columns = array.shape[-2:]
    planes = array if array.ndim == 3 else array[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = Affine.scale(like["width"] / columns, like["height"] / rows)
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", height=rows, width=columns, count=planes.shape[0], dtype=array.dtype.name,
        crs=like["crs"], transform=like["transform"] * scale, QUALITY="100", REVERSIBLE="YES",
    ) as raster:  # fmt: skip
        raster.write(planes)


def read_band(path, shape):
    import rasterio

    with rasterio.open(path) as raster:
        return raster.read(1, out_shape=shape), {
            key: raster.profile[key] for key in ("crs", "transform", "width", "height")
        }


def write_granule(target, granule, resolution, behaviour):
    import numpy as np
    import rasterio

    images = images_of(granule)
    with rasterio.open(images["B02"]) as blue:
        shape = (blue.height * 10 // resolution, blue.width * 10 // resolution)
    stem = f"T{tile_of(granule)}_" + re.search(r"(\d{8}T\d{6})", granule.name)[1]
    folder = target / "IMG_DATA" / f"R{resolution}m"
    word, _, value = behaviour.partition("=")
    added = 1000 if has_offset(granule.parents[1]) else 0
    for band in LAYERS[resolution]:
        if word == "lacks" and value == band:
            continue
        numbers, like = read_band(images[band], shape)
        corrected = added + (numbers.astype("float32") - added) * 0.8
        valid = np.where(numbers > 0, np.maximum(corrected, 1), 0).astype("uint16")
        write_layer(folder / f"{stem}_{band}_{resolution}m.jp2", valid, like)
    if resolution != 10 and not (word == "lacks" and value == "SCL"):
        write_layer(folder / f"{stem}_SCL_{resolution}m.jp2", np.where(valid > 0, 4, 0).astype("uint8"), like)
    if behaviour != "no_preview":
        picture = np.full((3, *shape), 80, "uint8")
        write_layer(folder / f"{stem}_TCI_{resolution}m.jp2", picture, like)
        write_layer(target / "QI_DATA" / f"{stem}_PVI.jp2", picture, like)
    for document in granule.glob("*MTD*.xml"):
        text = document.read_text().replace("Level-1C", "Level-2A").replace("_L1C_TL_", "_L2A_TL_")
        (target / document.name).write_text(text)


def write_metadata(product, l1c, behaviour):
    word, _, value = behaviour.partition("=")
    numbers = value.split(",") if word in ("shares", "new_names") else ["1.5", "12.25", "0", "2", "3", "0.5"]
    shares = dict(zip(SHARES, numbers, strict=True))
    if word == "new_names":
        shares["CAST_SHADOW"] = shares.pop("DARK_FEATURES")
    clouds = shares.pop("CLOUDS")
    quality = "".join(f"<{name}_PERCENTAGE>{share}</{name}_PERCENTAGE>" for name, share in shares.items())
    files = sorted(product.glob("GRANULE/*/IMG_DATA/R*m/*.jp2"))
    listed = "".join(f"<IMAGE_FILE>{path.relative_to(product).with_suffix('')}</IMAGE_FILE>" for path in files)
    quality = "" if behaviour == "no_shares" else quality
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{number}">-1000</BOA_ADD_OFFSET>' for number in range(13))
    offsets = f"<BOA_ADD_OFFSET_VALUES_LIST>{offsets}</BOA_ADD_OFFSET_VALUES_LIST>" if has_offset(l1c) else ""
    (product / "MTD_MSIL2A.xml").write_text(
        '<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">'
        f"<n1:General_Info><Product_Info>{listed}</Product_Info><Product_Image_Characteristics>"
        '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>'
        f"</QUANTIFICATION_VALUES_LIST>{offsets}</Product_Image_Characteristics></n1:General_Info><n1:Quality_Indicators_Info>"
        f"<Cloud_Coverage_Assessment>{clouds}</Cloud_Coverage_Assessment><Image_Content_QI>{quality}"
        "</Image_Content_QI></n1:Quality_Indicators_Info></n1:Level-2A_User_Product>"
    )
    (product / "manifest.safe").write_text("<XFDU/>")
    if not (product / "DATASTRIP").exists():
        for path in sorted((l1c / "DATASTRIP").rglob("*.xml")):
            copy = product / path.relative_to(l1c)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())


def end_at_once(behaviour, l1c):
    if behaviour == "error":
        print("Progress[%]: 3.20 : L2A_Tables: start import")
        print("[ERROR] L2A_Tables: atmospheric lookup table cannot be read\n\n", flush=True)
        sys.exit(1)
    if behaviour == "silent":
        sys.exit(1)
    if behaviour == "none":
        sys.exit(0)
    if behaviour == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "disk":
        print("OSError: [Errno 28] No space left on device", flush=True)
        sys.exit(1)
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "writes_beside_input":
        (l1c / "scratch.tmp").write_text("")
        (l1c / "INSPIRE.xml").write_text("")


def main():
    with Path(os.environ["SEN2COR_DOUBLE_CALLS"]).open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    source, values = arguments(sys.argv[1:])
    behaviour = os.environ.get("SEN2COR_DOUBLE", "")
    if not any(behaviour.partition("=")[0] == known.partition("=")[0] for known in BEHAVIOURS):
        refuse(f"the double cannot {behaviour}", 3)
    version = os.environ.get("SEN2COR_DOUBLE_VERSION", "2.10.1")
    print(f"Sentinel-2 Level 2A Processor (Sen2Cor). Version: {version} started ...", flush=True)
    check_places(values)
    l1c, granules = find_granules(source)
    end_at_once(behaviour, l1c)
    (Path.cwd() / "probe").write_text("")
    resolution = int(values["--resolution"])
    if behaviour == f"fails_at={resolution}":
        print("[ERROR] L2A_Tables: atmospheric lookup table cannot be read", flush=True)
        sys.exit(1)
    if behaviour.startswith("fails_at="):
        print("No space left on device, another one is used", flush=True)
    output = Path(values["--output_dir"])
    product = output / product_name(l1c)
    for existing in output.glob(product_name(l1c).rpartition("_")[0] + "_*"):
        product = existing
    for granule in granules:
        target = product / "GRANULE" / granule_name(granule)
        if (target / "IMG_DATA" / f"R{resolution}m").is_dir():
            print(f"Resolution {resolution} m of {target.name} has been processed before")
            continue
        if resolution == 10 and not (target / "IMG_DATA" / "R20m").is_dir():
            refuse("10 m needs a result of 20 m")
        write_granule(target, granule, resolution, behaviour)
    write_metadata(product, l1c, behaviour)
    if behaviour == "two":
        second = output / product.name.replace("20240101T120000", "20240101T130000")
        second.mkdir(exist_ok=True)
    print("Progress[%]: 100.00 : Application terminated successfully.", flush=True)


if __name__ == "__main__":
    main()
