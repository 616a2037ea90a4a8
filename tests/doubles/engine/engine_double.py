"""A stand-in for ``docker`` and ``podman``: takes the documented options of `run`, then runs the program here.

It checks what a container would show: the program may be run only if the work folder is mounted, every link in it
leads into a mount, and mounts hold no surprises. The image's name is the folder its programs lie in, with '/'
replaced by '%'. Calls are noted in the file ``ENGINE_DOUBLE_CALLS``.
"""

import os
import subprocess
import sys
from pathlib import Path

FLAGS = ("--rm", "--init")
VALUED = ("--name", "--user", "--userns", "--network", "--workdir", "--memory", "--env", "--mount")


def main():
    with Path(os.environ["ENGINE_DOUBLE_CALLS"]).open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    given = sys.argv[1:]
    verb = given.pop(0)
    if verb == "kill":
        return 0 if len(given) == 1 else 125
    if verb != "run":
        return 125
    values = {}
    while given and given[0].startswith("-"):
        option = given.pop(0)
        if option in VALUED:
            values.setdefault(option, []).append(given.pop(0))
        elif option not in FLAGS:
            print(f"unknown flag: {option}")
            return 125
    image, program, *arguments = given
    mounts = [dict(part.partition("=")[::2] for part in mount.split(",")) for mount in values.get("--mount", [])]
    shown = []
    for mount in mounts:
        if set(mount) - {"type", "source", "target", "readonly"} or mount["type"] != "bind":
            print(f"invalid mount {mount}")
            return 125
        if not Path(mount["source"]).exists():
            print(f"bind source path does not exist: {mount['source']}")
            return 125
        if mount["source"] == mount["target"]:
            shown.append((Path(mount["source"]).resolve(), "readonly" in mount))
    if f"{os.getuid()}:{os.getgid()}" != values["--user"][0]:
        return 125
    workdir = Path(values["--workdir"][0])
    writable = [path for path, readonly in shown if not readonly]
    if len(writable) != 1 or not workdir.resolve().is_relative_to(writable[0]):
        print("the work folder is not the one writable mount")
        return 126
    for path in writable[0].rglob("*"):
        real = path.resolve()
        if not any(real.is_relative_to(folder) for folder, _ in shown):
            print(f"{path} leads to {real}, which is not mounted")
            return 126
    environment = dict(entry.partition("=")[::2] for entry in values.get("--env", []))
    command = [image.replace("%", "/") + "/" + program, *arguments]
    return subprocess.run(command, cwd=workdir, env={**os.environ, **environment}).returncode


if __name__ == "__main__":
    sys.exit(main())
