"""Download of a product from a server on the same machine: throughput as a share of what curl gets from it.

Run: ``python benchmarks/http_transfer.py [--megabytes 1024] [--runs 3] [--folder DIR] [--json]``

The product is a sound Sentinel-2 L1C zip, made large by a member that is stored, not compressed. The server sends it
with ``sendfile`` from a process of its own; it is in the system's cache. Each way runs in a process of its own; runs
of all ways take turns and the shortest of each counts. curl neither hashes nor flushes, so two of ours are compared
with it: receiving alone, and receiving with SHA-256. The whole ``fetch_http`` also tests the archive (a second reading,
spared where the provider's checksum was compared) and flushes it to the disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from s4c_lib.sources import http_filling
from s4c_lib.sources.catalogue import Checksum, Download
from s4c_lib.sources.http_exchange import Exchange
from s4c_lib.sources.http_filling import Filling
from s4c_lib.sources.http_part import HttpPart
from s4c_lib.sources.http_transfer import fetch_http
from s4c_lib.sources.part_folder import holding
from s4c_lib.sources.product_names import product_name
from s4c_lib.sources.stated_checksum import Digests
from s4c_lib.sources.transfer_limits import Meter, TransferLimits
from s4c_lib.sources.verify import verify_product
from s4c_lib.synthetic.archive import make_archive

LIMIT_SHARE = 0.8
LIMIT_MB = 150
WAYS = ("curl", "receive", "receive_sha256", "receive_sha256_md5", "fetch", "fetch_md5_stated", "crc", "structure")
MEGABYTE = 1_000_000


def make_product(folder: Path, megabytes: int) -> Path:
    """A sound product as one file of about this size."""
    day = date(2024, 3, 1)
    made = make_archive(folder / "archive", seed=7, start=day, end=day, tiles=("31UFS",))
    path = next(item.path for item in made.products if item.path.name.endswith(".SAFE.zip"))
    top = path.name.removesuffix(".zip")
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive,
        archive.open(f"{top}/large.bin", "w", force_zip64=True) as member,
    ):
        for _ in range(megabytes):
            member.write(os.urandom(MEGABYTE))
    return path


def serve(path: Path) -> None:
    """Send the file to whoever asks, until the process ends; print the port first."""
    size = path.stat().st_size

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            with path.open("rb") as stream:
                sent = 0
                while sent < size:
                    sent += os.sendfile(self.connection.fileno(), stream.fileno(), sent, min(size - sent, 1 << 22))

        def log_message(self, *args: object) -> None:
            """Standard output carries the port alone."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


class Unhashed(Digests):
    """Leaves the hashing out, to see what it costs."""

    def update(self, data: bytes) -> None:
        """Take no notice of the bytes."""


def receive(url: str, product: Path, target: Path, checksum: Checksum | None) -> None:
    """Bring the bytes into a part, and nothing more."""
    download = Download(url, product.name, checksum=checksum)
    limits = TransferLimits()
    exchange = Exchange("benchmark", limits, lambda: None, Meter(), time.monotonic() + limits.timeout_seconds)
    with holding(target, product.name):
        part = HttpPart.open(target, product.name)
        Filling(
            part, lambda _: download, download, limits, exchange, what="benchmark", bandwidth=None, progress=None
        ).run()
    exchange.close()


def ways(url: str, product: Path, target: Path) -> dict[str, Callable[[], object]]:
    """Everything that is measured, by name."""
    name = product_name(product.name)
    md5 = Checksum("md5", os.environ["BENCHMARK_MD5"])

    def fetch(checksum: Checksum | None) -> object:
        return fetch_http(lambda _: Download(url, product.name, checksum=checksum), name, target, TransferLimits())

    return {
        "curl": lambda: subprocess.run(["curl", "-s", "-f", "-o", str(target / product.name), url], check=True),
        "receive": lambda: receive(url, product, target, None),
        "receive_sha256": lambda: receive(url, product, target, None),
        "receive_sha256_md5": lambda: receive(url, product, target, md5),
        "fetch": lambda: fetch(None),
        "fetch_md5_stated": lambda: fetch(md5),
        "crc": lambda: verify_product(product, name),
        "structure": lambda: verify_product(product, name, bytes_compared=True),
    }


def run_one(way: str, url: str, product: Path, target: Path) -> dict[str, float]:
    """Run one way in this process: seconds, seconds of the processor, highest memory of the process in MB."""
    if way == "receive":
        vars(http_filling)["Digests"] = Unhashed
    import requests  # noqa: F401 - loading it is no part of a transfer

    run = ways(url, product, target)[way]
    who = resource.RUSAGE_CHILDREN if way == "curl" else resource.RUSAGE_SELF
    before = resource.getrusage(who)
    began = time.monotonic()
    run()
    seconds = time.monotonic() - began
    after = resource.getrusage(who)
    return {
        "seconds": seconds,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "memory_mb": after.ru_maxrss / 1024,
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Let all ways take turns; the shortest run of each."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        product = make_product(Path(folder), arguments.megabytes)
        size = product.stat().st_size
        with product.open("rb") as stream:
            md5 = hashlib.file_digest(stream, "md5").hexdigest()
        itself = [sys.executable, str(Path(__file__).resolve())]
        best: dict[str, dict[str, float]] = {}
        with subprocess.Popen([*itself, "--serve", str(product)], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/product"
            try:
                for _ in range(arguments.runs):
                    for way in WAYS:
                        with tempfile.TemporaryDirectory(dir=folder) as target:
                            os.sync()  # what the way before left to be written is not to be paid for by this one
                            done = subprocess.run(
                                [*itself, "--one", way, url, str(product), target],
                                env={**os.environ, "BENCHMARK_MD5": md5},
                                capture_output=True,
                                text=True,
                                check=True,
                            )
                        found = json.loads(done.stdout)
                        if way not in best or found["seconds"] < best[way]["seconds"]:
                            best[way] = found
            finally:
                server.terminate()
    curl = best["curl"]["seconds"]
    result: dict[str, Any] = {"gigabytes": size / 1e9}
    for way, found in best.items():
        result[way] = {
            **{key: round(value, 3) for key, value in found.items()},
            "mb_per_s": round(size / MEGABYTE / found["seconds"]),
            "share_of_curl": round(curl / found["seconds"], 2),
            "cpu_s_per_gb": round(found["cpu_s"] / (size / 1e9), 2),
        }
    result["within_limits"] = (
        result["receive"]["share_of_curl"] >= LIMIT_SHARE and result["fetch_md5_stated"]["memory_mb"] <= LIMIT_MB
    )
    return result


def main() -> int:
    """Print the figures; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", default=None, help="disk to write to; the system's temporary folder")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(Path(arguments.serve))
        return 0
    if arguments.one:
        way, url, product, target = arguments.one
        print(json.dumps(run_one(way, url, Path(product), Path(target))))
        return 0
    result = measure(arguments)
    if not arguments.json:
        print(f"{result['gigabytes']:.2f} GB from a server on this machine; memory is that of the whole process")
        for way in WAYS:
            found = result[way]
            print(
                f"{way:20s} {found['mb_per_s']:6d} MB/s  {found['share_of_curl']:5.2f} of curl  "
                f"{found['cpu_s_per_gb']:5.2f} CPU s/GB  {found['memory_mb']:6.1f} MB"
            )
    else:
        print(json.dumps(result))
    return 0 if result["within_limits"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
