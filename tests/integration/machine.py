"""A clean Debian, of the release that this machine has, that systemd has booted, with yett installed as docs/first-service.md has it."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from conftest import PATIENCE, TOP
from peers import wait_until

PAGE = TOP / "docs/first-service.md"
ROOTS = TOP / "build/roots"
RELEASE = re.search(r"^VERSION_CODENAME=\"?(\w+)", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE).group(1)
PACKAGES = ("curl", "python3", "iproute2", "postfix", "dovecot-imapd", "nginx-light")


def commands():
    """The page's indented blocks, a here-document with its command: (section, command)."""
    found, section, lines = [], "", []

    def end():
        block = "\n".join(lines).strip("\n")
        lines.clear()
        at = 0
        for match in re.finditer(r"^[^\n]*<<'END'\n.*?^END$|^[^\n]+$", block, re.MULTILINE | re.DOTALL):
            assert match.start() - at <= 1, block
            found.append((section, match.group()))
            at = match.end()
    for line in PAGE.read_text().splitlines():
        if line.startswith("    ") or (lines and not line):
            lines.append(line[4:])
            continue
        end()
        if line.startswith("## "):
            section = line[3:]
    end()
    return found


class Machine:
    """A Debian in a folder, booted by systemd-nspawn with a network of its own."""

    def __init__(self, root):
        self.root, self.process = root, None
        self.name = f"yett-test-{os.getpid()}"

    def boot(self):
        self.console = open(self.root.parent / f"{self.name}.log", "w+")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", f"--machine={self.name}",
             f"--directory={self.root}", "--boot"], stdin=subprocess.DEVNULL, stdout=self.console,
            stderr=subprocess.STDOUT, start_new_session=True)
        wait_until(lambda: self.process.poll() is not None or self.leader(), "the machine to start", 60 * PATIENCE)
        assert self.process.poll() is None, self.output()
        wait_until(lambda: self.run("systemctl is-system-running", check=False).stdout.strip() in
                   ("running", "degraded"), "systemd to be up", 120 * PATIENCE)

    def output(self):
        self.console.flush()
        return pathlib.Path(self.console.name).read_text(errors="replace")[-3000:]

    def leader(self):
        """The machine's process 1, as we see it."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with contextlib.suppress(OSError):
            return next((int(p) for p in children.read_text().split()), None)
        return None

    def run(self, command, check=True, timeout=900):
        """By a shell within."""
        result = subprocess.run(["nsenter", "--target", str(self.leader()), "--all", "/bin/sh", "-c",
                                 f"cd /root/yett && {command}"], capture_output=True, text=True,
                                timeout=timeout * PATIENCE, check=False, env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                     "HOME": "/root", "LC_ALL": "C.UTF-8"})
        assert not check or result.returncode == 0, f"$ {command}\n{result.stdout}\n{result.stderr}"
        return result

    def stop(self):
        if self.process is None:
            return
        leader = self.leader()
        if leader and self.process.poll() is None:
            with contextlib.suppress(subprocess.SubprocessError, AssertionError):
                self.run("systemctl poweroff --no-block", check=False, timeout=20)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.console.close()


def install(root):
    """Section 1, which wants the network: in the root before it is booted, as it would be on a machine."""
    shell = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={root}", "--chdir=/root/yett",
             "--setenv=DEBIAN_FRONTEND=noninteractive"]
    for section, command in commands():
        if not section.startswith("1."):
            continue
        result = subprocess.run([*shell, "/bin/sh", "-c", command], capture_output=True, text=True, check=False,
                                timeout=1500 * PATIENCE, stdin=subprocess.DEVNULL)
        assert result.returncode == 0, f"$ {command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"


@contextlib.contextmanager
def installed_machine():
    """That Debian, in which section 1 of the page has been done, booted. A folder of its own, removed at the end."""
    ROOTS.mkdir(parents=True, exist_ok=True)
    clean = ROOTS / RELEASE
    subprocess.run([TOP / "scripts/debian-root", RELEASE, clean, *PACKAGES], check=True, timeout=1500)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="yett-machine-", dir=ROOTS))
    root = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", clean, root], check=True)
    files = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], capture_output=True, check=True).stdout
    (root / "root/yett").mkdir()
    subprocess.run(["cpio", "--null", "--pass-through", "--make-directories", "--quiet", root / "root/yett"], cwd=TOP,
                   input=files, check=True)
    one = Machine(root)
    try:
        install(root)
        one.boot()
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)
