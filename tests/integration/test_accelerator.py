"""Workers compute with yett's module, the rest stays as it is. All other tests run with it, and without it where
YETT_ACCELERATOR=none is in the environment (as scripts/test --preset asan has it)."""
import ssl
import subprocess

import pytest
from conftest import FIPS_MODE, PATIENCE, YETT, connect, preloading
from peers import client_tls
from test_tls import exchange, terminating

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
NAME = "yett-accelerator.so"


def installed():
    lines = subprocess.run([YETT, "version"], capture_output=True, text=True, check=True).stdout.splitlines()
    return next(line.split(" ", 1)[1] for line in lines if line.startswith("accelerator "))


def mapped(worker):
    with open(f"/proc/{worker}/maps", encoding="utf-8") as maps:
        return NAME in maps.read()


def test_version_tells_where_it_is():
    assert installed().endswith(f"/{NAME}")


@pytest.mark.parametrize("setting, loaded", [("# accelerator: the default\n", True), ("accelerator = none\n", False),
                                             ("accelerator = auto\n", True)], ids=["default", "none", "auto"])
def test_it_is_in_workers_that_are_to_have_it(yett, authority, echo, port, setting, loaded):
    y = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"), settings=setting)
    status = y.status()
    assert {status["accelerator"], *(worker["accelerator"] for worker in status["workers"])} == {installed() if loaded else "none"}
    assert ("NSS computes with" in y.command("status").stdout) is loaded
    pids = list(y.workers().values())
    assert pids and all(mapped(pid) is loaded for pid in pids)
    assert exchange(port, client_tls(authority))[0] == b"hello"


def test_status_tells_what_workers_have_and_not_what_they_were_to_have(yett, authority, echo, port):
    y = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"),
             settings="accelerator = auto\n", environment=preloading(FIPS_MODE))
    status = y.status()
    assert status["accelerator"] == "none"
    assert [worker["accelerator"] for worker in status["workers"]] == ["none", "none"]
    assert "NSS computes with" not in y.command("status").stdout
    assert not any(mapped(pid) for pid in y.workers().values())
    assert exchange(port, client_tls(authority))[0] == b"hello"


@VERSIONS
@pytest.mark.parametrize("kind", ["localhost", "localhost_rsa"])
def test_sessions_resume_on_every_worker_and_across_a_reload(yett, authority, echo, port, version, kind):
    y = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{getattr(authority, kind).pem}"),
             settings="accelerator = auto\nworkers = 2\n")
    context = client_tls(authority, version=version)

    def once(session):
        with context.wrap_socket(connect(port), server_hostname="localhost", session=session) as tls:
            tls.sendall(b"hello")
            assert tls.recv(5) == b"hello"  # tickets of TLS 1.3 come with the first data
            return tls.session, tls.session_reused

    session, reused = once(None)
    assert not reused
    for _ in range(10):
        session, reused = once(session)
        assert reused
    y.command("reload")
    for _ in range(10):
        session, reused = once(session)
        assert reused


@pytest.mark.parametrize("path, why", [("/nonexistent/module.so", "{}: cannot be loaded: No such file or directory"),
                                       ("/etc/passwd", "NSS does not load the accelerator {0}: {0}: invalid ELF header; it must be a "),
                                       (str(FIPS_MODE), "NSS does not load the accelerator {}: it has no C_GetFunctionList; it")])
def test_one_that_cannot_be_loaded_stops_the_start(folder, authority, echo, port, path, why):
    config = folder / "yett.conf"
    config.write_text(f"[yett]\ncontrol = {folder}/c.sock\naccelerator = {path}\n" +
                      terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"))
    result = subprocess.run([YETT, "check", "-c", str(config)], capture_output=True, text=True)
    said = result.stdout + result.stderr
    assert result.returncode == 1, said
    assert f"{config}:3: accelerator: {why.format(path)}" in said, said


@pytest.mark.parametrize("section, line", [("[yett]\ncontrol = {folder}/c.sock\naccelerator = {library}\n", 3),
                                           ("[yett]\ncontrol = {folder}/c.sock\n[module m]\npath = {library}\n", 3)],
                         ids=["accelerator", "module"])
def test_a_library_that_is_cut_short_is_told(folder, authority, echo, port, section, line):
    """An installation that was interrupted: the loader maps what is not there, and SIGBUS ends the process without a word."""
    library, config = folder / "short.so", folder / "yett.conf"
    with open(installed(), "rb") as whole:
        library.write_bytes(whole.read(20000))
    config.write_text(section.format(folder=folder, library=library) +
                      terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"))
    for command in ("check", "run") if line == 3 and "accelerator" in section else ("check",):
        result = subprocess.run([YETT, command, "-c", str(config)], capture_output=True, text=True, timeout=60 * PATIENCE)
        said = result.stdout + result.stderr
        assert result.returncode == 1 and f"{library}: is cut short: it has 20000 bytes" in said, said
        assert command == "run" or f"{config}:{line}: " in said, said
