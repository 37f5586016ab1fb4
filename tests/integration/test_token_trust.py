"""Certificates on tokens as trust anchors, and as what completes the chain of an identity beside them."""
import collections
import os
import re
import subprocess

import pytest
from authority import Authority
from conftest import SLOW_TOKEN, YETT, Yett, connect
from peers import client_tls, wait_until
from test_trust import ask, without_issuers


@pytest.fixture
def other(folder):
    return Authority(folder / "other", "Other CA")


def put(token, der, label, identifier):
    """A certificate alone."""
    path = token.folder / "put.der"
    path.write_bytes(der)
    token._run("pkcs11-tool", "--module", token.module, "--token-label", token.label, "--login", "--pin", token.pin,
               "--write-object", str(path), "--type", "cert", "--id", identifier, "--label", label)


def der_of(authority):
    return subprocess.run(["openssl", "x509", "-in", authority.cert, "-outform", "DER"], check=True,
                          capture_output=True).stdout


def terminating(port, target, identity, trust):
    return (f"[service in]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = file:{identity.pem}\nconnect = 127.0.0.1:{target}\npeer = require\n"
            f"peer_trust = {trust}\nallow = any\n")


def without_pin(token, **options):
    return token.settings(**options).replace(f"pin = file:{token.pin_file}\n", "")


