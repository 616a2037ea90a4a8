"""Sentinel-2 L2A and L1C as compact SAFE: every file of a product, from a scene and a pass.

What a real product has and these lack: INSPIRE and HTML pages, auxiliary data of the atmosphere, reports of the
quality control, detector footprints and quality masks by band. Manifest and metadata name only files that are there.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from s4c_lib.geography.sentinel2_tiles import Sentinel2Tile
from s4c_lib.synthetic.archive_files import Files, metadata_object, safe_manifest
from s4c_lib.synthetic.optical.scene import OpticalScene
from s4c_lib.synthetic.passes import OpticalPass
from s4c_lib.synthetic.products.angle_grids import angle_grids
from s4c_lib.synthetic.products.scene_checks import check_place, check_scene
from s4c_lib.synthetic.products.sentinel2_bands import BAND_NAMES, NATIVE_METRES
from s4c_lib.synthetic.products.sentinel2_images import (
    L2A_LAYERS,
    GranuleImages,
    cloud_classes,
    encoded,
    l1c_arrays,
    l2a_arrays,
    l2a_masks,
)
from s4c_lib.synthetic.products.sentinel2_metadata import product_metadata, ring
from s4c_lib.synthetic.products.sentinel2_product import Sentinel2Product, iso
from s4c_lib.synthetic.products.sentinel2_tile_metadata import datastrip_metadata, tile_metadata
from s4c_lib.synthetic.products.top_of_atmosphere import top_of_atmosphere

# From 04.00 on quality masks of an L1C are images; before they were outlines (GML), which are left out.
_FIRST_WITH_MASK_IMAGES = 400
_FIRST_WITH_SHA3 = 301


def l2a_images(scene: OpticalScene, baseline: int) -> GranuleImages:
    """Encoded images of an L2A, for all tiles that show the same ground."""
    check_scene(scene)
    return encoded(scene, l2a_arrays(scene, baseline), l2a_masks(scene))


def l1c_images(scene: OpticalScene, flight: OpticalPass, baseline: int) -> GranuleImages:
    """Encoded images of an L1C, for all tiles that show the same ground."""
    check_scene(scene)
    masks = {"MSK_CLASSI_B00": cloud_classes(scene)} if baseline >= _FIRST_WITH_MASK_IMAGES else {}
    return encoded(scene, l1c_arrays(scene, top_of_atmosphere(scene, flight), baseline), masks)


def l2a_files(
    scene: OpticalScene, flight: OpticalPass, tile: Sentinel2Tile, baseline: int, images: GranuleImages | None = None
) -> tuple[str, Files]:
    """Name (with ``.SAFE``) and files of an L2A.

    Parameters
    ----------
    scene : within the tile, on its 60 m grid.
    images : of `l2a_images` for the same scene and baseline, where another tile has needed them already.

    Raises
    ------
    InputError : the scene lacks a band or does not lie on the tile's grid.
    """
    check_place(scene, tile)
    product = Sentinel2Product(flight, tile, "L2A", baseline)
    return f"{product.name}.SAFE", safe_files(product, images or l2a_images(scene, baseline))


def l1c_files(
    scene: OpticalScene, flight: OpticalPass, tile: Sentinel2Tile, baseline: int, images: GranuleImages | None = None
) -> tuple[str, Files]:
    """Name (with ``.SAFE``) and files of an L1C; parameters and errors as `l2a_files`."""
    check_place(scene, tile)
    product = Sentinel2Product(flight, tile, "L1C", baseline)
    return f"{product.name}.SAFE", safe_files(product, images or l1c_images(scene, flight, baseline))


def safe_files(product: Sentinel2Product, images: GranuleImages, *, view_grids: bool = True) -> Files:
    """Files of a product whose images are encoded already.

    Parameters
    ----------
    view_grids : write the grids of view angles, which make most of the metadata's 300 kB.
    """
    angles = angle_grids(product.flight, images.grids[10], detectors=view_grids)
    bands = _image_files(product, images)
    masks = {f"{product.granule}/QI_DATA/{name}.jp2": content for name, content in images.masks.items()}
    kinds = {path: "_".join(PurePosixPath(path).stem.split("_")[:2]) for path in masks}
    files: Files = {**bands, **masks}
    files[f"MTD_MSI{product.level}.xml"] = product_metadata(product, images, list(bands))
    files[f"{product.granule}/MTD_TL.xml"] = tile_metadata(product, images, angles, kinds)
    files[f"{product.datastrip}/MTD_DS.xml"] = datastrip_metadata(product, list(bands))
    files["manifest.safe"] = _manifest(product, images, files)
    return files


def _image_files(product: Sentinel2Product, images: GranuleImages) -> Files:
    """Path -> JP2, in the order of the product's list of images."""
    folder = f"{product.granule}/IMG_DATA"
    if product.level == "L1C":
        order = [(name, NATIVE_METRES[name]) for name in BAND_NAMES] + [("TCI", 10)]
        paths = {key: f"{folder}/{product.prefix}_{key[0]}.jp2" for key in order}
    else:
        order = [(layer, metres) for metres, layers in L2A_LAYERS.items() for layer in layers]
        paths = {key: f"{folder}/R{key[1]}m/{product.prefix}_{key[0]}_{key[1]}m.jp2" for key in order}
    return {paths[key]: images.layers[key] for key in order if key in images.layers}


def _manifest(product: Sentinel2Product, images: GranuleImages, files: Files) -> bytes:
    flight, level = product.flight, product.level.removeprefix("L")
    return safe_manifest(
        files,
        namespaces='xmlns:safe="http://www.esa.int/safe/sentinel/1.1"'
        f' version="esa/safe/sentinel/1.1/sentinel-2/msi/archive_l{level.lower()}_user_product"',
        package=f"SENTINEL-2 MSI Level-{level} User Product",
        checksum="SHA3-256" if product.baseline >= _FIRST_WITH_SHA3 else "MD5",
        metadata=metadata_object(
            "acquisitionPeriod",
            f"<safe:acquisitionPeriod><safe:startTime>{iso(flight.start)}</safe:startTime></safe:acquisitionPeriod>\n",
        )
        + metadata_object(
            "measurementOrbitReference",
            "<safe:orbitReference>"
            f'<safe:orbitNumber groundTrackDirection="descending" type="start">{flight.absolute_orbit:06d}'
            f'</safe:orbitNumber><safe:relativeOrbitNumber type="start">{flight.relative_orbit:03d}'
            "</safe:relativeOrbitNumber></safe:orbitReference>\n",
        )
        + metadata_object(
            "platform",
            "<safe:platform><safe:familyName>SENTINEL</safe:familyName>"
            f"<safe:number>{flight.platform[1:]}</safe:number><safe:instrument>"
            '<safe:familyName abbreviation="MSI">Multi-Spectral Instrument</safe:familyName></safe:instrument>'
            "</safe:platform>\n",
        )
        + metadata_object(
            "processing",
            f'<safe:processing name="Generation of Level-{level} User Product" start="{iso(product.generated)}"/>\n',
        )
        + metadata_object(
            "measurementFrameSet",
            '<safe:frameSet><safe:footPrint srsName="http://www.opengis.net/gml/srs/epsg.xml#4326"><gml:coordinates>'
            f"{ring(images.grids[10])}</gml:coordinates></safe:footPrint></safe:frameSet>\n",
        ),
    )
