"""Keys on tokens: SoftHSM, and modules that are slow or misbehave in front of it."""
import collections
import os
import re
import socket
import ssl
import threading
import time

import pytest
from conftest import PATIENCE, SLOW_TOKEN, TOP, connect, free_port
from peers import EchoServer, Nginx, SoftHsm, client_tls, server_tls, tool, wait_until


def service(port, target, identity, name="web"):
    return (f"[service {name}]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = {identity}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n")


def once(port, context, data=b"hello"):
    with context.wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(data)
        return s.recv(100) == data


def counted(path):
    """How often the test module's functions were called: it writes a line for each call."""
    return collections.Counter(path.read_text().split() if path.exists() else ())


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_server_key_on_a_token(yett, authority, token, echo, port, kind, version):
    uri = token.put({"ecdsa": authority.localhost, "rsa": authority.localhost_rsa}[kind], "server")
    yett(token.settings() + service(port, echo.port, uri))
    assert once(port, client_tls(authority, version=version))


@pytest.mark.parametrize("peer", ["none", "request"])
def test_a_token_without_pss_caps_its_own_key_alone(yett, authority, token, echo, port, peer):
    """OpenSSL, which looks for signs of a downgrade, gets TLS 1.3 with any other key of the service."""
    uri = token.put(authority.localhost_rsa, "server")
    other = authority.server("other.test", key="rsa")
    card = token.put(authority.server("card.test", key="rsa"), "card", "02")
    identities = f"{uri}, file:{authority.localhost.pem}, file:{other.pem}, {card}"
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_HIDE_MECHANISMS="13:3")
                   + service(port, echo.port, identities) + f"peer = {peer}\n"
                   + (f"peer_trust = file:{authority.cert}\n" if peer != "none" else ""))
    running.wait_for_log("cannot make RSA-PSS signatures")

    def shown(name, *options):
        out = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, *options, "-CAfile",
                   authority.cert, "-verify_return_error", "-verify_hostname", name, input=b"").stdout
        version = next(v for v in ("TLSv1.3", "TLSv1.2") if f"{v}, Cipher is" in out)
        # "RSA-PSS" or "ECDSA"; from openssl 3.5 on "rsa_pss_rsae_sha256", as TLS 1.3 calls it.
        return version, "RSA" if re.search("(?i)signature type: rsa", out) else "ECDSA"

    rsa = ("-sigalgs", "RSA-PSS+SHA256:RSA+SHA256")
    assert shown("localhost") == ("TLSv1.3", "ECDSA")
    assert shown("localhost", *rsa) == ("TLSv1.2", "RSA")
    assert shown("other.test") == ("TLSv1.3", "RSA")
    assert shown("card.test") == ("TLSv1.2", "RSA")
    assert shown("card.test", "-tls1_2") == ("TLSv1.2", "RSA")
    # A first key share that is not known here: the server asks for another one (HelloRetryRequest), or goes back at once.
    other_share = ("-groups", "X448:X25519:P-256")
    assert shown("localhost", *other_share) == ("TLSv1.3", "ECDSA")
    assert shown("localhost", *rsa, *other_share) == ("TLSv1.2", "RSA")
    assert shown("other.test", *other_share) == ("TLSv1.3", "RSA")
    assert shown("card.test", *other_share) == ("TLSv1.2", "RSA")
    # With a certificate of the client's, where it is asked for one.
    alice = ("-cert", authority.alice.pem, "-key", authority.alice.pem)
    for name in ("localhost", "other.test", "card.test"):
        assert shown(name, *alice) == shown(name)


def test_resumption_does_not_ask_the_token(yett, authority, token, echo, port, folder):
    uri = token.put(authority.localhost, "server")
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0,
                                  YETT_TEST_COUNT_FILE=folder / "counts") + service(port, echo.port, uri))
    context = client_tls(authority)
    session = None
    for i in range(10):
        with context.wrap_socket(connect(port), server_hostname="localhost", session=session) as s:
            s.sendall(b"x")
            s.recv(1)
            assert s.session_reused == (i > 0)
            session = s.session
    modules = running.status()["modules"]
    wait_until(lambda: running.status()["modules"][0]["signatures"] == 1, f"one signature, not {modules}")


