"""docker-compose.yml: what it promises on paper, and every command and health check of it run for real."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from compose_services import (
    COMPOSE_FILE,
    REPOSITORY,
    ComposeStack,
    Host,
    MissingSettingError,
    interpolate,
    load,
    run_proof_dag,
    stopped_at_the_end,
    write_proof_dag,
)

from deploy.local_stack import ports, processes
from tests.deploy.conftest import IMAGE_UID, DatabaseServer, Image

SETTINGS = {"S4C_UID": "50000", "S4C_GID": "50000"}
ALL_SETTINGS = SETTINGS | {"COMPOSE_PROFILES": "celery", "S4C_TLS_CERT": "/tls/c.pem", "S4C_TLS_KEY": "/tls/k.pem"}
ONE_SHOT = {"init", "s4c"}
SERVICES = {"postgis", "init", "api-server", "scheduler", "dag-processor", "triggerer", "redis", "celery-worker", "s4c"}
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(params=[SETTINGS, ALL_SETTINGS], ids=["plain", "celery-and-tls"])
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(request.param)


def test_it_fits_the_compose_specification(tmp_path: Path, compose: dict[str, Any]) -> None:
    resolved = tmp_path / "resolved.yml"
    resolved.write_text(yaml.safe_dump(compose), encoding="utf-8")
    check = [str(Path(sys.prefix) / "bin" / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*check, str(COMPOSE_FILE), str(resolved)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_has_the_services_of_the_system(compose: dict[str, Any]) -> None:
    assert compose["services"].keys() == SERVICES
    profiles = {name: service["profiles"] for name, service in compose["services"].items() if "profiles" in service}
    assert profiles == {"redis": ["celery"], "celery-worker": ["celery"], "s4c": ["cli"]}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_is_checked_limited_and_restarted(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]
    if name in ONE_SHOT:
        assert service["healthcheck"] == {"disable": True}
        assert service["restart"] in ("no", "on-failure:3")
    else:
        assert {"test", "interval", "timeout", "retries"} <= service["healthcheck"].keys()
        assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES - {"postgis", "redis"}))
def test_our_services_run_without_root_and_capabilities(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert (service["user"], service["cap_drop"]) == ("50000:50000", ["ALL"])
    assert "privileged" not in service
    archive = [volume for volume in service["volumes"] if ":/archive" in volume]
    assert archive == ([] if name == "api-server" else ["archive:/archive:ro"])


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["init"]["depends_on"] == {"postgis": {"condition": "service_healthy"}}
    for name in (*AIRFLOW, "celery-worker"):
        assert services[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}
    for name in ("scheduler", "celery-worker"):
        assert services[name]["depends_on"]["api-server"] == {"condition": "service_healthy"}
    assert services["celery-worker"]["depends_on"]["redis"] == {"condition": "service_healthy"}


def test_only_the_api_server_is_reachable_and_only_from_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"api-server": ["127.0.0.1:8080:8080"]}


def test_it_asks_for_the_script_that_makes_its_secrets() -> None:
    with pytest.raises(MissingSettingError, match=r"deploy/make-secrets\.sh"):
        load({})


@pytest.mark.parametrize("path", [COMPOSE_FILE, REPOSITORY / ".env.example", REPOSITORY / "Dockerfile"], ids=str)
def test_no_file_holds_a_password(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name, value in re.findall(r"^\s*-?\s*#?\s*(\w*(?:PASSWORD|SECRET|KEY)\w*)\s*[:=]\s*(.*)$", text, re.MULTILINE):
        allowed = name.endswith("_FILE") or name in ("S4C_SECRETS_DIR", "S4C_TLS_KEY")
        assert allowed or not value, f"{name} has a value in {path.name}"
    assert not re.search(r"://[^/\s$]*:[^/\s$]+@", text), "an address with a password"


def test_every_secret_is_a_file_and_mounted_where_it_is_named(compose: dict[str, Any]) -> None:
    assert all(secret == {"file": f"./secrets/{name}"} for name, secret in compose["secrets"].items())
    for name, service in compose["services"].items():
        named = {Path(value).name for key, value in service["environment"].items() if key.endswith("_FILE")}
        assert named == set(service["secrets"]), name


def test_secrets_reach_only_those_who_need_them(compose: dict[str, Any]) -> None:
    holders: dict[str, set[str]] = {}
    for name, service in compose["services"].items():
        for secret in service["secrets"]:
            holders.setdefault(secret, set()).add(name)
    assert holders["postgres_password"] == {"postgis", "init"}
    assert holders["admin_password"] == {"init", "s4c"}
    assert holders["jwt_secret"] == holders["airflow_database_password"] == {"init", *AIRFLOW}
    assert holders["redis_password"] == {"redis", "celery-worker", *AIRFLOW}


def test_tls_is_off_until_both_settings_are_given() -> None:
    plain, tls = (load(settings)["services"] for settings in (SETTINGS, ALL_SETTINGS))
    assert plain["api-server"]["environment"]["S4C_TLS_CERT"] == ""
    assert plain["api-server"]["environment"]["S4C_TLS_KEY"] == ""
    assert "/tls/c.pem:/run/tls/cert.pem:ro" in tls["scheduler"]["volumes"]
    assert "/tls/k.pem:/run/tls/key.pem:ro" in tls["api-server"]["volumes"]
    key_holders = {name for name, service in tls.items() if any("k.pem" in item for item in service["volumes"])}
    assert key_holders == {"api-server"}


@pytest.mark.parametrize("name", AIRFLOW)
def test_airflow_has_the_settings_the_system_relies_on(compose: dict[str, Any], name: str) -> None:
    environment = compose["services"][name]["environment"]
    assert environment["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] == "1"
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "4"
    assert environment["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"] == "120"
    assert environment["AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT"] == "120"
    assert environment["AIRFLOW__CORE__AUTH_MANAGER"].endswith(".FabAuthManager")


def test_every_setting_of_the_example_is_used_and_the_other_way_round() -> None:
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^#?(\w+)=", example, re.MULTILINE))
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_FILE.read_text(encoding="utf-8")))
    assert offered == used - {"S4C_VERSION"}
    values = dict(re.findall(r"^#(\w+)=(.+)$", example, re.MULTILINE))
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]+)\}", COMPOSE_FILE.read_text(encoding="utf-8")))
    assert {name: defaults[name] for name in values if name != "COMPOSE_PROFILES"} == {
        name: value for name, value in values.items() if name != "COMPOSE_PROFILES"
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("${A}", "1"), ("${B:-x}", "x"), ("${A:-x}", "1"), ("${A:+y}", "y"), ("${B:+y}", ""), ("$${A}", "${A}")],
)
def test_the_tests_interpolate_as_compose_does(text: str, expected: str) -> None:
    assert interpolate({"k": [text]}, {"A": "1", "B": ""}) == {"k": [expected]}


def write_certificate(folder: Path) -> None:
    """A self-signed certificate made out to the API server, as docs/deployment.md describes."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "api-server")])
    names = [x509.DNSName("api-server"), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=2))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    folder.mkdir(exist_ok=True)
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password))


