"""The Debian packages, in short: built on this machine from the last commit, lintian content, and what is in them."""
import os
import re
import subprocess

import pytest
from conftest import PATIENCE, TOP, YETT
from test_process_reload import echoes, service

CONTENTS = TOP / "tests/packages/contents.txt"
BASH = TOP / "packaging/completion/yett.bash"
ZSH = TOP / "packaging/completion/yett.zsh"
HOOK = TOP / "packaging/certbot-deploy"


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """{name: path}. lintian's errors and warnings are among what makes this fail."""
    folder = tmp_path_factory.mktemp("packages")
    result = subprocess.run([TOP / "scripts/package-debian", folder], capture_output=True, text=True, check=False,
                            timeout=900 * PATIENCE)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return {p.name.split("_")[0]: p for p in folder.glob("*.deb")}


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True).stdout.strip()


def contents(package):
    """Mode, owner and path of each; what is named after the machine or the build has a star."""
    listed = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True).stdout
    found = []
    for line in listed.splitlines():
        mode, owner, _, _, _, path = line.split(None, 5)
        path = re.sub(r"/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*", "/lib/*", path.removeprefix("."))
        path = re.sub(r"^(/usr)?/lib/systemd/", "/lib/systemd/", path)  # Debian 12 has it without /usr, 13 with
        if path in ("/lib/", "/usr/lib/") or "/docs/" in path or "/.build-id/" in path or ".dwz/" in path:
            continue
        found.append(f"{mode} {owner} {path}")
    return sorted(set(found), key=lambda x: x.split(" ", 2)[2])


def test_there_is_what_is_expected(packages):
    assert packages.keys() == {"yett", "yett-accelerator", "yett-dbgsym", "yett-accelerator-dbgsym"}
    text = "".join(f"{name}:\n" + "".join(f"  {x}\n" for x in contents(packages[name]))
                   for name in ("yett", "yett-accelerator"))
    if os.environ.get("YETT_WRITE_CONTENTS"):
        CONTENTS.write_text(text)
    assert text == CONTENTS.read_text(), "if it is meant: YETT_WRITE_CONTENTS=1"


def test_versions_and_dependencies_are_the_programs(packages):
    version = field(packages["yett"], "Version")
    upstream = re.search(r"^project\(yett VERSION ([0-9.]+)", (TOP / "CMakeLists.txt").read_text(), re.M)[1]
    debian = re.search(r'^VERSION_ID="?(\d+)', open("/etc/os-release").read(), re.M)[1]
    assert re.fullmatch(rf"{re.escape(upstream)}(\+git\d{{8}}\.\d{{4}}\.[0-9a-f]{{8}})?\+deb{debian}", version), version
    needed = field(packages["yett"], "Depends")
    assert all(re.search(rf"\b{x}", needed) for x in ("libnss3", "libnspr4", "libuv1", "libhttp-parser", "libseccomp2"))
    assert "libssl" not in needed, "libcrypto is the accelerator's alone"
    assert re.search(r"\blibssl3", field(packages["yett-accelerator"], "Depends"))
    assert f"yett (= {version})" in field(packages["yett-accelerator"], "Depends")
    assert f"yett-accelerator (= {version})" == field(packages["yett"], "Recommends")


def test_the_debugging_symbols_are_the_programs(packages, tmp_path):
    for name in ("yett", "yett-dbgsym"):
        subprocess.run(["dpkg-deb", "--extract", packages[name], tmp_path / name], check=True)
    notes = subprocess.run(["readelf", "-n", tmp_path / "yett/usr/bin/yett"], capture_output=True, text=True, check=True).stdout
    build_id = re.search(r"Build ID: ([0-9a-f]+)", notes)[1]
    assert (tmp_path / f"yett-dbgsym/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug").is_file()
    unit = next((tmp_path / "yett").rglob("yett.service"))
    assert "\nExecStart=/usr/bin/yett run\n" in unit.read_text()
    # Stricter than this it has been; looser it is not to become.
    result = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", unit],
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:]
    # Nothing of the folder it was built in, which differs from one machine to the next.
    for path in (tmp_path / "yett").rglob("*"):
        assert not path.is_file() or path.is_symlink() or str(TOP).encode() not in path.read_bytes(), path


# ---- what packages bring, without one ----