def test_client_key_on_a_token_that_cannot_be_extracted(yett, authority, token, folder, port):
    uri = token.put(authority.alice, "alice")
    with Nginx(folder / "nginx", authority.localhost, authority) as backend:
        yett(token.settings() + f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
             f"connect = localhost:{backend.port}\nconnect_tls = implicit\ntrust = file:{authority.cert}\n"
             f"identity = {uri}\n")
        assert tool("curl", "-sS", f"http://127.0.0.1:{port}/").stdout == "hello from nginx to [CN=alice]\n"


@pytest.mark.parametrize("args", [("-tls1_2",), ("-tls1_3",)])
def test_client_key_with_each_version(yett, authority, token, folder, port, args):
    from peers import OpensslServer
    uri = token.put(authority.alice, "alice")
    with OpensslServer(folder / "s", authority.localhost, "-Verify", "2", "-verify_return_error", "-CAfile",
                       authority.cert, *args) as backend:
        yett(token.settings() + f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
             f"connect = localhost:{backend.port}\nconnect_tls = implicit\ntrust = file:{authority.cert}\n"
             f"identity = {uri}\n")
        with connect(port) as s:
            s.sendall(b"abc\n")
            assert s.recv(100) == b"cba\n"


def test_an_established_connection_goes_on_while_the_token_signs(yett, authority, token, echo, port):
    uri = token.put(authority.localhost, "server")
    yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=3000) + service(port, echo.port, uri),
         settings="workers = 1\n")
    context = client_tls(authority)
    with context.wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        done = []
        others = [threading.Thread(target=lambda: done.append(once(port, client_tls(authority)))) for _ in range(4)]
        for t in others:
            t.start()
        time.sleep(0.5)
        for _ in range(100):  # all of these while four handshakes wait for their three seconds
            s.sendall(b"ping")
            assert s.recv(100) == b"ping"
        assert done == []
        for t in others:
            t.join()
        assert done == [True] * 4


def test_a_software_key_is_served_while_the_token_hangs(yett, authority, token, echo, port):
    from peers import free_port
    uri = token.put(authority.localhost, "server")
    other = free_port()
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=600000)
                   .replace("pin =", "sign_timeout = 2s\npin =")
                   + service(port, echo.port, uri) + service(other, echo.port, f"file:{authority.localhost.pem}", "soft"),
                   settings="workers = 1\n")
    failures = []

    def try_the_token():
        try:
            once(port, client_tls(authority))
        except (ssl.SSLError, OSError) as e:
            failures.append(e)

    hanging = [threading.Thread(target=try_the_token) for _ in range(12)]
    for t in hanging:
        t.start()
    for _ in range(20):
        assert once(other, client_tls(authority))
    for t in hanging:
        t.join()
    assert len(failures) == 12  # each ended by the deadline, none hangs for ever
    running.wait_for_counter("handshakes_server_failed_total", 12, service="web")


def test_a_wrong_pin_is_tried_once(yett, authority, token, folder, echo, port):
    uri = token.put(authority.localhost, "server")
    token.pin_file.write_text("999999\n")
    counts = folder / "counts"
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
                   + service(port, echo.port, uri))
    with pytest.raises((ssl.SSLError, OSError)):
        once(port, client_tls(authority))
    running.command("reload")
    assert running.log_lines("pin_refused")
    assert counted(counts)["C_Login"] == 1
    assert "999999" not in running.log()