def api_client(port: int, certificate: Path | None = None) -> httpx.Client:
    scheme = "http" if certificate is None else "https"
    trust = True if certificate is None else ssl.create_default_context(cafile=str(certificate))
    return httpx.Client(base_url=f"{scheme}://127.0.0.1:{port}", verify=trust, timeout=30.0, trust_env=False)


@pytest.mark.slow
def test_every_service_works_with_tls_as_a_user_without_rights(
    service_host: Host, database_server: DatabaseServer, open_folder: Path
) -> None:
    host, port = service_host, ports.any_free()
    certificate = host.outside("/run/tls")
    write_certificate(certificate)
    host.own(certificate)
    overrides = prepare(host, database_server, port)
    settings = ALL_SETTINGS | {"COMPOSE_PROFILES": ""}
    stack = ComposeStack(host, settings, overrides, open_folder / "default")
    with stopped_at_the_end(stack):
        check_postgis(stack, database_server)
        first = stack.run("init")
        assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
        assert "administrator admin created" in first.stdout
        assert "pool cpu created with 2 slots" in first.stdout
        for name in AIRFLOW:
            assert stack.health(name).returncode == 1, f"{name} is not there, and yet healthy"
            stack.start(name)
        print(stack.wait_until_healthy(AIRFLOW))

        password = database_server.password("admin_password")
        with api_client(port, certificate / "cert.pem") as client:
            wrong = client.post("/auth/token", json={"username": "admin", "password": "admin"})
            assert wrong.status_code == httpx.codes.UNAUTHORIZED
            result, logs = run_proof_dag(client, password)
        assert result["uid"] == (os.geteuid() if host.uid is None else host.uid) != 0
        assert result["bytecode"]
        assert "a line for the log" in logs

        usage = stack.run("s4c")
        assert usage.returncode == 0, usage.stderr
        assert "Usage" in usage.stdout
        stack.stop()
        assert stack.health("api-server").returncode == 1
    assert processes.leftovers(stack.base_dir) == []


def prepare(host: Host, server: DatabaseServer, port: int) -> dict[str, str]:
    """Mount secrets and a DAG; return where the services find each other instead of under their names."""
    server.mount_secrets(host)
    dags = "/var/lib/sen4cap/test_dags"
    write_proof_dag(host.outside(dags))
    host.own(host.outside(dags))
    return server.overrides | {
        "S4C_API_HOST": "127.0.0.1",
        "S4C_REDIS_HOST": "127.0.0.1",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__DAGS_FOLDER": host.here(dags),
    }


