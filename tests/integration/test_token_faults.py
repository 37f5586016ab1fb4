"""Tokens that fail while they are in use, as real card stacks do, and what becomes of the service."""
import contextlib
import os
import re
import ssl
import subprocess
from urllib.parse import quote

import pytest
from conftest import BUILD, PATIENCE, YETT, connect, free_port
from peers import SoftHsm, client_tls, wait_until
from test_process_control import curl
from test_token import once, service

FAULTY_TOKEN = BUILD / "tests/modules/faulty-token.so"


class Faults:
    """faulty-token.so in front of SoftHSM: its rules, and what it has been asked (tests/modules/faulty_token.c)."""

    def __init__(self, folder, token):
        self.rules, self.written = folder / "faults", folder / "fault-calls"
        self.rules.write_text("")
        self.token = token
        self.times = 0

    def settings(self, name="token", **environment):
        return self.token.settings(name, module=FAULTY_TOKEN, YETT_FAULTS=self.rules, YETT_FAULT_CALLS=self.written,
                                   YETT_FAULT_PIN=self.token.pin, **environment)

    def set(self, *rules):
        fresh = self.rules.with_suffix(".new")
        self.times += 1
        fresh.write_text("".join(f"{rule}\n" for rule in (f"# {self.times}", *rules)))
        fresh.rename(self.rules)

    def calls(self, function):
        lines = self.written.read_text().splitlines() if self.written.exists() else []
        return sum(line.split()[1:2] == [function] for line in lines)


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
    # One that was under way at C_Finalize may have failed last, with another code.
    assert " fails (CKR_" in running.log_lines("agent_failed")[0]["reason"]


def test_a_login_that_the_token_fails_is_not_held_against_the_pin(yett, authority, token, faults, echo, port):
    """Neither while starting nor later; it is made again, and nobody has to do anything."""
    uri = token.put(authority.localhost, "server")
    faults.set("fail C_Login 0x32 1")
    running = yett(faults.settings() + service(port, echo.port, uri))
    assert served(port, authority)
    # The one that failed, and two at most for each outage: the module may have been started anew in between.
    assert 2 <= (first := faults.calls("C_Login")) <= 3
    faults.set("drop", "fail C_Login 0x5 1")
    wait_until(lambda: served(port, authority), "a login", 20 * PATIENCE)
    assert first + 2 <= faults.calls("C_Login") <= first + 3
    assert running.status()["modules"][0]["pin"] == "right"
    assert not running.log_lines("pin_refused")


def pin_line(running):
    """FILE:LINE of `pin =`."""
    number = next(i for i, x in enumerate(running.config.read_text().splitlines(), 1) if x.startswith("pin"))
    return f"{running.config}:{number}: "


def pin_of(running, label="test"):
    return {t["label"]: t["pin"] for t in running.status()["modules"][0]["tokens"]}.get(label)


def token_command(running, *args, pin=""):
    """yett token login or logout: its exit status, and what it said."""
    result = subprocess.run([YETT, "token", args[0], "-c", running.config, *args[1:]], input=pin + "\n", text=True,
                            capture_output=True, timeout=60 * PATIENCE, env=running.environment)
    return result.returncode, (result.stdout + result.stderr).strip()


def test_a_pin_that_was_changed_takes_the_place_of_the_kept_one(yett, authority, token, faults, echo, port):
    """Changed on the token, in the file, and told by a reload, all while logged in; then the card is pulled out."""
    uri = token.put(authority.localhost, "server")
    running = yett(faults.settings() + service(port, echo.port, uri))
    assert served(port, authority)
    faults.set("pin 654321", "tries 3")
    token.pin_file.write_text("654321\n")
    running.command("reload")
    assert served(port, authority)
    assert faults.calls("C_Login") == 1
    faults.set("pin 654321", "tries 3", "gone")
    running.wait_for_log("token_gone")
    faults.set("pin 654321", "tries 3")
    running.wait_for_log("token_back")
    wait_until(lambda: served(port, authority), "the token to be logged in to", 20 * PATIENCE)
    assert faults.calls("C_Login") == 2
    assert pin_of(running) == "right"
    assert not running.log_lines("pin_refused")


