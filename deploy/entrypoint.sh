#!/usr/bin/env bash
# Starts one component of Sen4CAP:  entrypoint.sh ROLE [ARGUMENT...]
#   init                 databases, tables, pools, first administrator, DAG manifest; may run again at any time
#   api-server | scheduler | dag-processor | triggerer | celery-worker
#   s4c ARGUMENT...      the command line; so does `airflow ARGUMENT...`
#   health COMPONENT     exit code 0 when the component of this container is well
# A secret NAME is read from the file that NAME_FILE names, or from NAME itself.
set -euo pipefail
umask 027
# A task's imports take three times as long without bytecode.
unset PYTHONDONTWRITEBYTECODE

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="${S4C_VENV:-$home/.venv}/bin:$PATH"

die() {
    echo "sen4cap: $1" >&2
    exit 2
}

# Sets the shell variable NAME to the secret and keeps it out of the environment of what is started.
secret() {
    local name=$1 file_name=${1}_FILE value
    local file=${!file_name:-}
    if [[ -n $file ]]; then
        [[ -z ${!name:-} ]] || die "both $name and $file_name are set; keep one"
        [[ -r $file && -f $file ]] || die "secret $name: user $(id -u) cannot read $file (deploy/make-secrets.sh writes it)"
        value=$(<"$file")
    else
        value=${!name:-}
    fi
    [[ -n ${value//[[:space:]]/} ]] || die "secret $name is missing or empty; set $file_name (deploy/make-secrets.sh writes the files)"
    [[ $value != *$'\n'* ]] || die "secret $name has more than one line"
    case ${value,,} in
        airflow | postgres | postgis | redis | admin | administrator | root | s4c | sen4cap | test | secret | \
            default | pass | password | passw0rd | change-me | change_me | changeme | changeit | 1234* | qwerty)
            die "secret $name is a well-known default; choose another (deploy/make-secrets.sh does)" ;;
    esac
    unset "$name" "$file_name"
    printf -v "$name" '%s' "$value"
}

is_given() {
    local file_name=${1}_FILE
    [[ -n ${!1:-} || -n ${!file_name:-} ]]
}

# Percent-encodes a password for a URL.
encoded() {
    local LC_ALL=C text=$1 result='' character code i
    for ((i = 0; i < ${#text}; i++)); do
        character=${text:i:1}
        case $character in
            [a-zA-Z0-9._~-]) result+=$character ;;
            *)
                printf -v code '%d' "'$character"
                printf -v character '%%%02X' $((code & 255))
                result+=$character
                ;;
        esac
    done
    printf '%s' "$result"
}

database_host="${S4C_DATABASE_HOST:-postgis}:${S4C_DATABASE_PORT:-5432}"

use_domain_database() {
    secret S4C_DATABASE_PASSWORD
    local user=${S4C_DATABASE_USER:-s4c} name=${S4C_DATABASE_NAME:-s4c}
    S4C_DATABASE_URL="postgresql://$user:$(encoded "$S4C_DATABASE_PASSWORD")@$database_host/$name"
    export S4C_DATABASE_URL AIRFLOW_CONN_S4C_DB=$S4C_DATABASE_URL
}

use_airflow_database() {
    secret AIRFLOW_DATABASE_PASSWORD
    local user=${AIRFLOW_DATABASE_USER:-airflow} name=${AIRFLOW_DATABASE_NAME:-airflow}
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://$user:$(encoded "$AIRFLOW_DATABASE_PASSWORD")@$database_host/$name"
    export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
}

use_keys() {
    secret S4C_FERNET_KEY
    secret S4C_JWT_SECRET
    secret S4C_API_SECRET_KEY
    export AIRFLOW__CORE__FERNET_KEY=$S4C_FERNET_KEY AIRFLOW__API_AUTH__JWT_SECRET=$S4C_JWT_SECRET
    export AIRFLOW__API__SECRET_KEY=$S4C_API_SECRET_KEY
}

# The profile `celery` of the compose file also chooses the executor: one setting, so they cannot disagree.
celery_is_on() {
    [[ ",${S4C_PROFILES:-}," == *,celery,* ]]
}

use_broker() {
    secret S4C_REDIS_PASSWORD
    local server
    server="redis://:$(encoded "$S4C_REDIS_PASSWORD")@${S4C_REDIS_HOST:-redis}:${S4C_REDIS_PORT:-6379}"
    # Results go to Redis too: a worker needs no way into Airflow's database.
    export AIRFLOW__CELERY__BROKER_URL="$server/0" AIRFLOW__CELERY__RESULT_BACKEND="$server/1"
}

use_executor() {
    if celery_is_on; then
        export AIRFLOW__CORE__EXECUTOR=CeleryExecutor
        use_broker
    else
        export AIRFLOW__CORE__EXECUTOR=LocalExecutor
    fi
}

# S4C_TLS_CERT and S4C_TLS_KEY: the API server speaks TLS, and whoever talks to it trusts that certificate.
use_api_server() {
    local role=$1 scheme=http
    if [[ -n ${S4C_TLS_CERT:-} || -n ${S4C_TLS_KEY:-} ]]; then
        [[ -n ${S4C_TLS_CERT:-} ]] || die "S4C_TLS_KEY is set without S4C_TLS_CERT; TLS needs both"
        [[ -f $S4C_TLS_CERT && -r $S4C_TLS_CERT ]] || die "S4C_TLS_CERT: user $(id -u) cannot read $S4C_TLS_CERT"
        scheme=https
        export AIRFLOW__API__SSL_CERT=$S4C_TLS_CERT S4C_AIRFLOW_CA_FILE=$S4C_TLS_CERT
        if [[ $role == api-server ]]; then
            [[ -n ${S4C_TLS_KEY:-} ]] || die "S4C_TLS_CERT is set without S4C_TLS_KEY; TLS needs both"
            [[ -f $S4C_TLS_KEY && -r $S4C_TLS_KEY ]] || die "S4C_TLS_KEY: user $(id -u) cannot read $S4C_TLS_KEY"
            export AIRFLOW__API__SSL_KEY=$S4C_TLS_KEY
        fi
    fi
    export S4C_AIRFLOW_URL="$scheme://${S4C_API_HOST:-api-server}:${AIRFLOW__API__PORT:-8080}"
    export AIRFLOW__CORE__EXECUTION_API_SERVER_URL="$S4C_AIRFLOW_URL/execution/"
    if [[ -n ${S4C_PUBLIC_URL:-} ]]; then
        export AIRFLOW__API__BASE_URL=$S4C_PUBLIC_URL
    fi
}

use_places() {
    export AIRFLOW_HOME=${AIRFLOW_HOME:-/var/lib/sen4cap/airflow}
    export AIRFLOW__CORE__DAGS_FOLDER=${AIRFLOW__CORE__DAGS_FOLDER:-$home/dags}
    export AIRFLOW__CORE__PLUGINS_FOLDER=${AIRFLOW__CORE__PLUGINS_FOLDER:-$home/plugins}
    # In the volume that all services share: what one has compiled, the others find. Not in the image, which may have been
    # built on another processor.
    export S4C_KERNEL_CACHE=${S4C_KERNEL_CACHE:-$AIRFLOW_HOME/kernels}
    # Without a look-up in the DNS; health.py asks for the same name.
    export AIRFLOW__CORE__HOSTNAME_CALLABLE=socket.gethostname
    mkdir -p "$AIRFLOW_HOME" || die "user $(id -u) cannot write $AIRFLOW_HOME (owner of the volume, S4C_UID)"
}

use_what_is_given() {
    ! is_given S4C_DATABASE_PASSWORD || use_domain_database
    ! is_given AIRFLOW_DATABASE_PASSWORD || use_airflow_database
    ! is_given S4C_JWT_SECRET || use_keys
    if is_given S4C_ADMIN_PASSWORD; then
        secret S4C_ADMIN_PASSWORD
        export S4C_AIRFLOW_USERNAME=${S4C_ADMIN_USER:-admin} S4C_AIRFLOW_PASSWORD=$S4C_ADMIN_PASSWORD
    fi
}

use_control_plane() {
    use_keys
    use_airflow_database
    use_domain_database
}

initialise() {
    use_control_plane
    secret S4C_ADMIN_PASSWORD
    secret POSTGRES_PASSWORD
    POSTGRES_PASSWORD=$POSTGRES_PASSWORD S4C_DATABASE_PASSWORD=$S4C_DATABASE_PASSWORD \
        AIRFLOW_DATABASE_PASSWORD=$AIRFLOW_DATABASE_PASSWORD python "$home/deploy/databases.py"
    airflow db migrate
    # The module lies in the project, its imports too.
    S4C_ADMIN_PASSWORD=$S4C_ADMIN_PASSWORD PYTHONPATH="$home" python "$home/deploy/first_setup.py"
    s4c db migrate
    s4c dags export
    s4c kernels compile
}

role=${1:-}
[[ -n $role ]] || die "no role; one of init, api-server, scheduler, dag-processor, triggerer, celery-worker, s4c, airflow, health"
shift
case $role in
    init | api-server | scheduler | dag-processor | triggerer | celery-worker | s4c | airflow)
        use_places
        use_api_server "$role"
        ;;
esac
case $role in
    init)
        initialise
        ;;
    api-server | dag-processor)
        use_control_plane
        use_executor
        exec airflow "$role" "$@"
        ;;
    scheduler | triggerer)
        use_control_plane
        use_executor
        # Logs lie in the volume that all services share; nobody needs to serve them.
        exec airflow "$role" --skip-serve-logs "$@"
        ;;
    celery-worker)
        celery_is_on || die "the scheduler sends nothing to Celery; set COMPOSE_PROFILES=celery in .env instead of --profile"
        use_domain_database
        use_executor
        exec airflow celery worker --skip-serve-logs "$@"
        ;;
    s4c | airflow)
        use_what_is_given
        exec "$role" "$@"
        ;;
    health)
        component=${1:-}
        case $component in
            api-server) ;;
            scheduler | dag-processor | triggerer) use_airflow_database ;;
            celery-worker) use_broker ;;
            *) die "health of what? one of api-server, scheduler, dag-processor, triggerer, celery-worker" ;;
        esac
        exec python "$home/deploy/health.py" "$component"
        ;;
    *)
        die "unknown role $role; one of init, api-server, scheduler, dag-processor, triggerer, celery-worker, s4c, airflow, health"
        ;;
esac
