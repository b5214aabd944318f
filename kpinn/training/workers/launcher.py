"""Starts the workers of a `tf.distribute.MultiWorkerMirroredStrategy`, and ends them together.

It is run as a file and imports the standard library only. A worker that waits for another one
inside TensorFlow runs no Python and ignores SIGTERM: this process sees to it instead.
"""

import argparse
import contextlib
import ctypes
import dataclasses
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

FAILED, MISSING = 70, 69  # exit statuses: a worker has failed; a worker cannot be reached
GRACE = 3.0  # seconds from SIGTERM to SIGKILL
SETTLED = 3.0  # seconds for which all workers are to be reachable at the start
PORTS = range(20_000, 32_000)  # below those that systems take for outgoing connections
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
MOST = 256  # workers on one machine
TRUST = (
    "TensorFlow's workers talk without passwords and encryption, and listen on all interfaces of "
    "the machine, also where all of them are on it: whoever reaches their ports can read files and "
    "run code as you. Where only machines and people that you trust do, say --private-network."
)
DESCRIPTION = f"""Runs a script in several processes, which train one model under
tf.distribute.MultiWorkerMirroredStrategy: --workers 2 on this machine; or, where TF_CONFIG is set,
the one worker that it describes, with this command on each machine. Worker 0, the chief, writes
the files. When a worker fails the others are ended. Exit status: 0 if all workers end with 0;
{FAILED} if one fails or is killed; {MISSING} if one cannot be reached; 143 and 130 after SIGTERM
and Ctrl-C; 2 for a wrong call."""


def main(arguments=None):
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m kpinn workers", description=DESCRIPTION)
    parser.add_argument("--workers", type=int, help="how many processes on this machine")
    parser.add_argument(
        "--wait", type=float, default=120.0, help="seconds to wait for other workers (default 120)"
    )
    parser.add_argument(
        "--private-network", action="store_true", help="only trusted machines reach this one"
    )
    parser.add_argument("script", help="a Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="those of the script")
    options = parser.parse_args(arguments)
    try:
        configs = _configs(options, os.environ.get("TF_CONFIG"))
    except ValueError as error:
        parser.error(str(error))  # exits with status 2
    command = [sys.executable, options.script, *options.arguments]
    return Group(command, configs, options.wait).run()


# Who takes part -------------------------------------------------------------------------------


def _configs(options, given):
    """The values of `TF_CONFIG`, as dicts, of the workers that are to be started here."""
    if not os.path.isfile(options.script):
        raise ValueError(f"there is no file {options.script!r}.")
    if options.wait <= 0:
        raise ValueError(f"--wait is a positive number of seconds, not {options.wait}.")
    if given and options.workers is not None:
        raise ValueError("TF_CONFIG is set, which describes one worker: leave out --workers.")
    if given:
        found = [_checked(given)]
    elif options.workers is None:
        raise ValueError("say how many processes: --workers 2, or set TF_CONFIG on each machine.")
    elif not 1 <= options.workers <= MOST:
        raise ValueError(f"--workers is a number from 1 to {MOST}, not {options.workers}.")
    else:
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(options.workers)]
        tasks = [{"type": "worker", "index": index} for index in range(options.workers)]
        found = [{"cluster": {"worker": addresses}, "task": task} for task in tasks]
    if not options.private_network and len(_members(found[0])) > 1:
        raise ValueError(TRUST)
    return found


def _checked(text):
    """`TF_CONFIG` as a dict; `ValueError` by entry for what describes no worker."""
    form = '{"cluster": {"worker": ["10.0.0.1:2222", ...]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, index = task["type"], int(task["index"])
        jobs = {job: [_address(each) for each in listed] for job, listed in cluster.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"TF_CONFIG is not like {form} ({error!r}): {text}") from None
    if not jobs.keys() <= {"chief", "worker"} or len(jobs.get("chief", "1")) != 1:
        raise ValueError(f"TF_CONFIG has jobs {', '.join(jobs)}: expected workers, and one chief.")
    if not 0 <= index < len(jobs.get(kind, "")):
        raise ValueError(f"TF_CONFIG has no {kind} {index} in its cluster: {text}")
    return config


def _address(text):
    host, _, port = text.rpartition(":")
    if not host or not 0 < int(port) < 2**16:
        raise ValueError(f"{text!r} is no host:port")
    return host.strip("[]"), int(port)


def _members(config):
    """A dict from `(type, index)` to address, the chief first."""
    cluster = config["cluster"]
    jobs = [job for job in ("chief", "worker") if job in cluster]
    return {(job, index): each for job in jobs for index, each in enumerate(cluster[job])}


def _free_ports(count):
    """Ports on which nobody listens now."""
    with contextlib.ExitStack() as stack:
        found = []
        for port in random.SystemRandom().sample(PORTS, len(PORTS)):
            taken = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                taken.bind(("", port))
                found.append(port)
            if len(found) == count:
                return found
    raise ValueError(f"{count} ports are not free on this machine.")


# Their processes ------------------------------------------------------------------------------