def completed(*words):
    """What bash offers for the last of these words."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _yett; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    result = subprocess.run(["bash", "-c", script, "bash", BASH, "yett", *words], capture_output=True, text=True, check=True,
                            cwd=TOP)
    assert result.stderr == ""
    return result.stdout.split()


def test_bash_completes_commands_options_and_values():
    assert completed("re") == ["reload"]
    assert completed("token", "key") == ["keygen"]
    assert "--subject" in completed("token", "request", "--") and "--type" not in completed("token", "request", "--")
    assert completed("verify", "--purpose", "") == ["server", "client"]
    assert completed("status", "--j") == ["--json"]
    assert completed("crl", "add", "README") == ["README.md"]
    assert completed("token", "set-pin", "--pin", "cred") == ["credential:"]


def zsh_told(*words):
    """What zsh's own functions would be told for the last of these words."""
    script = ('_describe() { print -rl -- "${(@P)2}" }; _arguments() { print -rl -- "$@" }; file=$1; shift; words=("$@"); '
              'CURRENT=$#; source $file')
    result = subprocess.run(["zsh", "-f", "-c", script, "zsh", ZSH, "yett", *words], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return result.stdout.splitlines()


def test_zsh_completes_commands_options_and_values():
    assert "reload:have it read its configuration again" in zsh_told("re")
    assert any(x.startswith("keygen:") for x in zsh_told("token", "key"))
    assert any("--subject[" in x for x in zsh_told("token", "request", "--"))
    assert not any("--type[" in x for x in zsh_told("token", "request", "--"))
    assert any("--purpose[" in x and x.endswith(":value:(server client)") for x in zsh_told("verify", "--purpose", ""))
    assert "(--now)--now[do not wait for sessions]" in zsh_told("stop", "--n")
    assert "*:file:_files" in zsh_told("crl", "add", "")


def deploy(running, lineage):
    return subprocess.run([HOOK], capture_output=True, text=True, check=False, timeout=120 * PATIENCE,
                          env={**os.environ, "PATH": f"{YETT.parent}:{os.environ['PATH']}", "YETT_USER": "root",
                               "YETT_CONFIG": str(running.config), "RENEWED_LINEAGE": str(lineage)})


def test_certbots_hook_puts_a_renewed_certificate_to_use(yett, authority, echo, port, folder):
    class Identity:
        pem = folder / "yett0/www.example.org.pem"
    lineage = folder / "live/www.example.org"
    lineage.mkdir(parents=True)

    def renew(certificate, key):
        (lineage / "fullchain.pem").write_text(certificate.cert.read_text())
        (lineage / "privkey.pem").write_text(key.key.read_text())
    (folder / "yett0").mkdir()
    first, second, other = (authority.issue(n, sans=("DNS:localhost",)) for n in ("first", "second", "other"))
    Identity.pem.write_text(first.pem.read_text())
    Identity.pem.chmod(0o640)
    running = yett(service(port, echo.port, Identity))
    generation = running.status()["generation"]
    renew(second, second)
    result = deploy(running, lineage)
    assert result.returncode == 0, result
    assert second.cert.read_text().strip() in Identity.pem.read_text()
    assert Identity.pem.stat().st_mode & 0o777 == 0o640
    assert running.status()["generation"] == generation + 1 and echoes(port, authority)
    # What does not fit is told to certbot, and changes nothing.
    renew(other, second)
    before = Identity.pem.read_text()
    result = deploy(running, lineage)
    assert result.returncode == 1 and "cannot be used" in result.stderr, result
    assert Identity.pem.read_text() == before and running.status()["generation"] == generation + 1
    assert [p.name for p in (folder / "yett0").iterdir() if "certbot" in p.name] == []


def test_certbots_hook_where_no_yett_runs(authority, folder):
    class Nobody:
        config = folder / "yett.conf"
    Nobody.config.write_text(f"[yett]\ncontrol = {folder}/c.sock\n")
    lineage = folder / "mail"
    lineage.mkdir()
    certificate = authority.server()
    (lineage / "fullchain.pem").write_text(certificate.cert.read_text())
    (lineage / "privkey.pem").write_text(certificate.key.read_text())
    assert deploy(Nobody, lineage).returncode == 0
    assert certificate.key.read_text().strip() in (folder / "mail.pem").read_text()
    (lineage / "privkey.pem").unlink()
    result = deploy(Nobody, lineage)
    assert result.returncode != 0 and "privkey.pem" in result.stderr, result