def test_clients_of_an_authority_on_a_token(yett, authority, other, token, folder, echo, port):
    """No PIN is needed for it; what else is on the token is trusted only where the URI names it; a reload looks again."""
    counts = folder / "counts"
    put(token, der_of(authority), "staff root", "01")
    put(token, authority.bob.der, "a leaf", "02")  # the token's other certificates are no anchors
    settings = without_pin(token, module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
    mallory = other.client("mallory")
    running = yett(settings + terminating(port, echo.port, authority.localhost, "pkcs11:token=test"))
    assert ask(port, client_tls(authority, cert=authority.alice)) == b"hello"
    assert not ask(port, client_tls(authority, cert=mallory))
    put(token, der_of(other), "other root", "03")
    running.command("reload")
    assert ask(port, client_tls(authority, cert=mallory)) == b"hello"
    running.configure(settings + terminating(port, echo.port, authority.localhost,
                                             "pkcs11:token=test;object=other%20root"))
    running.command("reload")
    assert ask(port, client_tls(authority, cert=mallory)) == b"hello"
    assert not ask(port, client_tls(authority, cert=authority.alice))
    assert collections.Counter(counts.read_text().split())["C_Login"] == 0


def test_servers_of_an_authority_on_a_token(yett, authority, other, token, folder, port):
    from peers import OpensslServer
    put(token, der_of(authority), "root", "01")
    with OpensslServer(folder / "s", authority.localhost) as backend:
        service = (f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nconnect = localhost:{backend.port}\n"
                   "connect_tls = implicit\ntrust = ")
        running = yett(without_pin(token) + service + f"file:{other.cert}, pkcs11:token=test;id=%01\n")
        with connect(port) as s:
            s.sendall(b"abc\n")
            assert s.recv(100) == b"cba\n"
        running.configure(without_pin(token) + service + f"file:{other.cert}\n")
        running.command("reload")
        assert not ask(port)


@pytest.mark.parametrize("uri, want", [
    ("pkcs11:token=test;object=nobody", 'no certificate on token "test" that can be read without login matches'),
    ("pkcs11:token=lost", "no token matches pkcs11:token=lost; there is pkcs11:"),
    ("pkcs11:object=root", "does not say on which token the certificates are"),
    ("pkcs11:token=test;type=private", "names no certificate"),
    ("pkcs11:token=test;object=leaf", "none of the 1 certificates that pkcs11:token=test;object=leaf names is an "
                                      "authority's (basic constraints: CA)"),
])
def test_a_uri_that_names_no_anchor(authority, token, folder, echo, port, uri, want):
    """With file and line, at check and at start."""
    put(token, der_of(authority), "root", "01")
    put(token, authority.bob.der, "leaf", "02")
    one = Yett(folder / "y", token.settings() + terminating(port, echo.port, authority.localhost, uri),
               environment={"XDG_RUNTIME_DIR": str(folder)})
    line = next(i for i, x in enumerate(one.config.read_text().splitlines(), 1) if x.startswith("peer_trust"))
    result = one.command("check", check=False)
    assert result.returncode == 1
    assert result.stdout.startswith(f"{one.config}:{line}: trust: ") and want in result.stdout, result.stdout
    started = one.command("run", check=False)
    assert started.returncode == 1 and f"{one.config}:{line}: " in started.stderr, started.stderr


def test_check_opens_anchors_on_tokens(authority, token, folder, echo, port):
    put(token, der_of(authority), "root", "01")
    one = Yett(folder / "y", token.settings() + terminating(port, echo.port, authority.localhost, "pkcs11:token=test"),
               environment={"XDG_RUNTIME_DIR": str(folder)})
    result = one.command("check", check=False)
    assert (result.returncode, result.stdout) == (0, f"{one.config}: good, 1 service\n"), result.stderr


def test_verify_trusts_what_is_on_a_token(authority, other, token):
    def verify(uri, *options, chain=authority.localhost):
        return subprocess.run([str(YETT), "verify", "--trust", uri, *options, "--name", "dns:localhost", chain.pem],
                              capture_output=True, text=True, env={**os.environ, **token.environment})

    module = ("--module", token.module)
    put(token, der_of(authority), "root", "01")
    put(token, authority.bob.der, "leaf", "02")
    assert verify("pkcs11:token=test", *module).returncode == 0
    assert verify("pkcs11:token=test", *module, chain=other.server("localhost")).returncode == 1
    for uri, options, want in (("pkcs11:token=test", (), "--module"),
                               ("pkcs11:token=test;object=leaf", module, "authority's"),
                               ("pkcs11:token=test;object=nobody", module, "no certificate"),
                               ("pkcs11:object=root", module, "does not say on which token"),
                               ("pkcs11:token=lost", module, "no token matches")):
        result = verify(uri, *options)
        assert result.returncode == 2 and want in result.stderr, (uri, result.stderr)


def test_a_worker_is_replaced_while_the_token_is_out(yett, authority, token, folder, echo, port):
    gone = folder / "gone"
    put(token, der_of(authority), "root", "01")
    running = yett(without_pin(token, module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_GONE_FILE=gone)
                   + terminating(port, echo.port, authority.localhost, "pkcs11:token=test;object=root"),
                   settings="workers = 1\n")
    gone.touch()
    (before,) = running.workers().values()
    os.kill(before, 9)
    wait_until(lambda: list(running.workers().values()) not in ([before], [0], []), "another worker")
    wait_until(lambda: ask(port, client_tls(authority, cert=authority.alice)) == b"hello", "an answer")


@pytest.mark.parametrize("side", ["server", "client"])
def test_the_chain_of_an_identity_is_completed_from_its_token(yett, authority, token, folder, echo, port, side):
    """The peer knows the root alone: what is between comes from the token, and the root itself is not sent."""
    inner = Authority(folder / "inner", "Inner CA", issuer=authority)
    leaf = inner.server("localhost") if side == "server" else inner.client("carol")
    uri = token.put(without_issuers(leaf), "own", "01")
    put(token, der_of(inner), "inner", "02")
    put(token, der_of(authority), "root", "03")
    if side == "server":
        yett(token.settings() + f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
             f"identity = {uri}\nconnect = 127.0.0.1:{echo.port}\n")
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts",
                                "-verify_return_error", "-CAfile", authority.cert], input="", text=True,
                               capture_output=True, check=True).stdout
        assert re.findall(r" s:.*?CN ?= ?(.*)", shown) == ["localhost", "Inner CA"]
    else:
        from peers import OpensslServer
        with OpensslServer(folder / "s", authority.localhost, "-Verify", "3", "-verify_return_error", "-CAfile",
                           authority.cert) as backend:
            yett(token.settings() + f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\n"
                 f"connect = localhost:{backend.port}\nconnect_tls = implicit\ntrust = file:{authority.cert}\n"
                 f"identity = {uri}\n")
            with connect(port) as s:
                s.sendall(b"abc\n")
                assert s.recv(100) == b"cba\n"
