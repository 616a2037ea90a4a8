"""deploy/bootstrap.sh on machines that lack something: fake programs on a path of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "bootstrap.sh"
TOOLS = ("bash", "cat", "cut", "dirname", "env", "head", "id", "ln", "rm", "sed", "sha256sum", "sort", "touch", "mkdir")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the script, a lock file, and ``bin`` as the only folder of the path."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(SCRIPT, tmp_path / "deploy" / "bootstrap.sh")
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        # A wrapper, never a link: a test that replaces a tool must not write through to the machine's own.
        program(tmp_path, tool, f'exec {found} "$@"')
    return tmp_path


def program(checkout: Path, name: str, body: str) -> Path:
    path = checkout / "bin" / name
    assert not path.is_symlink()
    path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
    path.chmod(0o755)
    return path


def python_that_works(checkout: Path, name: str = "python3") -> None:
    program(checkout, name, f'exec {sys.executable} "$@"')


def python_of_version(checkout: Path, name: str, version: str) -> Path:
    """A Python that reports another version."""
    major, minor = version.split(".")
    pretend = f"import sys; sys.version_info = ({major}, {minor}, 0)"
    return program(checkout, name, f'shift; exec {sys.executable} -c "{pretend}\n$1"')


def uv_that_records(checkout: Path) -> None:
    """A uv that makes the environment and writes down how it was called."""
    program(
        checkout,
        "uv",
        'if [ "$1" = --version ]; then echo "uv 0.9.1"; exit; fi\n'
        'echo "$UV_COMPILE_BYTECODE ${PYTHONDONTWRITEBYTECODE:-unset} $*" >>calls\n'
        f"mkdir -p .venv/bin; touch .venv/pyvenv.cfg; ln -sf {sys.executable} .venv/bin/python",
    )


def bootstrap(checkout: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(checkout / "deploy" / "bootstrap.sh")],
        env={"PATH": str(checkout / "bin"), "HOME": str(checkout), "PYTHONDONTWRITEBYTECODE": "1", **env},
        capture_output=True,
        text=True,
    )


def test_it_installs_the_locked_environment_once_and_again_only_when_the_lock_changes(checkout: Path) -> None:
    python_that_works(checkout)
    uv_that_records(checkout)
    assert bootstrap(checkout).returncode == 0
    assert bootstrap(checkout).stderr == ""
    calls = (checkout / "calls").read_text().splitlines()
    assert len(calls) == 1
    assert calls[0].startswith("1 unset sync --locked --extra celery --python ")

    (checkout / "uv.lock").write_text("version = 2\n")
    assert bootstrap(checkout).returncode == 0
    assert len((checkout / "calls").read_text().splitlines()) == 2


def test_an_interrupted_installation_is_taken_up_again(checkout: Path) -> None:
    python_that_works(checkout)
    program(checkout, "uv", '[ "$1" = --version ] && echo "uv 0.9.1" && exit; exit 2')
    failed = bootstrap(checkout)
    assert failed.returncode == 1
    assert "uv sync failed" in failed.stderr
    uv_that_records(checkout)
    assert bootstrap(checkout).returncode == 0
    assert (checkout / "calls").exists()


@pytest.mark.parametrize("version", ["3.10", "3.14", "2.7"])
def test_a_python_that_does_not_fit_is_passed_over(checkout: Path, version: str) -> None:
    python_of_version(checkout, "python3", version)
    refused = bootstrap(checkout)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        "bootstrap: no Python 3.11, 3.12 or 3.13 found on the path (install python3, or set S4C_PYTHON to one)"
    ]

    python_that_works(checkout, "python3.12")
    uv_that_records(checkout)
    assert bootstrap(checkout).returncode == 0
    assert f"--python {checkout}/bin/python3.12" in (checkout / "calls").read_text()


def test_a_chosen_python_is_used_or_refused_by_name(checkout: Path) -> None:
    python_that_works(checkout)
    old = python_of_version(checkout, "old", "3.10")
    refused = bootstrap(checkout, S4C_PYTHON=str(old))
    assert refused.returncode == 1
    assert refused.stderr == f"bootstrap: S4C_PYTHON={old} is no Python 3.11, 3.12 or 3.13\n"


@pytest.mark.parametrize("version", ["0.4.30", "none"])
def test_an_old_or_missing_uv_is_replaced_by_one_from_pypi(checkout: Path, version: str) -> None:
    """pip itself is a fake here: the environment it would install into is checked, not the network."""
    if version != "none":
        program(checkout, "uv", f'echo "uv {version}"')
    program(
        checkout,
        "python3",
        f'if [ "$1 $2" = "-m venv" ]; then mkdir -p .local/uv/bin; cp bin/pip-fake .local/uv/bin/python; '
        f'else exec {sys.executable} "$@"; fi',
    )
    program(checkout, "cp", f'exec {shutil.which("cp")} "$@"')
    program(checkout, "pip-fake", f'echo "$*" >pip-call; {shutil.which("cp")} bin/uv-new .local/uv/bin/uv')
    program(
        checkout,
        "uv-new",
        'if [ "$1" = --version ]; then echo "uv 0.9.1 (build)"; exit; fi\n'
        f"mkdir -p .venv/bin; ln -sf {sys.executable} .venv/bin/python",
    )
    done = bootstrap(checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / "pip-call").read_text().split()[:3] == ["-m", "pip", "install"]
    assert "index" not in (checkout / "pip-call").read_text()


def test_without_venv_and_without_root_the_package_to_install_is_named(checkout: Path) -> None:
    fits = f"{sys.version_info.major}.{sys.version_info.minor}"
    program(checkout, "python3", f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    program(checkout, "id", "echo 1000")
    refused = bootstrap(checkout)
    assert refused.returncode == 1
    assert f"apt-get install python{fits}-venv" in refused.stderr.splitlines()[-1]


def test_the_path_of_the_checkout_may_hold_spaces(checkout: Path) -> None:
    moved = checkout.rename(checkout.with_name("a check out"))
    (moved / "bin" / "python3").unlink(missing_ok=True)
    python_that_works(moved)
    uv_that_records(moved)
    done = bootstrap(moved)
    assert done.returncode == 0, done.stderr
    assert os.access(moved / ".venv" / "bin" / "python", os.X_OK)
