"""What every peer needs: a port, patience, a process that is ended by its id, a TLS context, a command."""
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import subprocess
import time


PORTS_GIVEN = set()
PATIENCE = float(os.environ.get("YETT_SLOW", "1"))  # how much longer to wait where everything is slower


def free_port():
    """A loopback TCP port nobody listens on now, and a different one each time. Not one that the kernel would choose: it
    chooses the same one twice, and those of connections that are made meanwhile."""
    while True:
        port = random.randrange(10000, 32768)  # below Linux' ip_local_port_range
        if port in PORTS_GIVEN:
            continue
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            PORTS_GIVEN.add(port)
            return port


def wait_until(condition, what, seconds=20 * PATIENCE):
    """Poll until condition() is true; a failure says what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


def listens(port, host="127.0.0.1"):
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def ended(pid):
    """Whether a process is gone, or dead and merely not waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


class Process:
    """A child process with its output in a file, ended by its process id (its whole group, if it makes one)."""
    name = "process"
    log_name = None

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None
        self.port = free_port()

    def command(self):
        raise NotImplementedError

    def ready(self):
        return listens(self.port)

    def environment(self):
        return dict(os.environ)

    def start(self):
        self.output = open(self.folder / f"{self.name}.out", "w+")
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, env=self.environment(), start_new_session=True)
        try:
            wait_until(lambda: self.process.poll() is not None or self.ready(), f"{self.name} to be ready")
            assert self.process.poll() is None, f"{self.name} ended: {self.log()}"
        except AssertionError:
            self.stop()
            raise
        return self

    def log(self):
        """What it has written so far: to its terminal, and to the log its configuration names."""
        files = (self.folder / name for name in (f"{self.name}.out", self.log_name) if name)
        return "".join(f.read_text(errors="replace") for f in files if f.exists())

    def wait_for_line(self, text):
        """A line of its log that contains `text`. Servers write their logs after their clients have been answered."""
        return wait_until(lambda: next((x for x in self.log().splitlines() if text in x), None),
                          f"{text!r} in the log of {self.name}: {self.log()[-3000:]}")

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it left behind in its own session
        self.output.close()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def client_tls(authority=None, *, cert=None, version=None, alpn=None):
    """An ssl context of a client that trusts `authority` (None: verifies nothing)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context.load_verify_locations(str(authority.cert))
    if cert:
        context.load_cert_chain(str(cert.chain), str(cert.key))
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def server_tls(certificate, client_authority=None, version=None):
    """An ssl context of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate.chain), str(certificate.key))
    if client_authority:
        context.load_verify_locations(str(client_authority.cert))
        context.verify_mode = ssl.CERT_REQUIRED
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def tool(*command, input=None, timeout=30, check=True, env=None):
    """Run a command-line client (curl, swaks, gnutls-cli, openssl); returns its CompletedProcess with text."""
    result = subprocess.run([str(c) for c in command], input=input, capture_output=True, timeout=timeout,
                            env={**os.environ, **(env or {})})
    result.stdout, result.stderr = (b.decode(errors="replace") for b in (result.stdout, result.stderr))
    if check and result.returncode != 0:
        raise AssertionError(f"{command} said {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


def has_name(attribute, value, text):
    """Whether openssl has printed this attribute of a name: "CN = alice" until version 3.1, "CN=alice" since."""
    return re.search(rf"\b{attribute} ?= ?{re.escape(value)}(?![\w.-])", text) is not None


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
