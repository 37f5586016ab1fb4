"""Certificate policies and extended validation: of servers, of clients, and what yett verify says of them."""
import contextlib
import json
import ssl
import subprocess

import pytest
from authority import Authority, openssl
from conftest import PATIENCE, YETT, connect, free_port
from peers import EchoServer, client_tls, server_tls, wait_until

GOLD, SILVER, ANY = "1.2.3.4.1", "1.2.3.4.2", "2.5.29.32.0"


def says(*policies):
    return f"certificatePolicies={','.join(policies)}\n"


def service(name, port, target, extra):
    return f"[service {name}]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nconnect = {target}\n{extra}"


def accepting(port, target, authority, extra=""):
    return service("in", port, f"127.0.0.1:{target}",
                   f"listen_tls = implicit\nidentity = file:{authority.localhost.pem}\npeer = require\n"
                   f"peer_trust = file:{authority.cert}\nallow = any\n{extra}")


def connecting(port, target, authority, extra=""):
    return service("out", port, f"localhost:{target}", f"connect_tls = implicit\ntrust = file:{authority.cert}\n{extra}")


def ask(port, context=None):
    """What an echo service behind yett says to us; b"" or None when it refuses."""
    with contextlib.suppress(ssl.SSLError, ConnectionError), connect(port, timeout=20 * PATIENCE) as s:
        s = context.wrap_socket(s, server_hostname="localhost") if context else s
        s.sendall(b"hello")
        return s.recv(100)


@pytest.fixture
def issuer(authority, folder):
    """Below the trusted root, for two policies."""
    return Authority(folder / "issuer", "Issuing CA", issuer=authority, extensions=says(GOLD, SILVER))


