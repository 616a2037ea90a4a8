"""``s4c synthetic serve`` as a user runs it: another process, ended by Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner

from s4c_lib.cli.main import app
from s4c_lib.synthetic.hub.provider_definition import eodag_definition


def test_it_serves_until_it_is_interrupted(hub_folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "anna.txt"
    secret.write_text("a secret of anna\n")
    program = [sys.executable, "-m", "s4c_lib.cli.main"]
    options = ["--port", "0", "--user", "anna", "--password-file", str(secret), "--storm", "1", "--json"]
    command = [*program, "synthetic", "serve", str(hub_folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            text += line
        told = json.loads(text)
        try:
            assert requests.get(f"{told['url']}/_hub/faults", timeout=10).json()["storm"]["share"] == 1
            requests.post(f"{told['url']}/_hub/faults", data='{"clear": true}', timeout=10)
            form = {"client_id": "cdse-public", "grant_type": "password", "username": "anna"}
            for password, status in (("a secret of anna", 200), ("password", 401)):
                answer = requests.post(told["token"], data={**form, "password": password}, timeout=10)
                assert answer.status_code == status
            definition = Path(told["eodag_definition"]).read_text()
            assert json.loads(definition) == eodag_definition(told["url"])
            assert "--definition" in shlex.split(told["source_by_eodag"])
            by_dhus = shlex.split(told["source_by_dhus"])
            assert told["dhus"] in by_dhus
            # what ESA has no name for would not be found without
            assert {"s1_amp=S1_L2_AMP", "s1_cohe=S1_L2_COHE", "ask_online=true"} <= set(by_dhus)
        finally:
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "stopped after 2 requests, 1 of them failed" in err
    assert "a secret of anna" not in text + out + err
    assert not Path(told["eodag_definition"]).exists()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no password can be read"), ("\n", "is empty"), ("", "no password can be read")]
)
def test_a_password_file_without_password_is_refused(
    hub_folder: Path, tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "password.txt"
    if content is not None:
        file.write_text(content)
    result = CliRunner().invoke(app, ["synthetic", "serve", str(hub_folder), "--password-file", str(file)])
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_folder_without_products_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["synthetic", "serve", str(tmp_path), "--port", "0"])
    assert result.exit_code == 2
    assert "holds no product" in result.stderr
