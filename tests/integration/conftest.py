"""What every integration test uses: the yett under test, a folder of its own, and an authority.

YETT_BUILD names the build folder (default build/release). YETT_SLOW multiplies waits for sanitizer builds.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/certs"))

from authority import Authority  # noqa: E402
from peers import PATIENCE, SoftHsm, EchoServer, ended, free_port, wait_until  # noqa: E402

BUILD = pathlib.Path(os.environ.get("YETT_BUILD", TOP / "build/release")).resolve()
YETT = BUILD / "proxy/yett"
SWARM = BUILD / "tests/tools/swarm"
SLOW_TOKEN = BUILD / "tests/modules/slow-token.so"
HANGING_RESOLVER = BUILD / "tests/modules/hanging-resolver.so"
ACKNOWLEDGMENT_TELLER = BUILD / "tests/modules/acknowledgment-teller.so"
SANDBOX_PROBE = BUILD / "tests/modules/sandbox-probe.so"
FAILING_CALLS = BUILD / "tests/modules/failing-calls.so"
FIPS_MODE = BUILD / "tests/modules/fips-mode.so"


def preloading(module):
    """An environment with a module of tests/modules in it."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(module), "ASAN_OPTIONS": options + ":verify_asan_link_order=0"}


def sanitizer_lines(text):
    """What a sanitizer found, whatever the program's exit status was expected to be."""
    return [x for x in text.splitlines() if "ERROR: AddressSanitizer" in x or "ThreadSanitizer" in x
            or "LeakSanitizer" in x or "runtime error:" in x]


class Yett:
    """A running yett. services: the sections of its configuration; everything lives in `folder`."""

    def __init__(self, folder, configuration, *, settings="", environment=None, user=None, descriptors=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.control = self.folder / "c.sock"
        self.config = self.folder / "yett.conf"
        self.log_path = self.folder / "yett.log"
        self.settings = settings
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.user = user  # a struct_passwd: run by them, and not as who we are
        self.descriptors = descriptors  # at most so many; None: as many as we
        self.configure(configuration)
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)

    def configure(self, configuration):
        settings = f"[yett]\ncontrol = {self.control}\nlog_format = json\n"
        if "log_level" not in self.settings:
            settings += "log_level = info\n"
        if "accelerator" not in self.settings and (accelerator := os.environ.get("YETT_ACCELERATOR")):
            settings += f"accelerator = {accelerator}\n"
        if "workers" not in self.settings:
            settings += "workers = 2\n"
        if "intermediates" not in self.settings:
            settings += "intermediates = none\n"
        self.config.write_text(settings + self.settings + "\n" + configuration)

    def start(self):
        self.log_file = open(self.log_path, "a")
        limit = [] if self.descriptors is None else ["prlimit", f"--nofile={self.descriptors}:{self.descriptors}"]
        self.process = subprocess.Popen([*limit, str(YETT), "run", "-c", str(self.config)], stdin=subprocess.DEVNULL,
                                        stdout=self.log_file, stderr=self.log_file, env=self.environment,
                                        start_new_session=True, **self.by_user())
        try:
            wait_until(lambda: self.process.poll() is not None or self.is_ready(), "yett to be ready", 30 * PATIENCE)
            assert self.process.poll() is None, f"yett ended with {self.process.returncode}:\n{self.log()}"
        except AssertionError:
            self.kill()
            raise
        return self

    def by_user(self):
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def is_ready(self):
        if not self.control.exists():
            return False
        result = self.command("status", "--json", check=False)
        if result.returncode != 0:
            return False
        status = json.loads(result.stdout)
        return bool(status["workers"]) and all(w["state"] == "ready" for w in status["workers"])

    def command(self, *args, check=True, timeout=60):
        """yett COMMAND -c our configuration."""
        result = subprocess.run([str(YETT), args[0], "-c", str(self.config), *args[1:]], capture_output=True, text=True,
                                timeout=timeout * PATIENCE, env=self.environment)
        assert not sanitizer_lines(result.stderr), result.stderr
        if check and result.returncode != 0:
            raise AssertionError(f"yett {args} said {result.returncode}\n{result.stdout}\n{result.stderr}\n{self.log()}")
        return result

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    def counter(self, name, service=None):
        """The sum of a counter over services (or of one), counted until now; workers count a moment behind."""
        return sum(s["counters"][name] for s in self.status()["services"] if service in (None, s["name"]))

    def wait_for_counter(self, name, at_least=1, service=None):
        return wait_until(lambda: self.counter(name, service) >= at_least, f"{name} >= {at_least}:\n{self.log()[-3000:]}",
                          20 * PATIENCE)

    def workers(self):
        return {w["slot"]: w["pid"] for w in self.status()["workers"] if w["state"] == "ready"}

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_lines(self, event=None, **fields):
        """Log lines as dicts, of one event and with these fields."""
        lines = []
        for line in self.log().splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if event in (None, entry.get("event")) and all(entry.get(k) == v for k, v in fields.items()):
                    lines.append(entry)
        return lines

    def wait_for_log(self, text):
        """A line that contains `text`."""
        return wait_until(lambda: next((x for x in self.log().splitlines() if text in x), None),
                          f"{text!r} in the log:\n{self.log()[-3000:]}", 20 * PATIENCE)

    def stop(self):
        """SIGTERM; a yett that does not end well fails the test."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(60 * PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"yett did not stop:\n{self.log()[-5000:]}") from None
        finally:
            self.log_file.close()
        assert process.returncode == 0, f"yett ended with {process.returncode}:\n{self.log()[-5000:]}"
        bad = sanitizer_lines(self.log())
        bad += [x for x in self.log().splitlines() if "yett: fatal" in x or "nss_shutdown_failed" in x]
        assert not bad, "\n".join(bad)

    def kill(self):
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()


@pytest.fixture
def folder():
    """A short path (Unix sockets need it) that other users (Postfix, Dovecot, nginx) may pass through."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="yett-"))
    path.chmod(0o755)
    yield path
    os.environ.get("YETT_KEEP") or shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def yett(folder):
    """yett(configuration, settings=...) starts one; all are stopped, and must stop well, at the end of the test."""
    running = []

    def start(configuration, **options):
        one = Yett(folder / f"yett{len(running)}", configuration, **options)
        running.append(one)
        return one.start()

    yield start
    errors = []
    for one in running:
        try:
            one.stop()
        except AssertionError as e:
            errors.append(str(e))
    assert not errors, "\n".join(errors)


@pytest.fixture(scope="session")
def authority():
    """One authority for the session, with a server certificate for localhost and clients of its own."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="yett-ca-"))
    path.chmod(0o755)
    ca = Authority(path)
    ca.localhost = ca.server("localhost")
    ca.localhost_rsa = ca.server("localhost-rsa", key="rsa", sans=("DNS:localhost", "IP:127.0.0.1"))
    ca.alice = ca.client("alice")
    ca.bob = ca.client("bob")
    yield ca
    os.environ.get("YETT_KEEP") or shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def echo():
    with EchoServer() as server:
        yield server


@pytest.fixture
def token(folder):
    return SoftHsm(folder / "hsm")


@pytest.fixture
def port():
    return free_port()


def connect(port, host="127.0.0.1", timeout=20):
    s = socket.create_connection((host, port), timeout=timeout * PATIENCE)
    return s


__all__ = ["Yett", "YETT", "SWARM", "SLOW_TOKEN", "PATIENCE", "TOP", "connect", "ended", "free_port", "time"]
