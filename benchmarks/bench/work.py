"""What every proxy gets alike: certificates, the servers behind it, the load, and how its processor time is read."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = CORES[-1], CORES[0]


class Failed(RuntimeError):
    """A measurement that did not come off: told in its cell, and in the exit status."""


class NotHere(RuntimeError):
    """What this machine's versions cannot do: told in its cell, and no fault."""


def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.stderr.strip()[-500:] or done.returncode}")
    return done.stdout


def processor_seconds(pid):
    """Processor time a process and its threads, ended ones too, have used: the kernel's clock of that process."""
    return time.clock_gettime((~pid << 3) | 2)


def children(pid):
    out = [pid]
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    out += children(int(child))
    return out


def proportional_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def wait_for_port(port, seconds=20, process=None, host="127.0.0.1"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.02)
    raise Failed(f"nothing listens on port {port}")


class Asked:
    """A load process that does something for each line it gets, and answers with one JSON object."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        return self.answer()

    def answer(self):
        answer = self.process.stdout.readline()
        if not answer:
            raise Failed("the load gave up")
        return json.loads(answer)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Certificates:
    """Files in a folder. ecdsa, rsa: by themselves. leaf: below an intermediate and a root, for servers and clients that are
    verified; chain.pem is what such a one shows, root.crt whom the other side trusts."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.make()

    def file(self, name):
        return self.folder / name

    def make(self):
        p256, localhost = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["-addext", "subjectAltName=DNS:"
                                                                                     "localhost,IP:127.0.0.1"]
        authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        end = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth,clientAuth"]
        for name, key, subject, extensions, issuer in (
                ("ecdsa", p256, "localhost", localhost + end, None),
                ("rsa", ["-newkey", "rsa:2048"], "localhost", localhost + end, None),
                ("root", p256, "Benchmark Root", authority, None),
                ("intermediate", p256, "Benchmark Intermediate", authority, "root"),
                ("leaf", p256, "localhost", localhost + end, "intermediate")):
            above = [] if issuer is None else ["-CA", self.file(f"{issuer}.crt"), "-CAkey", self.file(f"{issuer}.key")]
            run(["openssl", "req", "-x509", *key, "-nodes", "-keyout", self.file(f"{name}.key"), "-out",
                 self.file(f"{name}.crt"), "-days", "30", "-subj", f"/CN={subject}", *extensions, *above])
        for name, parts in (("ecdsa.pem", ("ecdsa.crt", "ecdsa.key")), ("rsa.pem", ("rsa.crt", "rsa.key")),
                            ("chain.pem", ("leaf.crt", "intermediate.crt", "leaf.key"))):
            self.file(name).write_text("".join(self.file(p).read_text() for p in parts))
        for f in (*self.folder.glob("*.key"), *self.folder.glob("*.pem")):
            f.chmod(0o600)


class Work(Certificates):
    """A folder with certificates, the echo server, and the load generator."""

    def __init__(self, load, folder):
        super().__init__(folder)
        self.load_path = str(load)
        self.folder.chmod(0o755)
        self.echo_port = free_port()
        self.versions = self.load("version", 0)
        self.echo = subprocess.Popen(self.pinned("echo-server", self.echo_port))
        wait_for_port(self.echo_port)

    def pinned(self, *args):
        return ["taskset", "-c", str(LOAD_CORE), self.load_path, *map(str, args)]

    def echo_first(self, first):
        """Put the echo server before whatever else runs on the load's core, or no longer."""
        if os.geteuid() == 0:
            policy, priority = (os.SCHED_FIFO, 1) if first else (os.SCHED_OTHER, 0)
            os.sched_setscheduler(self.echo.pid, policy, os.sched_param(priority))

    def load(self, *args):
        return json.loads(run(self.pinned(*args)))

    def asked(self, *args, first=False):
        """first: before whatever else runs on the load's core, so that it is the proxy that is waited for. A nice value
        would not do: Linux since 6.6 lets who computes go on for its slice, however nice who wakes up is not."""
        priority = ["chrt", "-f", "1"] if first and os.geteuid() == 0 else []
        return Asked([*priority, *self.pinned(*args)])

    def close(self):
        self.echo.terminate()
        self.echo.wait()
