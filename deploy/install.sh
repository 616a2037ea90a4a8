#!/usr/bin/env bash
# Installs Sen4CAP from the folder this script lies in (/opt/sen4cap in the image) on Debian bookworm, as root.
# May run again: what is there already stays. S4C_UID and S4C_GID choose the numbers of the user sen4cap.
set -euo pipefail
umask 022
unset PYTHONDONTWRITEBYTECODE
export DEBIAN_FRONTEND=noninteractive

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=/var/lib/sen4cap
uid=${S4C_UID:-50000}
gid=${S4C_GID:-50000}
packages=(ca-certificates python3 python3-venv)

die() {
    echo "install: $1" >&2
    exit 2
}

[[ $(id -u) == 0 ]] || die "must run as root"
[[ $uid =~ ^[1-9][0-9]*$ && $gid =~ ^[1-9][0-9]*$ ]] || die "S4C_UID=$uid and S4C_GID=$gid must be numbers above 0"

missing=()
for package in "${packages[@]}"; do
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
if ((${#missing[@]})); then
    apt-get update
    apt-get install --yes --no-install-recommends "${missing[@]}"
    rm -rf /var/lib/apt/lists/*
fi

# By number: groups and users of these numbers may exist under other names.
getent group "$gid" >/dev/null || groupadd --gid "$gid" sen4cap
getent passwd "$uid" >/dev/null ||
    useradd --uid "$uid" --gid "$gid" --home-dir "$state" --no-create-home --shell /usr/sbin/nologin sen4cap

# Volumes take over the owner of the folder they are mounted on, the first time.
install -d -o "$uid" -g "$gid" -m 750 "$state" "$state/airflow" "$state/products" "$state/downloads"
install -d -m 755 /archive

if [[ ! -x /opt/uv/bin/uv ]]; then
    python3 -m venv /opt/uv
    /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check 'uv>=0.9,<1'
fi

export UV_PROJECT_ENVIRONMENT=$home/.venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
export UV_PYTHON=/usr/bin/python3 UV_PYTHON_DOWNLOADS=never
/opt/uv/bin/uv sync --project "$home" --locked --no-dev --extra celery
"$home/.venv/bin/python" -m compileall -q "$home/s4c_lib" "$home/plugins" "$home/dags" "$home/deploy"