def verify(authority, certificate, *options):
    result = subprocess.run([YETT, "verify", "--json", "--trust", authority.cert, "--revocation", "off", *options,
                             certificate.chain], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode in (0, 1), result.stderr
    return json.loads(result.stdout)


def refused(authority, certificate, *options):
    """What is said of wrong usage."""
    result = subprocess.run([YETT, "verify", "--trust", authority.cert, *options, certificate.chain],
                            capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2, result.stdout
    return result.stderr


def test_policies_of_servers_and_clients(yett, authority, issuer, echo, port):
    """One of those listed is enough; who has another, or none, is refused, and the log says what would be right."""
    out = free_port()
    server = issuer.server(extensions=says(SILVER))
    gold, plain = issuer.client("gold", extensions=says(GOLD)), issuer.client("plain")
    with EchoServer(tls=server_tls(server)) as backend:
        running = yett(accepting(port, echo.port, authority, f"policy = {GOLD}\n")
                       + connecting(out, backend.port, authority, f"policy = {GOLD}, {SILVER}\n"))
        assert ask(port, client_tls(authority, cert=gold)) == b"hello" == ask(out)
        assert not ask(port, client_tls(authority, cert=plain))
        running.wait_for_log("client_tls_failed")
        line, = running.log_lines("client_tls_failed")
        assert line["error"] == "policy_missing", line
        assert f"CN=plain (its policies: none; required: {GOLD}): it has no certificate policies" in line["reason"]
        assert line["path"] == "CN=plain [policy_missing] <- CN=Issuing CA <- CN=Test CA", line
        running.configure(accepting(port, echo.port, authority)
                          + connecting(out, backend.port, authority, f"policy = {GOLD}\n"))
        running.command("reload")
        assert ask(port, client_tls(authority, cert=plain)) == b"hello"
        assert not ask(out)
        running.wait_for_log("target_tls_failed")
        line, = running.log_lines("target_tls_failed")
        assert f"(its policies: {SILVER}; required: {GOLD})" in line["reason"], line


def test_an_authority_requires_a_policy(yett, authority, folder, port):
    """Whatever the configuration says: RFC 5280 section 4.2.1.11."""
    strict = Authority(folder / "strict", "Strict CA", issuer=authority,
                       extensions=says(GOLD) + "policyConstraints=critical,requireExplicitPolicy:0\n")
    with EchoServer(tls=server_tls(strict.server())) as backend:
        running = yett(connecting(port, backend.port, authority))
        assert not ask(port)
        running.wait_for_log("target_tls_failed")
        line, = running.log_lines("target_tls_failed")
        assert line["error"] == "policy_missing" and "CN=Strict CA requires a policy to hold" in line["reason"], line
    good = strict.issue("localhost2", sans=("DNS:localhost",), extensions=says(GOLD))
    with EchoServer(tls=server_tls(good)) as backend:
        running.configure(connecting(port, backend.port, authority))
        running.command("reload")
        assert ask(port) == b"hello"


def sha256(authority):
    return openssl("x509", "-in", authority.cert, "-noout", "-fingerprint", "-sha256").decode().split("=")[1].strip()


def test_extended_validation(yett, authority, issuer, folder, port):
    """By a policy and a root together: the list is read at a reload, and what is resumed is told of as well."""
    roots = folder / "ev"
    roots.write_text(f"# as openssl prints it\n{GOLD}={sha256(authority)}\n")
    with EchoServer(tls=server_tls(issuer.server(extensions=says(GOLD)))) as backend:
        running = yett(connecting(port, backend.port, authority, "policy = ev\n"),
                       settings=f"ev = file:{roots}\nworkers = 1\n")
        for _ in range(2):
            assert ask(port) == b"hello"
        wait_until(lambda: len(running.log_lines("session_ended")) == 2, "two sessions to end")
        assert all(f" ev={GOLD}" in line["target_tls"] for line in running.log_lines("session_ended"))
        roots.write_text(f"{GOLD}={'00' * 32}\n")
        running.command("reload")
        assert not ask(port)
        running.wait_for_log("target_tls_failed")
        line, = running.log_lines("target_tls_failed")
        assert line["error"] == "policy_missing", line
        assert "none of its certificate policies means extended validation by this root" in line["reason"], line
        # Without the demand it passes, and nobody says that it is one.
        running.configure(connecting(port, backend.port, authority))
        running.command("reload")
        before = len(running.log_lines("session_ended"))
        with connect(port, timeout=20 * PATIENCE) as s:
            s.sendall(b"hello")
            assert s.recv(100) == b"hello"
            shown, = json.loads(running.command("connections", "--json").stdout)["connections"]
            assert shown["target_tls"]["ev"] is False, shown
        wait_until(lambda: len(running.log_lines("session_ended")) > before, "the session to end")
        assert not any("ev=" in line["target_tls"] for line in running.log_lines("session_ended")[before:])


def test_a_bad_list_of_roots_is_refused(yett, authority, folder, echo, port):
    roots = folder / "ev"
    roots.write_text(f"{GOLD}={'00' * 32}\n{GOLD}=1234\n\n{ANY}={'00' * 32} # any\nEV\n")
    plain = service("s", port, f"127.0.0.1:{echo.port}", "")
    running = yett(plain)
    running.settings += f"ev = file:{roots}\n"
    running.configure(plain)
    result = running.command("check", check=False)
    assert result.returncode == 1
    assert [line.split(": ")[0] for line in (result.stdout + result.stderr).splitlines() if str(roots) in line] == \
        [f"{roots}:2", f"{roots}:4", f"{roots}:5"]
    assert running.command("reload", check=False).returncode != 0
    assert ask(port) == b"hello"
    long = ".".join(["1.2"] + ["4294967295"] * 13)
    running.settings = running.settings.replace(f"ev = file:{roots}\n", "")
    running.configure(connecting(port, echo.port, authority, f"policy = {long}\n"))
    result = running.command("check", check=False)
    assert result.returncode == 1
    assert f"policy: {long} is longer than 64 bytes" in result.stdout + result.stderr


def test_verify_requires_policies(authority, issuer):
    server = issuer.server("a.example", extensions=says(GOLD))
    verdict = verify(authority, server)
    assert verdict["valid"] and verdict["policies"] == [GOLD] and verdict["ev"] is False and verdict["ev_policy"] is None
    for options in (("--policy", GOLD), ("--policy", SILVER, "--policy", GOLD), ("--ev", GOLD), ("--ev", ANY)):
        assert verify(authority, server, *options)["valid"], options
    verdict = verify(authority, server, "--policy", SILVER)
    assert verdict["error"] == "policy_missing" and verdict["ev"] is False and verdict["policies"] == []
    assert f"its policies: {GOLD}; required: {SILVER}" in verdict["detail"]
    assert verify(authority, server, "--ev", SILVER)["error"] == "policy_missing"


def test_verify_tells_extended_validation(authority, issuer, folder):
    server, root = issuer.server("a.example", extensions=says(GOLD)), sha256(authority)
    for pair, want in ((f"{GOLD}={root}", True), (f"{SILVER}={root}", False), (f"{GOLD}={'0' * 64}", False)):
        verdict = verify(authority, server, "--ev-root", pair)
        assert verdict["valid"] and verdict["ev"] is want and verdict["ev_policy"] == (GOLD if want else None), pair
        demanded = verify(authority, server, "--policy", "ev", "--ev-root", pair)
        assert demanded["valid"] is want and demanded["ev"] is want, pair
    verdict = verify(authority, server, "--ev", GOLD)  # a policy alone is a claim that anybody may make
    assert verdict["valid"] and verdict["ev"] is False
    roots = folder / "ev"
    roots.write_text(f"{SILVER}={root}\n{GOLD}={root}\n")
    assert verify(authority, server, "--ev-root", f"file:{roots}")["ev"] is True
    roots.write_text(f"{GOLD}={root}\nnonsense\n")
    assert f"{roots}: line 2: must be OID=SHA256" in refused(authority, server, "--ev-root", f"file:{roots}")
    for options, why in (((f"--ev-root={GOLD}",), "must be OID=SHA256"),
                         (("--policy", "ev"), "needs --ev-root"),
                         (("--policy", "gold"), "--policy is ev, alone, or an object identifier"),
                         (("--policy", GOLD, "--policy", "ev"), "--policy is ev, alone"),
                         (("--ev", GOLD, "--policy", SILVER), "--ev is the only policy"),
                         (("--ev", "gold"), "--ev is an object identifier")):
        assert why in refused(authority, server, *options), options
