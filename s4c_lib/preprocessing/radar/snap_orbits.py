"""Orbit files where SNAP looks for them: one is found for a scene, and linked into the folders SNAP searches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from s4c_lib.errors import InputError
from s4c_lib.preprocessing.executor import ExecutorError
from s4c_lib.preprocessing.radar.executor import RadarScene
from s4c_lib.preprocessing.radar.orbits import choose_orbit_file, parse_orbit_name
from s4c_lib.preprocessing.radar.snap_settings import SnapOptions
from s4c_lib.reasons import Reason


def with_orbit_file(scene: RadarScene, options: SnapOptions) -> RadarScene:
    """The scene with its own orbit file, else the best of ``orbit_path``, else none.

    Raises
    ------
    ExecutorError : its file does not exist, or there is none and one is required (``aux_missing``).
    InputError : its file is not named as an orbit file of its platform. StorageError : the folder cannot be read.
    """
    name = scene.name
    if scene.orbit_file is not None:
        if not scene.orbit_file.is_file():
            raise ExecutorError(
                f"the orbit file {scene.orbit_file} does not exist", hint="fetch it again", code=Reason.AUX_MISSING
            )
        orbit_kind(scene)
        return scene
    if options.orbit_path is not None:
        chosen = choose_orbit_file(options.orbit_path, name.platform, name.sensing_start, name.sensing_stop)
        if chosen is not None:
            return replace(scene, orbit_file=chosen.path)
    if options.require_orbit:
        raise ExecutorError(
            f"no orbit file of {name.name} in {options.orbit_path or 'a folder: none is set'}",
            hint="put it into processor.l2s1.orbit_path, or set processor.l2s1.require_orbit to false",
            code=Reason.AUX_MISSING,
        )
    return scene


def orbit_kind(scene: RadarScene) -> str:
    """``POE``, ``RES`` or, where there is no file, ``ANN``: the vectors of the annotation.

    Raises
    ------
    InputError : the file is not named as an orbit file of that platform.
    """
    if scene.orbit_file is None:
        return "ANN"
    found = parse_orbit_name(scene.orbit_file)
    if found is None or found.platform != scene.name.platform:
        raise InputError(
            f"{scene.orbit_file} is not named as an orbit file of {scene.name.platform}",
            hint="keep the name it was published with: S1A_OPER_AUX_POEORB_OPOD_....EOF",
        )
    return found.source


def install_orbit_file(scene: RadarScene, orbits: Path) -> tuple[Path, ...]:
    """Link a scene's orbit file to ``{POE|RES}ORB/S1A/2022/01/`` under ``orbits``.

    Returns
    -------
    Where the link leads, for a container to mount; nothing when the scene has no file.
    """
    if scene.orbit_file is None:
        return ()
    folder = orbits / f"{orbit_kind(scene)}ORB" / scene.orbit_file.name[:3].upper()
    folder /= f"{scene.name.sensing_start:%Y/%m}"
    folder.mkdir(parents=True, exist_ok=True)
    real = scene.orbit_file.resolve(strict=True)
    link = folder / scene.orbit_file.name
    if not link.is_symlink():
        link.symlink_to(real)
    return (real,)
