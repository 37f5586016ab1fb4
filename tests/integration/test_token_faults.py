"""Tokens that fail while they are in use, as real card stacks do, and what becomes of the service."""
import contextlib
import ssl

import pytest
from conftest import BUILD, PATIENCE
from peers import client_tls, wait_until
from test_token import once, service

FAULTY_TOKEN = BUILD / "tests/modules/faulty-token.so"


class Faults:
    """faulty-token.so in front of SoftHSM: its rules, and what it has been asked (tests/modules/faulty_token.c)."""

    def __init__(self, folder, token):
        self.rules, self.written = folder / "faults", folder / "fault-calls"
        self.rules.write_text("")
        self.token = token

    def settings(self, name="token", **environment):
        return self.token.settings(name, module=FAULTY_TOKEN, YETT_FAULTS=self.rules, YETT_FAULT_CALLS=self.written,
                                   YETT_FAULT_PIN=self.token.pin, **environment)

    def set(self, *rules):
        fresh = self.rules.with_suffix(".new")
        fresh.write_text("".join(f"{rule}\n" for rule in rules))
        fresh.rename(self.rules)

    def calls(self, function):
        lines = self.written.read_text().splitlines() if self.written.exists() else []
        return sum(line.split()[1] == function for line in lines)


@pytest.fixture
def faults(folder, token):
    return Faults(folder, token)


def served(port, authority):
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        return once(port, client_tls(authority))
    return False


@pytest.mark.parametrize("code", ["0x5", "0x30", "0x80000113"])
def test_what_only_finalize_mends_is_mended_with_one_login(yett, authority, token, faults, echo, port, code):
    """As when pcscd has been started anew under OpenSC: slots are listed as ever, and everything else fails."""
    uri = token.put(authority.localhost, "server")
    running = yett(faults.settings() + service(port, echo.port, uri))
    for outage in range(1, 4):
        assert served(port, authority)
        logins = faults.calls("C_Login")
        faults.set(f"stick-quietly C_Sign {code}")
        assert not served(port, authority)
        faults.set()
        wait_until(lambda: served(port, authority), "the token to be mended", 20 * PATIENCE)
        assert faults.calls("C_Finalize") == outage
        assert logins < faults.calls("C_Login") <= logins + 2
    module = running.status()["modules"][0]
    assert (module["pin"], module["restarts"]) == ("right", 0)
    assert not running.log_lines("pin_refused")
    assert f"({code})" in running.log()


def test_what_only_a_new_agent_mends(yett, authority, token, faults, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(faults.settings() + service(port, echo.port, uri))
    assert served(port, authority)
    logins = faults.calls("C_Login")
    faults.set("fail C_Sign 0x6")
    wait_until(lambda: not served(port, authority) and running.log_lines("agent_failed"), "the agent to give way",
               20 * PATIENCE)
    faults.set()
    wait_until(lambda: served(port, authority), "another agent", 20 * PATIENCE)
    assert faults.calls("C_Login") <= logins + 2
    assert running.status()["modules"][0]["pin"] == "right"
    assert "CKR_FUNCTION_FAILED (0x6)" in running.log_lines("agent_failed")[0]["reason"]


def test_a_login_that_the_token_fails_is_not_held_against_the_pin(yett, authority, token, faults, echo, port):
    """Neither while starting nor later; it is made again, and nobody has to do anything."""
    uri = token.put(authority.localhost, "server")
    faults.set("fail C_Login 0x32 1")
    running = yett(faults.settings() + service(port, echo.port, uri))
    assert served(port, authority)
    assert faults.calls("C_Login") == 2
    faults.set("drop", "fail C_Login 0x5 1")
    wait_until(lambda: served(port, authority), "a login", 20 * PATIENCE)
    assert faults.calls("C_Login") == 4
    assert running.status()["modules"][0]["pin"] == "right"
    assert not running.log_lines("pin_refused")