def test_a_login_waits_for_what_the_token_says(yett, authority, token, faults, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(faults.settings() + service(port, echo.port, uri))

    def login(pin, *which):
        return token_command(running, "login", "token", *which, pin=pin)

    assert served(port, authority)
    assert token_command(running, "logout", "token")[0] == 0
    running.wait_for_log("token_logged_out")
    status, said = login("000000")
    assert status == 1 and "CKR_PIN_INCORRECT (0xa0)" in said
    assert pin_of(running) == "incorrect"
    faults.set("fail C_Login 0x30 1")
    status, said = login(token.pin)
    assert status == 1 and "CKR_DEVICE_ERROR (0x30)" in said and "nothing about the PIN" in said
    wait_until(lambda: served(port, authority), "the login to be made again", 20 * PATIENCE)
    assert pin_of(running) == "right"
    assert login(token.pin, "pkcs11:token=test") == (0, 'token "test" is logged in')
    status, said = login("111111")
    assert status == 0 and "kept, and was not tried" in said
    assert served(port, authority)
    status, said = login(token.pin, "pkcs11:token=nobody")
    assert status == 1 and "no such token" in said
    assert login(token.pin, "http://x")[0] == 2
    assert token_command(running, "login", "nothing", pin="1") == (1, 'there is no module "nothing"')


def test_two_tokens_of_one_label_are_two_accounts(yett, authority, folder, token, faults, echo, port):
    """A PIN that is wrong for one is not tried with the other, and a login names one of them by its serial number."""
    other = type(token)(folder / "other")  # the same label, in a store of its own
    uri = token.put(authority.localhost, "server")
    second = other.folder / "tokens"
    for entry in second.iterdir():
        entry.rename(token.folder / "tokens" / entry.name)
    running = yett(faults.settings() + service(port, echo.port, uri))
    assert served(port, authority)
    status, said = token_command(running, "login", "token", "pkcs11:token=test", pin="1")
    assert status == 1 and "several tokens are called so" in said
    assert faults.calls("C_Login") == 1


def test_a_label_of_odd_bytes_is_one_name(yett, authority, folder, echo, port):
    """Nor does its PIN go to another token, whose label is the odd one's beginning."""
    odd = SoftHsm(folder / "odd", "x\ny%\x1b[31m")
    other = SoftHsm(folder / "x", "x")
    odd.put(authority.localhost, "server")
    for entry in (other.folder / "tokens").iterdir():
        entry.rename(odd.folder / "tokens" / entry.name)
    faults = Faults(folder, odd)
    running = yett(faults.settings() + service(port, echo.port, f"pkcs11:token={quote(odd.label)};object=server"))
    assert served(port, authority)
    assert faults.calls("C_Login") == 1
    said = running.command("status").stdout
    assert "x%0Ay%25%1B[31m" in said and "\x1b" not in said, said
    assert token_command(running, "logout", "token")[0] == 0
    status, said = token_command(running, "login", "token", f"pkcs11:token={quote(odd.label)}", pin=odd.pin)
    assert status == 0 and "x%0Ay%25%1B[31m" in said and "\x1b" not in said, said
    assert served(port, authority)


def smtp(port):
    """What a mail client sees: the greeting, EHLO's answer, and what STARTTLS gets."""
    with connect(port) as s, s.makefile("rwb") as f:
        lines = [f.readline().decode()]
        f.write(b"EHLO me\r\n")
        f.flush()
        while True:
            lines.append(f.readline().decode())
            if lines[-1][3:4] != "-":
                break
        f.write(b"STARTTLS\r\n")
        f.flush()
        lines.append(f.readline().decode())
        return lines


def test_a_missing_card_stops_no_other_service_and_its_own_comes_up_with_it(yett, authority, token, faults, echo, port):
    mail, plain = free_port(), free_port()
    uri = token.put(authority.localhost, "server")
    faults.set("gone")
    running = yett(faults.settings() + service(port, echo.port, uri)
                   + service(plain, echo.port, f"file:{authority.localhost.pem}", "plain")
                   + f"[service mail]\nprotocol = smtp\nlisten = 127.0.0.1:{mail}\nlisten_tls = starttls\n"
                     f"identity = {uri}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n")
    assert served(plain, authority)
    assert not served(port, authority)
    said = smtp(mail)
    assert said[0].startswith("220") and not any("STARTTLS" in line for line in said[:-1])
    assert said[-1].startswith("454"), said
    assert running.log_lines("identity_away")
    assert running.log_lines(error="identity_unavailable") or "is not there" in running.log()
    faults.set()
    wait_until(lambda: served(port, authority), "the token's service", 30 * PATIENCE)
    wait_until(lambda: smtp(mail)[-1].startswith("220"), "STARTTLS", 20 * PATIENCE)
    assert served(plain, authority)
    assert running.log_lines("token_awaited")
    assert faults.calls("C_Login") == 1


def test_waiting_for_a_card_is_nothing_to_other_services(yett, authority, token, faults, echo, port):
    """What they have open goes on when it comes, and a configuration that somebody is writing is not meant yet."""
    plain = free_port()
    uri = token.put(authority.localhost, "server")
    faults.set("gone")
    running = yett(faults.settings() + service(port, echo.port, uri)
                   + service(plain, echo.port, f"file:{authority.localhost.pem}", "plain"),
                   settings="drain_timeout = 10ms\n")
    written = running.config.read_text()
    with client_tls(authority).wrap_socket(connect(plain), server_hostname="localhost") as established:
        established.sendall(b"before")
        assert established.recv(100) == b"before"
        running.config.write_text(written + "[service half")
        faults.set()
        wait_until(lambda: served(port, authority), "the token's service", 30 * PATIENCE)
        for i in range(20):
            established.sendall(b"%d" % i)
            assert established.recv(100) == b"%d" % i
        running.config.write_text(written)
        running.command("reload")  # which ends it, as it ends all others
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert established.recv(100) == b""
    assert not running.log_lines("reload_failed")


def test_a_reload_needs_no_card_but_a_pin_that_is_right(yett, authority, token, faults, echo, port):
    """A new agent whose token is out takes its place; one whose token refuses the PIN does not, and what was goes on."""
    uri = token.put(authority.localhost, "server")
    good = faults.settings() + service(port, echo.port, uri)
    running = yett(good)
    agent = running.status()["modules"][0]["pid"]
    assert served(port, authority)
    token.pin_file.write_text("000000\n")
    running.configure(good.replace("pin =", "sessions_max = 2\npin ="))
    refused = running.command("reload", check=False)
    assert refused.returncode == 1 and "CKR_PIN_INCORRECT (0xa0)" in refused.stderr
    assert refused.stderr.startswith(pin_line(running)), refused.stderr
    assert running.status()["modules"][0]["pid"] == agent
    again = running.command("reload", check=False)
    assert again.returncode == 1 and "it was wrong and is not tried again" in again.stderr
    wait_until(lambda: served(port, authority), "the old workers alone")  # new ones may not have heard yet
    assert faults.calls("C_Login") == 2
    faults.set("gone")
    running.wait_for_log("token_gone")
    running.command("reload")
    assert running.status()["modules"][0]["pid"] != agent
    assert not served(port, authority)


def test_a_wrong_pin_at_the_start_waits_for_a_login(yett, authority, token, faults, echo, port):
    uri = token.put(authority.localhost, "server")
    token.pin_file.write_text("000000\n")
    running = yett(faults.settings() + service(port, echo.port, uri))
    assert not served(port, authority)
    assert pin_of(running) == "incorrect"
    assert token_command(running, "login", "token", pin=token.pin) == (0, 'token "test" is logged in')
    wait_until(lambda: served(port, authority), "the token's service", 30 * PATIENCE)
    assert faults.calls("C_Login") == 2


def test_a_wrong_pin_is_tried_once_however_often_yett_starts(yett, authority, token, faults, echo, port):
    """The token remembers; a right one in the file is taken by a reload, or given by a person."""
    uri = token.put(authority.localhost, "server")
    token.pin_file.write_text("000000\n")
    running = yett(faults.settings() + service(port, echo.port, uri))
    (refused,) = running.log_lines("pin_refused")
    assert pin_line(running)[:-2] in refused["reason"] and "CKR_PIN_INCORRECT (0xa0)" in refused["reason"]
    for _ in range(3):
        running.stop()
        running.start()
        assert not served(port, authority)
        assert pin_of(running) == "held"
    running.stop()
    checked = running.command("check", check=False)
    assert checked.returncode == 1 and checked.stdout.startswith(pin_line(running)), checked
    assert "CKF_USER_PIN_COUNT_LOW" in checked.stdout
    assert faults.calls("C_Login") == 1
    running.start()
    token.pin_file.write_text(token.pin + "\n")
    running.command("reload")
    wait_until(lambda: served(port, authority), "the token's service", 30 * PATIENCE)
    assert (faults.calls("C_Login"), pin_of(running)) == (2, "right")


def test_check_and_status_tell_that_somebody_has_logged_out(yett, authority, token, faults, echo, port):
    uri = token.put(authority.localhost, "server")
    running = yett(faults.settings() + service(port, echo.port, uri))
    assert running.command("check").returncode == 0
    assert token_command(running, "logout", "token")[0] == 0
    running.wait_for_log("token_logged_out")
    checked = running.command("check", check=False)
    assert checked.returncode == 1 and "an administrator has logged out" in checked.stdout, checked
    assert pin_of(running) == "logged_out"
    assert "PIN logged_out" in running.command("status").stdout
    before = running.workers()[0]
    os.kill(before, 9)  # one that takes its place starts with what is known of the key
    wait_until(lambda: running.workers().get(0) not in (None, before), "another worker", 20 * PATIENCE)
    assert not running.log_lines("identity_away")
    assert token_command(running, "login", "token", pin=token.pin)[0] == 0
    assert running.command("check").returncode == 0
    faults.set("gone")
    running.wait_for_log("token_gone")
    checked = running.command("check", check=False)
    assert checked.returncode == 1 and "no token matches" in checked.stdout, checked


def values(page, name):
    """Of a metric: what its labels say after those of the token, and its value."""
    lines = re.findall(rf'^yett_{name}{{module="token",token="test",serial="[0-9a-f]+",?(.*)}} (\S+)$', page, re.M)
    return {labels: float(value) for labels, value in lines}


def test_metrics_and_health_of_a_token(yett, authority, token, faults, echo, port):
    admin = free_port()
    uri = token.put(authority.localhost, "server")
    running = yett(faults.settings() + service(port, echo.port, uri), settings=f"admin = 127.0.0.1:{admin}\n")

    def ask(path):
        head, _, body = curl(f"http://127.0.0.1:{admin}{path}").partition("\n\n")
        return int(head.split()[1]), body

    def metric(name, labels=""):
        return values(ask("/metrics")[1], name).get(labels)

    assert served(port, authority)
    wait_until(lambda: metric("token_signatures_total"), "the signature to be counted", 20 * PATIENCE)
    assert (ask("/healthz"), ask("/readyz")) == ((200, "ok\n"), (200, "ok\n"))
    faults.set("fail C_Sign 0x30 2")  # the second is the one that is told
    assert not served(port, authority)
    faults.set()
    wait_until(lambda: metric("token_failures_total", 'code="CKR_DEVICE_ERROR",number="0x30"') == 1, "the failure",
               20 * PATIENCE)
    wait_until(lambda: served(port, authority), "the token to be well", 20 * PATIENCE)
    wait_until(lambda: metric("token_signatures_total") >= 2 and metric("token_busy") == 0, "rest", 20 * PATIENCE)
    page = ask("/metrics")[1]

    def now(name):
        return values(page, name)[""]

    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    buckets = values(page, "token_signature_seconds_bucket")
    assert list(buckets.values()) == sorted(buckets.values()) and list(buckets)[-1] == 'le="+Inf"'
    assert buckets['le="+Inf"'] == now("token_signature_seconds_count") == now("token_signatures_total") >= 2
    assert now("token_signature_seconds_sum") > 0
    assert values(page, "token_pin") == {f'standing="{s}"': s == "right" for s in (
        "untried", "right", "unknown", "held", "incorrect", "locked", "logged_out")}
    assert now("token_sessions_open") >= 1 and now("token_sessions_limit") == 8
    assert (now("token_busy"), now("token_queue"), now("token_present")) == (0, 0, 1)
    faults.set("gone")
    wait_until(lambda: ask("/readyz") == (503, 'module token: token "test" is not there\n'), "readiness to tell it",
               20 * PATIENCE)
    assert ask("/healthz") == (200, 'ok\nmodule token: token "test" is not there\n')
    assert metric("token_present") == 0
    faults.set()
    wait_until(lambda: ask("/readyz") == (200, "ok\n"), "readiness", 20 * PATIENCE)
    signatures = metric("token_signatures_total")
    os.kill(running.status()["modules"][0]["pid"], 9)
    wait_until(lambda: served(port, authority), "another agent", 20 * PATIENCE)
    wait_until(lambda: metric("token_signatures_total") > signatures, "what was counted before, and more", 20 * PATIENCE)


def test_readiness_tells_of_services_that_wait_for_a_token(yett, authority, token, faults, echo, port):
    admin = free_port()
    uri = token.put(authority.localhost, "server")
    faults.set("gone")
    yett(faults.settings() + service(port, echo.port, uri), settings=f"admin = 127.0.0.1:{admin}\n")
    assert "HTTP/1.1 503 " in curl(f"http://127.0.0.1:{admin}/readyz")
    assert curl(f"http://127.0.0.1:{admin}/healthz").endswith(
        "\n\nok\na service waits for the token with its key; the log says which (identity_away)\n")
    faults.set()
    wait_until(lambda: "HTTP/1.1 200 " in curl(f"http://127.0.0.1:{admin}/readyz"), "the token's service", 30 * PATIENCE)
    assert served(port, authority)
