"""`python -m kpinn workers`: whom it starts, and how all of them end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from kpinn.training.workers import launcher

LAUNCHER = [sys.executable, "-P", launcher.__file__]
PRIVATE = "--private-network"
SCRIPT = """
import json, os, signal, socket, sys, time

config = json.loads(os.environ["TF_CONFIG"])
number, what = config["task"]["index"], sys.argv[1:]
print("begins with", *what, flush=True)
print("a line", file=sys.stderr)
if f"absent {number}" not in what:
    host, port = config["cluster"]["worker"][number].rsplit(":", 1)
    listening = socket.create_server((host, int(port)))
if "deaf" in what:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if f"fail {number}" in what:
    sys.exit(3)
if f"kill {number}" in what:
    os.kill(os.getpid(), signal.SIGKILL)
if what:
    print(os.getpid(), file=open(f"pid {number}", "w"))
    time.sleep(60)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf8")
    return path


def launched(script, *arguments, options=("--workers", "2", PRIVATE), config=None):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    if config is not None:
        environment["TF_CONFIG"] = config
    return subprocess.Popen(
        [*LAUNCHER, *options, str(script), *arguments],
        env=environment,
        cwd=script.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# The launcher --------------------------------------------------------------------------------


def test_lines_come_with_the_number_of_their_worker(script):
    process = launched(script)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert sorted(out.splitlines()) == [f"[worker {n}] begins with" for n in (0, 1)]
    assert sorted(errors.splitlines()) == [f"[worker {n}] a line" for n in (0, 1)]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("fail 1",), 70, "worker 1 failed with 3; the other workers are ended."),
        (("kill 0", "deaf"), 70, "worker 0 was killed by signal 9; the other workers are ended."),
        (("absent 1",), 69, "worker 1 (127.0.0.1:"),
    ],
)
def test_all_end_when_one_is_lost(script, arguments, status, message):
    process = launched(script, *arguments, options=("--workers", "2", "--wait", "1", PRIVATE))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert f"kpinn: {message}" in errors


@pytest.mark.parametrize(
    ("how", "what"),
    [(signal.SIGTERM, "deaf"), (signal.SIGINT, "listening"), (signal.SIGKILL, "deaf")],
)
def test_all_end_when_the_launcher_is_ended(script, how, what):
    """Also if they ignore signals, as workers do that wait for each other inside TensorFlow."""
    process = launched(script, what)
    pids = [script.with_name(f"pid {number}") for number in (0, 1)]
    until(lambda: all(path.exists() and path.read_text() for path in pids))
    begin = time.monotonic()
    process.send_signal(how)
    process.communicate(timeout=30)
    assert process.returncode == (-how if how == signal.SIGKILL else 128 + how)
    until(lambda: not any(lives(int(path.read_text())) for path in pids))
    assert time.monotonic() - begin < 5.0


def until(is_true):
    end = time.monotonic() + 30.0
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_each_machine_has_a_command_of_its_own(script):
    """Two launchers with a `TF_CONFIG` each, as on two machines."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("", 0)) as second:
        ports = [each.getsockname()[1] for each in (first, second)]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    configs = [{"cluster": cluster, "task": {"type": "worker", "index": n}} for n in (0, 1)]
    processes = [launched(script, options=(PRIVATE,), config=json.dumps(c)) for c in configs]
    for number, process in enumerate(processes):
        assert process.communicate(timeout=30)[0] == f"[worker {number}] begins with\n"
        assert process.returncode == 0
    alone = launched(script, "-", options=(PRIVATE, "--wait", "1"), config=json.dumps(configs[0]))
    assert f"worker 1 (127.0.0.1:{ports[1]}) cannot be reached" in alone.communicate(timeout=30)[1]
    assert alone.returncode == 69


ONE = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}


@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        ((PRIVATE,), None, "say how many processes: --workers 2, or set TF_CONFIG"),
        (("--workers", "0", PRIVATE), None, "--workers is a number from 1 to 256, not 0"),
        (("--workers", "2"), None, "without passwords and encryption"),
        ((), ONE, "without passwords and encryption"),
        (("--workers", "2", PRIVATE), ONE, "leave out --workers"),
        (("--wait", "0", PRIVATE), ONE, "--wait is a positive number of seconds"),
        ((PRIVATE,), "{", "TF_CONFIG is not like"),
        ((PRIVATE,), {"cluster": {}}, "TF_CONFIG is not like"),
        ((PRIVATE,), ONE | {"cluster": {"worker": ["a"]}}, "'a' is no host:port"),
        ((PRIVATE,), ONE | {"cluster": {"ps": ["a:1"]}}, "TF_CONFIG has jobs ps"),
        ((PRIVATE,), ONE | {"task": {"type": "worker", "index": 2}}, "no worker 2 in its cluster"),
        ((PRIVATE,), ONE | {"task": {"type": "chief", "index": 0}}, "no chief 0 in its cluster"),
    ],
)
def test_wrong_calls(options, config, message, script, monkeypatch, capsys):
    if config is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(SystemExit) as ended:
        launcher.main([*options, str(script)])
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_missing_script(tmp_path, capsys):
    with pytest.raises(SystemExit):
        launcher.main(["--workers", "2", PRIVATE, str(tmp_path / "none.py")])
    assert "there is no file" in capsys.readouterr().err
