#!/usr/bin/env bash
# Writes the secrets of docker-compose.yml, each with mode 600, and .env when there is none. What exists stays.
#   deploy/make-secrets.sh [FOLDER]      default: secrets/ beside docker-compose.yml
set -euo pipefail
umask 077

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$home/secrets}

hex() {
    od --address-radix=n --format=x1 --read-bytes="$1" /dev/urandom | tr -d ' \n'
}

fernet_key() {
    head --bytes=32 /dev/urandom | base64 --wrap=0 | tr '+/' '-_'
}

# Complete or absent: an interrupted run leaves no empty secret behind.
write() {
    local target=$folder/$1
    shift
    [[ -e $target ]] && return
    "$@" >"$target.new"
    mv "$target.new" "$target"
    echo "wrote $target"
}

mkdir -p "$folder"
[[ -e $folder/.gitignore ]] || echo '*' >"$folder/.gitignore"
write postgres_password hex 24
write airflow_database_password hex 24
write s4c_database_password hex 24
write redis_password hex 24
write admin_password hex 12
write api_secret_key hex 64
write jwt_secret hex 64
write fernet_key fernet_key

if [[ $folder == "$home/secrets" && ! -e $home/.env ]]; then
    # The containers run as the owner of these files; root's own files go to a number of their own.
    uid=$(id -u)
    gid=$(id -g)
    [[ $uid != 0 ]] || uid=50000 gid=50000
    sed -e "s/^S4C_UID=.*/S4C_UID=$uid/" -e "s/^S4C_GID=.*/S4C_GID=$gid/" "$home/.env.example" >"$home/.env"
    echo "wrote $home/.env"
fi
if [[ $(id -u) == 0 && -e $home/.env ]]; then
    uid=$(sed -n 's/^S4C_UID=\([0-9][0-9]*\).*/\1/p' "$home/.env" | tail -n 1)
    [[ -n $uid ]] || { echo "make-secrets: set S4C_UID in $home/.env first" >&2; exit 2; }
    chown -R "$uid" "$folder"
fi
