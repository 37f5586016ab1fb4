"""Machines of a Debian that scripts/test-packages names, and the packages that it has made."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/integration"))

from peers import PATIENCE  # noqa: E402, F401: machine takes it, and TOP, from here
from machine import Machine  # noqa: E402

RELEASE = os.environ["YETT_RELEASE"]
PACKAGES = pathlib.Path(os.environ["YETT_PACKAGES"])
ROOTS = pathlib.Path(os.environ.get("YETT_ROOTS", TOP / "build/roots"))
# What the first service is tried with. Nothing of yett's own dependencies.
WANTED = ("curl", "python3", "openssl")


def files(kind):
    return sorted(p for p in (PACKAGES / kind).glob("*.deb") if "-dbgsym" not in p.name)


def within(root, command, *, options=(), check=True, timeout=900):
    """By a shell in a root that is not booted, with this machine's network."""
    result = subprocess.run(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={root}",
                             "--setenv=DEBIAN_FRONTEND=noninteractive", *options, "/bin/sh", "-c", command],
                            capture_output=True, text=True, check=False, timeout=timeout * PATIENCE, stdin=subprocess.DEVNULL)
    assert not check or result.returncode == 0, f"$ {command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


@contextlib.contextmanager
def clean_root(kind):
    """A copy of a clean Debian, with the packages of `kind` in /packages, and what must be there to install them."""
    ROOTS.mkdir(parents=True, exist_ok=True)
    clean = ROOTS / f"packages-{RELEASE}"
    subprocess.run([TOP / "scripts/debian-root", RELEASE, clean, *WANTED], check=True, timeout=1500)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="yett-packages-", dir=ROOTS))
    root = folder / "root"
    try:
        subprocess.run(["cp", "-a", "--reflink=auto", clean, root], check=True)
        for one in ("old", "new") if kind == "old" else ("new",):
            (root / "packages" / one).mkdir(parents=True)
            for path in files(one):
                shutil.copy(path, root / "packages" / one)
        (root / "root/yett").mkdir()
        shutil.copytree(TOP / "packaging/debian/tests", root / "root/yett/tests")
        within(root, "apt-get update -q")
        yield root
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def paths(root):
    """Every file and folder of a root, but for what the machine itself writes while it runs."""
    found = set()
    for folder, _, names in os.walk(root):
        relative = "/" + os.path.relpath(folder, root) if folder != str(root) else ""
        if relative.split("/")[1:2] in (["proc"], ["sys"], ["dev"], ["run"], ["tmp"], ["packages"], ["root"]) or \
                relative.startswith(("/var/lib/dpkg", "/var/cache", "/var/log", "/var/lib/apt", "/var/lib/systemd", "/var/tmp")):
            continue
        found |= {f"{relative}/{n}" for n in names} | ({relative} if relative else set())
    return found


@pytest.fixture(scope="module")
def booted():
    """The machine on which the version before was installed, booted; what was there before is in machine.before."""
    with clean_root("old") as root:
        # What the packages depend on first, so that only their own files come after that.
        within(root, "for one in /packages/*/*.deb; do dpkg-deb --field $one Depends | sed 's/, yett ([^)]*)//'; done | sort -u | "
                     "while read -r needed; do apt-get satisfy -y --no-install-recommends \"$needed\" </dev/null || exit 1; done")
        before = paths(root)
        within(root, "dpkg --install /packages/old/*.deb")
        machine = Machine(root)
        machine.before = before
        try:
            machine.boot()
            yield machine
        finally:
            machine.stop()