def test_kill_9_of_the_agent_under_load(yett, authority, token, folder, echo, port):
    uri = token.put(authority.localhost, "server")
    counts = folder / "counts"
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=20, YETT_TEST_COUNT_FILE=counts)
                   + service(port, echo.port, uri))
    stop, outcomes = threading.Event(), []
    held = client_tls(authority).wrap_socket(connect(port), server_hostname="localhost")

    def load():
        while not stop.is_set():
            try:
                outcomes.append(once(port, client_tls(authority)))
            except (ssl.SSLError, OSError):
                outcomes.append(False)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    wait_until(lambda: sum(outcomes) > 10, "handshakes before")
    agent = running.status()["modules"][0]["pid"]
    os.kill(agent, 9)
    wait_until(lambda: running.status()["modules"][0]["pid"] not in (0, agent), "another agent")
    before = sum(outcomes)
    wait_until(lambda: sum(outcomes) > before + 10, "handshakes after")
    stop.set()
    for t in threads:
        t.join()
    held.sendall(b"still here")
    assert held.recv(100) == b"still here"
    held.close()
    assert outcomes.count(False) <= 16  # at most the signatures in flight and those of the moment without an agent
    assert running.status()["modules"][0]["state"] == "ready"


def test_a_missing_token_identity_names_the_candidates(authority, token, folder, echo, port):
    from conftest import Yett
    token.put(authority.localhost, "server")
    with pytest.raises(AssertionError, match="server"):
        Yett(folder / "y", token.settings() + service(port, echo.port, "pkcs11:token=test;object=other")).start()


def test_token_key_for_imap_and_a_file_key_at_once(yett, authority, token, folder, port):
    from peers import Dovecot, free_port
    uri = token.put(authority.localhost_rsa, "mail")
    web = free_port()
    with Dovecot(folder / "dovecot") as dovecot, EchoServer() as echo:
        yett(token.settings() + f"[service imap]\nprotocol = imap\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
             f"identity = {uri}\nconnect = 127.0.0.1:{dovecot.port}\nconnect_tls = none\n"
             + service(web, echo.port, f"file:{authority.localhost.pem}"))
        out = tool("curl", "-sS", "--ssl-reqd", "--cacert", authority.cert, f"imap://alice:secret@localhost:{port}/")
        assert "INBOX" in out.stdout
        assert once(web, client_tls(authority))


def test_smart_card_conf_signs_as_client_and_server(yett, authority, folder):
    """The example, with another module, other places, and nothing else changed."""
    hsm, listening = SoftHsm(folder / "hsm", label="Alice"), free_port()
    hsm.put(authority.alice, "Ledger")
    hsm._run("softhsm2-util", "--init-token", "--free", "--label", "Server", "--pin", hsm.pin, "--so-pin", "so-" + hsm.pin)
    hsm.label = "Server"
    hsm.put(authority.localhost, "www")
    text = (TOP / "conf.d/smart-card.conf").read_text()
    with EchoServer() as plain, EchoServer(tls=server_tls(authority.localhost, authority)) as ledger:
        for pattern, ours in [
            (r"(?m)^path .*", f"path = {hsm.module}\nenvironment = SOFTHSM2_CONF={hsm.conf}"), (r"(?m)^pin .*", f"pin = file:{hsm.pin_file}"),
            (r"unix:/run/yett/ledger.sock", f"unix:{folder}/ledger.sock"), (r"0\.0\.0\.0:9443, \[::\]:9443", f"127.0.0.1:{listening}"),
            (r"ledger\.example\.com:8443", f"localhost:{ledger.port}\ntrust = file:{authority.cert}"), (r"127\.0\.0\.1:8082", f"127.0.0.1:{plain.port}"),
        ]:
            text, count = re.subn(pattern, ours, text)
            assert count == 1, pattern
        running = yett(text)
        assert "good" in running.command("check").stdout
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20 * PATIENCE)
            s.connect(f"{folder}/ledger.sock")
            s.sendall(b"hello")
            assert s.recv(10) == b"hello"  # the server asks for a certificate, and has got one
        with client_tls(authority).wrap_socket(connect(listening), server_hostname="localhost") as s:
            s.sendall(b"hello")
            assert s.recv(10) == b"hello"


def test_each_example_is_in_a_test():
    tests = "".join(path.read_text() for path in (TOP / "tests/integration").glob("test_*.py"))
    for example in (TOP / "conf.d").glob("*.conf"):
        assert f'"{example.stem}"' in tests or f"conf.d/{example.name}" in tests or example.stem == "quickstart", example
