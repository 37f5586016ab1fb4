"""Intermediates of verified peers, remembered by all workers, across reloads and restarts."""
import os

import pytest
from authority import Authority
from conftest import PATIENCE
from peers import client_tls, tool, wait_until
from test_trust import ask, terminating, without_issuers


class Family:
    """A root, an intermediate that carol sends, and dave's certificate, shown without it."""

    def __init__(self, folder, authority):
        inner = Authority(folder / "inner", "Inner CA", issuer=authority)
        carol, dave = inner.client("carol"), inner.client("dave")
        self.inner = inner
        self.carol = client_tls(authority, cert=carol)
        self.dave = client_tls(authority, cert=without_issuers(dave))


@pytest.fixture
def family(folder, authority):
    return Family(folder, authority)


def test_all_workers_and_the_next_generation_know(yett, authority, echo, family, port):
    running = yett(terminating(port, echo.port, authority.localhost, [authority.cert]), settings="workers = 3\n")
    assert not ask(port, family.dave)
    assert running.status()["intermediates"] == 0
    assert ask(port, family.carol) == b"hello"
    wait_until(lambda: running.status()["intermediates"] == 1, "the news")
    wait_until(lambda: all(ask(port, family.dave) == b"hello" for _ in range(12)), "all workers to know", 20 * PATIENCE)
    assert "1 intermediates of verified peers" in running.command("status").stdout
    running.command("reload")
    assert all(ask(port, family.dave) == b"hello" for _ in range(12))


ROOT = pytest.param("user = nobody\n", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody"))


@pytest.mark.parametrize("user", ["", ROOT])
def test_restart_remembers(yett, authority, echo, family, folder, port, user):
    """Also where the workers, which read none of it themselves, could not."""
    file = folder / "i.pem"
    settings = f"workers = 1\nintermediates = {file}\n{user}"
    services = terminating(port, echo.port, authority.localhost, [authority.cert])
    first = yett(services, settings=settings)
    assert ask(port, family.carol) == b"hello"
    first.stop()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [x.name for x in folder.glob("i.pem*")] == ["i.pem"]
    assert b"Inner CA" in tool("openssl", "x509", "-noout", "-subject", "-in", file).stdout.encode()

    second = yett(services, settings=settings)
    assert second.status()["intermediates"] == 1
    assert ask(port, family.dave) == b"hello"
    second.stop()

    # It is a candidate and no more: whoever does not trust the root does not trust it either.
    other = Authority(folder / "other", "Other Root")
    third = yett(terminating(port, echo.port, authority.localhost, [other.cert]), settings=settings)
    assert not ask(port, family.dave)
    third.wait_for_log("unknown_issuer")


@pytest.mark.parametrize("case", ["garbage", "foreign", "writable", "fifo"])
def test_file_of_no_use_is_said_once_and_ignored(yett, authority, echo, family, folder, port, case):
    file = folder / "i.pem"
    inner = family.inner.cert.read_text()
    text = {"garbage": "# yett: intermediates of verified peers\n" + inner.replace("M", "N", 20),
            "foreign": inner, "writable": "# yett: intermediates of verified peers\n" + inner}.get(case)
    if case == "fifo":
        tool("mkfifo", file)
    else:
        file.write_text(text)
        file.chmod(0o620 if case == "writable" else 0o600)
    running = yett(terminating(port, echo.port, authority.localhost, [authority.cert]),
                   settings=f"workers = 1\nintermediates = {file}\n")
    running.command("reload")
    assert not ask(port, family.dave)
    line, = running.log_lines("intermediates_ignored")
    assert str(file) in line["reason"] and line["level"] == "warning", line
    assert ask(port, family.carol) == b"hello"
    assert ask(port, family.dave) == b"hello"
    running.stop()
    if case == "garbage":  # it was ours, and is again
        assert file.read_text().count("BEGIN") == 1
    elif text:
        assert file.read_text() == text
    else:
        assert file.is_fifo()


def test_folder_that_is_not_there_is_a_finding(yett, authority, echo, folder, port):
    running = yett(terminating(port, echo.port, authority.localhost, [authority.cert]))
    running.settings = f"intermediates = {folder}/no/i.pem\n"
    running.configure(terminating(port, echo.port, authority.localhost, [authority.cert]))
    for command in ("check", "reload"):
        result = running.command(command, check=False)
        assert result.returncode == 1
        assert f"yett.conf:{running.config.read_text().splitlines().index(running.settings.strip()) + 1}: intermediates: " \
            f"the folder {folder}/no is not there" in result.stdout + result.stderr
