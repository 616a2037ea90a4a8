#!/usr/bin/env bash
# Bring the locked Python environment into .venv, from nothing but Python and the package registries.
#
#   S4C_PYTHON   the Python to use (3.11 to 3.13); by default the first that fits
#
# Does nothing when .venv already fits uv.lock and pyproject.toml. Registry addresses are those of the
# machine's own pip, uv and apt settings.
set -euo pipefail
# A task's imports cost 2.5 s with bytecode, 7.8 s without.
unset PYTHONDONTWRITEBYTECODE VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$repository"
stamp=.venv/sen4cap-bootstrap
oldest_uv=0.7.0

say() { printf 'bootstrap: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Prints "3.12" when the program is a Python this project runs on.
fitting_version() {
    "$1" -c 'import sys
if not (3, 11) <= sys.version_info[:2] < (3, 14):
    sys.exit(1)
print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

find_python() {
    local candidate
    if [ -n "${S4C_PYTHON:-}" ]; then
        fitting_version "$S4C_PYTHON" >/dev/null ||
            fail "S4C_PYTHON=$S4C_PYTHON is no Python 3.11, 3.12 or 3.13"
        printf '%s\n' "$S4C_PYTHON"
        return
    fi
    # The Python of an existing environment first: another one would mean to install everything again.
    for candidate in .venv/bin/python python3 python3.13 python3.12 python3.11 python; do
        if fitting_version "$candidate" >/dev/null; then
            if [ "$candidate" = .venv/bin/python ]; then
                "$candidate" -c 'import os, sys; print(os.path.realpath(sys._base_executable))'
            else
                command -v -- "$candidate"
            fi
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 found on the path (install python3, or set S4C_PYTHON to one)"
}

# Runs a command as root without asking for a password, if that is possible here.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# Debian and Ubuntu keep venv out of their python3 package.
need_venv() {
    local package
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    package="python$(fitting_version "$1")-venv"
    say "this Python has no venv; installing $package with apt"
    if ! command -v apt-get >/dev/null ||
        ! as_root apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null ||
        ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
            install --no-install-recommends "$package" >/dev/null; then
        fail "uv is needed and could not be installed (as root: apt-get install $package; or install uv yourself)"
    fi
}

# True when the program is uv in a version that reads this lock file.
fitting_uv() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=$(printf '%s\n' "$version" | sed -n 's/^uv \([0-9][0-9.]*\).*/\1/p')
    [ -n "$version" ] && [ "$(printf '%s\n%s\n' "$oldest_uv" "$version" | sort -V | head -n 1)" = "$oldest_uv" ]
}

find_uv() {
    if fitting_uv uv; then
        command -v uv
        return
    fi
    if ! fitting_uv .local/uv/bin/uv; then
        need_venv "$1"
        say "installing uv into .local/uv"
        "$1" -m venv --clear .local/uv >&2
        .local/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=$oldest_uv" >&2 ||
            fail "pip could not install uv (message above)"
    fi
    printf '%s\n' "$repository/.local/uv/bin/uv"
}

# The folder belongs to it: an environment that was moved does not work. So does what else is asked for, the Celery
# workers of several machines.
extras=(--extra celery)
fingerprint=$({
    printf '%s\n' "$repository" "${extras[@]}"
    cat uv.lock pyproject.toml
} | sha256sum | cut -d ' ' -f 1)
if [ -z "${S4C_PYTHON:-}" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$fingerprint" ] &&
    fitting_version .venv/bin/python >/dev/null; then
    exit 0
fi

python=$(find_python)
uv=$(find_uv "$python")
say "installing the locked environment into .venv with $python (minutes the first time)"
# Of what uv says, the list of some 300 packages would push all else off the screen.
UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never "$uv" sync --locked "${extras[@]}" --python "$python" 2>&1 |
    sed -u '/^ [-+~] /d' >&2 ||
    fail "uv sync failed (message above); when it speaks of the network, check the package index settings"
printf '%s\n' "$fingerprint" >"$stamp"
say "ready: $(.venv/bin/python -V) in .venv"
