"""How a module is named, initialised and called: NSS's own token, p11-kit's configuration, modules that want one call at a time."""
import subprocess
import threading

import pytest
from conftest import SLOW_TOKEN, YETT
from peers import client_tls
from test_token import counted, once, service

SOFTOKEN = "libsoftokn3.so"


@pytest.fixture
def database(folder, authority):
    """An NSS database with a password and the key of localhost."""
    path, password = folder / "nss", folder / "password"
    path.mkdir()
    password.write_text("no-Other-1\n")
    password.chmod(0o600)
    subprocess.run(["certutil", "-N", "-d", f"sql:{path}", "-f", password], check=True)
    subprocess.run(["openssl", "pkcs12", "-export", "-in", authority.localhost.pem, "-inkey", authority.localhost.key, "-name",
                    "server", "-passout", "pass:x", "-out", folder / "x.p12"], check=True)
    subprocess.run(["pk12util", "-d", f"sql:{path}", "-i", folder / "x.p12", "-k", password, "-W", "x"], check=True,
                   capture_output=True)
    return path


def softoken():
    """Where NSS has it: in its own folder, or in one below."""
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = [line.split()[-1] for line in cache.splitlines() if line.strip().startswith("libnss3.so ")]
    folders = [path.rpartition("/")[0] for path in found]
    listed = [f"{f}{sub}/{SOFTOKEN}" for f in folders for sub in ("", "/nss")]
    return next(p for p in listed if subprocess.run(["test", "-r", p]).returncode == 0)


def test_nss_own_token_is_a_module(yett, authority, folder, database, echo, port):
    module = f"[module nss]\npath = {softoken()}\npin = file:{folder}/password\n"
    parameters = f"parameters = configdir='sql:{database}' certPrefix='' keyPrefix='' secmod='' flags=readOnly\n"
    web = service(port, echo.port, "pkcs11:token=NSS%20Certificate%20DB;object=server;type=cert")
    running = yett(module + parameters + web)
    assert once(port, client_tls(authority))
    assert {t["label"]: t["pin"] for t in running.status()["modules"][0]["tokens"]}["NSS Certificate DB"] == "right"
    agent = running.status()["modules"][0]["pid"]
    running.configure(module + web)
    refused = running.command("reload", check=False)
    assert refused.returncode == 1 and "CKR_ARGUMENTS_BAD (0x7)" in refused.stderr and "parameters = " in refused.stderr
    running.configure(module + parameters.replace("readOnly", "readOnly,optimizeSpace") + web)
    running.command("reload")
    assert running.status()["modules"][0]["pid"] != agent
    assert once(port, client_tls(authority))
    listed = subprocess.run([YETT, "token", "list", "-c", running.config, "--module", "nss"], capture_output=True, text=True)
    assert listed.returncode == 0 and "token=NSS%20Certificate%20DB" in listed.stdout, listed


def test_a_module_that_p11_kit_is_configured_for_goes_by_its_name(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    yett(token.settings(module="softhsm2") + service(port, echo.port, uri))
    assert once(port, client_tls(authority))
    listed = subprocess.run([YETT, "token", "list", "--module", "softhsm2"], capture_output=True, text=True,
                            env=dict(token.environment))
    assert listed.returncode == 0 and "token=test" in listed.stdout, listed


def test_a_module_is_called_for_one_thing_at_a_time(yett, authority, token, folder, echo, port):
    """It is told so from the beginning, and not only when it says that it cannot lock."""
    uri = token.put(authority.localhost, "server")
    counts = folder / "counts"
    settings = token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=20, YETT_TEST_COUNT_FILE=counts,
                              YETT_TEST_CANT_LOCK=1)
    running = yett(settings + "serialise = yes\n" + service(port, echo.port, uri))
    done = []
    clients = [threading.Thread(target=lambda: done.append(once(port, client_tls(authority)))) for _ in range(8)]
    for t in clients:
        t.start()
    for t in clients:
        t.join()
    assert done == [True] * 8
    calls = counted(counts)
    assert calls["C_Sign"] == 8 and calls["CONCURRENT"] == 0 and calls["C_Initialize"] == 1, calls
    assert "cannot lock" not in running.log()
