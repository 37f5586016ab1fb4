"""Client certificates of ours: which one a server is shown, with which chain, and what the log says of it."""
import contextlib
import ssl
import subprocess
import sys

import pytest
from conftest import connect
from peers import EchoServer, OpensslServer, free_port, server_tls, wait_until

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/certs")
from authority import Authority, openssl  # noqa: E402

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Chains:
    """A root, an intermediate, a client's certificate below it, and what somebody else has made: a newer certificate with
    the intermediate's name and key identifier for a key of his own, which he signed himself."""

    def __init__(self, folder):
        self.root = Authority(folder / "root", "Root of all")
        self.issuing = Authority(folder / "issuing", "Issuing CA", issuer=self.root,
                                 dates=("20200101000000Z", "20450101000000Z"))
        self.alice = self.issuing.client("alice")
        self.server = self.root.server("localhost")
        identifier = openssl("x509", "-in", self.issuing.cert, "-noout", "-ext", "subjectKeyIdentifier").decode()
        identifier = identifier.split("Identifier:")[1].strip()
        forger = folder / "forger"
        forger.mkdir()
        key, self.forged = forger / "key", forger / "forged.pem"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=Issuing CA", "-days", "9000", "-out", self.forged,
                "-addext", f"subjectKeyIdentifier={identifier}")

    def with_forged(self, certificate):
        """The certificate's chain with the forged intermediate behind the leaf."""
        certificate.chain.write_text(certificate.cert.read_text() + self.forged.read_text())
        return certificate


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    return Chains(tmp_path_factory.mktemp("chains"))


def identity_of(kind, chains, token, folder):
    """(identity, sections) for the client's certificate and its intermediate."""
    if kind == "file":
        return f"file:{chains.alice.pem}", "", ""
    if kind == "token":
        uri = token.put(chains.alice, "alice")
        der = folder / "issuing.der"
        der.write_bytes(openssl("x509", "-in", chains.issuing.cert, "-outform", "DER"))
        token._run("pkcs11-tool", "--module", token.module, "--token-label", token.label, "--login", "--pin", token.pin,
                   "--write-object", str(der), "--type", "cert", "--id", "02", "--label", "issuing")
        return uri, "", token.settings()
    database = folder / "nss"
    bundle = folder / "alice.p12"
    openssl("pkcs12", "-export", "-inkey", chains.alice.key, "-in", chains.alice.chain, "-out", bundle,
            "-passout", "pass:secret")
    database.mkdir(mode=0o700)
    subprocess.run(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"], check=True)
    subprocess.run(["pk12util", "-i", str(bundle), "-d", f"sql:{database}", "-W", "secret", "-K", ""], check=True,
                   capture_output=True)
    return f"nss:sha256={chains.alice.sha256}", f"database = sql:{database}\n", ""


def client_service(name, port, target, trust, extra=""):
    return (f"[service {name}]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"connect = localhost:{target}\nconnect_tls = implicit\ntrust = file:{trust.cert}\n{extra}\n")


def asking_server(folder, certificate, authority, *options):
    """It names the authority in its request, and says each line backwards."""
    return OpensslServer(folder / "server", certificate, "-CAfile", authority.cert, "-verify_return_error", *options)


def answers(port):
    with connect(port) as s:
        s.sendall(b"hello\n")
        return s.recv(100).startswith(b"olleh")


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("kind", ["file", "token", "database"])
def test_a_forged_intermediate_takes_no_part(yett, chains, token, folder, kind, version):
    """Other peers of the same worker show it: a good server, while it is connected, and a client that is refused."""
    identity, settings, sections = identity_of(kind, chains, token, folder)
    evil_server = chains.with_forged(chains.root.server("evil", sans=("DNS:localhost",)))
    evil_client = chains.with_forged(chains.root.client("mallory"))
    ports = {name: free_port() for name in ("a", "b", "c")}
    only = "-tls1_2" if version == TLS12 else "-tls1_3"
    with asking_server(folder, chains.server, chains.root, "-Verify", "3", only) as good, \
            EchoServer(tls=server_tls(evil_server, version=version)) as evil:
        y = yett(sections
                 + client_service("a", ports["a"], good.port, chains.root, f"connect_identity = {identity}\n")
                 + client_service("b", ports["b"], evil.port, chains.root)
                 + f"[service c]\nprotocol = tcp\nlisten = 127.0.0.1:{ports['c']}\nlisten_tls = implicit\n"
                   f"identity = file:{chains.server.pem}\npeer = require\npeer_trust = file:{chains.root.cert}\n"
                   f"allow = san_email:nobody@example.org\nconnect = 127.0.0.1:{good.port}\nconnect_tls = none\n",
                 settings=settings + "workers = 1\n")
        assert answers(ports["a"])
        with contextlib.ExitStack() as held:
            for _ in range(3):
                s = held.enter_context(connect(ports["b"]))
                s.sendall(b"x")
                assert s.recv(1) == b"x"
                assert answers(ports["a"])
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(str(chains.root.cert))
            context.load_cert_chain(str(evil_client.chain), str(evil_client.key))
            context.maximum_version = version
            for _ in range(3):
                with contextlib.suppress(OSError):
                    s = held.enter_context(connect(ports["c"]))
                    s = held.enter_context(context.wrap_socket(s, server_hostname="localhost"))
                    s.recv(1)
                assert answers(ports["a"])
        lines = wait_until(lambda: len(x := y.log_lines(service="a")) == 7 and x, "seven connections in the log")
    assert all("the server names its authority CN=Root of all" in line["shown"] and "CN=alice" in line["shown"]
               for line in lines), lines


@pytest.mark.parametrize("setting, shown", [("", True), ("no_suitable_identity = only\n", True),
                                               ("no_suitable_identity = none\n", False)])
def test_no_authority_on_the_list_fits(yett, chains, authority, port, folder, setting, shown):
    """The server refuses the certificate that it gets, so that one sees that it got it."""
    with asking_server(folder, chains.server, authority, "-verify", "3") as server:
        y = yett(client_service("a", port, server.port, chains.root,
                                f"connect_identity = file:{chains.alice.pem}\n{setting}"))
        if shown:
            with contextlib.suppress(OSError):
                answers(port)
        else:
            assert answers(port)
        line = wait_until(lambda: y.log_lines(service="a"), "a line")[0]
    if shown:
        assert "but it is the only one" in line["shown"] and line["error"] == "alert_received_unknown_ca", line
    else:
        assert line["shown"].startswith("none: subject \"CN=alice\"") and "error" not in line, line


def test_a_chain_that_does_not_link_up_is_told(yett, chains, authority, port, folder, echo):
    broken = folder / "broken.pem"
    broken.write_text(chains.alice.cert.read_text() + chains.root.cert.read_text() + chains.alice.key.read_text())
    broken.chmod(0o600)
    wrong = folder / "wrong.pem"
    wrong.write_text(chains.server.cert.read_text() + chains.issuing.cert.read_text() + chains.server.key.read_text())
    wrong.chmod(0o600)
    y = yett(client_service("a", port, echo.port, chains.root, f"connect_identity = file:{wrong}, file:{broken}\n"))
    lines = y.log_lines("identity_warning")
    assert lines and all(f"file:{wrong}" in x["identity"] and "servers are shown 1 of its 2" in x["reason"]
                         for x in lines), lines