@dataclasses.dataclass
class Worker:
    """A process.

    Attributes:
        name: such as `"worker 0"`.
        process: the `subprocess.Popen`.
        seen: whether its end was said.
    """

    name: str
    process: subprocess.Popen
    seen: bool = False

    def send(self, number):
        """Sends a signal to it and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class Group:
    """The workers on this machine.

    Args:
        command: list of strings.
        configs: the values of `TF_CONFIG` as dicts, one for each.
        wait: seconds to wait for workers that are not there.
    """

    def __init__(self, command, configs, wait):
        self.command, self.configs, self.wait = command, configs, wait
        self.workers, self.readers, self.received = [], [], None

    def run(self):
        """Starts the workers and waits until all have ended; returns the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        try:
            for config in self.configs:  # before there are threads, which a fork would leave behind
                self.workers.append(_start(self.command, config))
            self._pass_output_on()
            return self._watch(Meeting(_members(self.configs[0]), self.wait))
        finally:
            self._end(signal.SIGKILL)
            for reader in self.readers:
                reader.join(1.0)

    def _note(self, number, frame):
        self.received = number

    def _pass_output_on(self):
        lock = threading.Lock()
        for worker in self.workers:
            for source, target in ((worker.process.stdout, 1), (worker.process.stderr, 2)):
                given = worker.name, source, target, lock
                self.readers.append(threading.Thread(target=_pass_on, args=given, daemon=True))
                self.readers[-1].start()

    def _watch(self, meeting):
        while any(worker.process.poll() is None for worker in self.workers):
            if self.received is not None:
                return self._stopped(self.received)
            if failed := self._failed():
                _say(f"{failed}; the other workers are ended")
                self._end(signal.SIGTERM, GRACE)
                return FAILED
            if missing := meeting.missing():
                _say(f"{missing} cannot be reached after {self.wait:g} s (--wait); it ends here")
                self._end(signal.SIGTERM, GRACE)
                return MISSING
            time.sleep(0.05)
        if failed := self._failed():
            _say(failed)
        return FAILED if failed else 0

    def _failed(self):
        """What is wrong with a worker that has ended, a sentence; or `None`."""
        for worker in self.workers:
            status = worker.process.poll()
            if status:
                how = f"was killed by signal {-status}" if status < 0 else f"failed with {status}"
                return f"{worker.name} {how}"
        return None

    def _stopped(self, number):
        _say(f"{signal.Signals(number).name}: the workers are ended")
        self._end(number, GRACE)
        return 128 + number

    def _end(self, number, grace=0.0):
        """Ends the workers by a signal, and after `grace` seconds by SIGKILL."""
        for worker in self.workers:
            worker.send(number)
        self.received, end = None, time.monotonic() + grace
        while any(worker.process.poll() is None for worker in self.workers):
            if time.monotonic() > end or self.received is not None:
                break
            time.sleep(0.02)
        for worker in self.workers:
            worker.send(signal.SIGKILL)
            worker.process.wait()


def _start(command, config):
    environment = os.environ | {"TF_CONFIG": json.dumps(config), "PYTHONUNBUFFERED": "1"}
    task, library = config["task"], ctypes.CDLL(None)

    def end_with_parent():
        if sys.platform == "linux":
            library.prctl(DEATH_SIGNAL, signal.SIGKILL)

    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C comes here alone
        preexec_fn=end_with_parent,
    )
    return Worker(f"{task['type']} {task['index']}", process)


def _pass_on(name, source, target, lock):
    """Writes lines with the name of their worker before them."""
    for line in source:
        with lock, contextlib.suppress(OSError):
            _write(target, f"[{name}] ".encode() + line.rstrip(b"\r\n") + b"\n")


def _say(sentence):
    _write(2, f"kpinn: {sentence}.\n".encode())


def _write(target, data):
    while data:
        data = data[os.write(target, data) :]


# Whether they find each other -----------------------------------------------------------------


class Meeting:
    """Whether all workers could be reached.

    TensorFlow waits without end for a worker that is missing, and worker 0 says nothing of it.

    Args:
        members: dict from `(type, index)` to address.
        wait: seconds.
    """

    def __init__(self, members, wait):
        self._members, self._end = members, time.monotonic() + wait
        self._absent, self._since, self._met = dict(members), None, len(members) == 1
        threading.Thread(target=self._meet, daemon=True).start()

    def _meet(self):
        while not self._met:
            absent = {who: where for who, where in self._members.items() if not _listens(where)}
            now = time.monotonic()
            self._since = None if absent else self._since or now
            self._absent, self._met = absent, not absent and now - self._since >= SETTLED
            time.sleep(0.5)

    def missing(self):
        """Names and addresses of the missing workers when the time is over; or `None`."""
        absent = self._absent
        if self._met or not absent or time.monotonic() < self._end:
            return None
        named = [f"{job} {index} ({where})" for (job, index), where in absent.items()]
        return ", ".join(named)


def _listens(address):
    try:
        socket.create_connection(_address(address), timeout=2.0).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