def check_postgis(stack: ComposeStack, server: DatabaseServer) -> None:
    """The health check of `postgis` tells a server that answers from one that does not."""
    test = stack.services["postgis"]["healthcheck"]["test"][1:]
    for port, expected in ((server.port, 0), (ports.any_free(), 2)):
        env = {"PATH": f"{server.binaries}:/usr/bin:/bin", "PGPORT": str(port)}
        assert subprocess.run(test, env=env, cwd="/").returncode == expected


@pytest.mark.slow
def test_the_celery_profile_runs_tasks_on_a_worker(
    image: Image, database_server: DatabaseServer, open_folder: Path
) -> None:
    host, port, redis_port = image.host, ports.any_free(), str(ports.any_free())
    data = host.outside("/var/lib/sen4cap/redis")
    data.mkdir()
    host.own(data)
    # The entry point of the image redis only steps down from root, which we are not.
    shim = host.outside("/usr/local/bin/docker-entrypoint.sh")
    shim.write_text('#!/bin/sh\nexec "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    overrides = prepare(host, database_server, port)
    overrides |= {"S4C_REDIS_PORT": redis_port, "REDIS_PORT": redis_port, "REDIS_DIR": "/var/lib/sen4cap/redis"}
    services = ("redis", "celery-worker", *AIRFLOW)
    stack = ComposeStack(host, SETTINGS | {"COMPOSE_PROFILES": "celery"}, overrides, open_folder / "celery")
    with stopped_at_the_end(stack):
        again = stack.run("init")
        assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
        for name in ("redis", "celery-worker"):
            assert stack.health(name).returncode != 0, f"{name} is not there, and yet healthy"
        for name in services:
            stack.start(name)
        print(stack.wait_until_healthy(services))
        with api_client(port) as client:
            result, logs = run_proof_dag(client, database_server.password("admin_password"))
        assert result["uid"] == IMAGE_UID
        assert "a line for the log" in logs
        assert "Executing workload in Celery" in stack.log("celery-worker")
        password = database_server.password("redis_password")
        assert not any(password in line for line in arguments_of_all(stack.base_dir))
    assert processes.leftovers(stack.base_dir) == []


def arguments_of_all(base_dir: Path) -> list[str]:
    """Command lines of the stack's processes, which any user of a machine can read."""
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes.leftovers(base_dir)]
    assert lines
    return [line.replace(b"\0", b" ").decode(errors="replace") for line in lines]


# --- the image, in this file because it is made once for all that need it ------------------------------------------


def in_image(image: Image, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = image.host.as_user(["/opt/sen4cap/deploy/entrypoint.sh", *arguments])
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return subprocess.run(command, env={**path, **env}, cwd="/", capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_the_image_serves_both_command_lines_to_its_user(image: Image) -> None:
    version = in_image(image, "airflow", "version")
    assert version.returncode == 0, version.stderr
    locked = re.search(r'name = "apache-airflow"\nversion = "([^"]+)"', (REPOSITORY / "uv.lock").read_text("utf-8"))
    assert locked is not None
    assert locked[1] in version.stdout
    usage = in_image(image, "s4c", "--help")
    assert usage.returncode == 0, usage.stderr
    assert "Usage" in usage.stdout


@pytest.mark.slow
def test_the_image_belongs_to_root_and_its_state_to_its_user(image: Image) -> None:
    state = image.root / "var/lib/sen4cap"
    for folder in (state, state / "airflow", state / "products", state / "downloads"):
        assert (folder.stat().st_uid, folder.stat().st_gid) == (IMAGE_UID, IMAGE_UID)
    program = image.root / "opt/sen4cap"
    assert {path.lstat().st_uid for path in (program, *(program / "deploy").rglob("*"))} == {0}
    probe = image.host.as_user(["sh", "-c", "id -u; touch /opt/sen4cap/x"])
    asked = subprocess.run(probe, cwd="/", capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert asked.stdout.strip() == str(IMAGE_UID)
    assert asked.returncode != 0


@pytest.mark.slow
def test_the_image_is_compiled(image: Image) -> None:
    site = next((image.root / "opt/sen4cap/.venv/lib").glob("python3.*")) / "site-packages"
    for source in (
        site / "airflow/settings.py",
        site / "pandas/core/frame.py",
        image.root / "opt/sen4cap/s4c_lib/errors.py",
    ):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")), source


@pytest.mark.slow
def test_a_second_installation_changes_nothing(image: Image) -> None:
    users = (image.root / "etc/passwd").read_bytes()
    again = image.install()
    assert again.returncode == 0, again.stderr
    assert "apt-get" not in again.stdout
    assert not re.search(r"Installed \d+ packages", again.stderr)
    assert (image.root / "etc/passwd").read_bytes() == users
