"""What is said of a peer that does not take our certificate: by its alert, whether that is protected or in the clear."""
import contextlib
import socket
import ssl

import pytest
from conftest import connect
from peers import EchoServer, client_tls, free_port, server_tls, tool, wait_until

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
SAID = {"unknown_ca": ("it does not trust the authority that issued our certificate", "make it trust that authority"),
        "bad_certificate": ("it does not accept our certificate", "its log says why")}


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """An authority that has nothing to do with anything."""
    from authority import Authority
    return Authority(tmp_path_factory.mktemp("stranger"), "Stranger")


def server(port, echo, authority):
    return (f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n")


def openssl(port, stranger, version):
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", stranger.cert, "-verify_return_error",
            "-tls1_2" if version == TLS12 else "-tls1_3"]


def gnutls(port, stranger, version):
    number = "1.2" if version == TLS12 else "1.3"
    return ["gnutls-cli", "--port", port, "--x509cafile", stranger.cert, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{number}",
            "localhost"]


# yett as a client has no ceiling for versions. gnutls-cli says bad_certificate whatever is wrong.
@pytest.mark.parametrize("client, alert, version", [
    (openssl, "unknown_ca", TLS12), (openssl, "unknown_ca", TLS13), (gnutls, "bad_certificate", TLS12),
    (gnutls, "bad_certificate", TLS13), ("python", "unknown_ca", TLS12), ("python", "unknown_ca", TLS13),
    ("yett", "unknown_ca", TLS13)])
def test_a_client_that_does_not_trust_our_certificate(yett, port, echo, authority, stranger, client, alert, version):
    y = yett(server(port, echo, authority))
    if client == "python":
        with pytest.raises(ssl.SSLError), connect(port) as s:
            client_tls(stranger, version=version).wrap_socket(s, server_hostname="localhost")
    elif client == "yett":
        other = free_port()
        yett(f"[service b]\nprotocol = tcp\nlisten = 127.0.0.1:{other}\nlisten_tls = none\nconnect = localhost:{port}\n"
             f"connect_tls = implicit\ntrust = file:{stranger.cert}\n")
        with contextlib.suppress(OSError), connect(other) as s:
            s.recv(1)
    else:
        assert tool(*client(port, stranger, version), input=b"", check=False).returncode != 0
    line = wait_until(lambda: [x for x in y.log_lines(service="a") if "end" in x], "the line")[0]
    assert line["error"] == f"alert_received_{alert}", line
    meaning, advice = SAID[alert]
    assert f"the client ended the connection with the alert {alert}: {meaning} (subject \"CN=localhost\"" \
        in line["reason"] and advice in line["reason"], line


def test_a_client_that_takes_our_certificate_to_be_expired(yett, port, echo, authority):
    """What is told is what the client says: its clock, an hour after the certificate's end."""
    y = yett(server(port, echo, authority))
    tool(*openssl(port, authority, TLS13), "-attime", "4102444800", input=b"", check=False)
    line = wait_until(lambda: y.log_lines(service="a", error="alert_received_certificate_expired"), "the line")[0]
    assert "or set the clock there right" in line["reason"], line


class EarlyAlert(EchoServer):
    """A server of TLS 1.3 that answers, and then says something in the clear."""

    def __init__(self, certificate, alert):
        super().__init__()
        self.context, self.alert = server_tls(certificate, version=TLS13), alert

    def serve(self, connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(OSError), connection:
            while not outgoing.pending:
                incoming.write(connection.recv(65536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
            flight = outgoing.read()
            hello = flight[:5 + int.from_bytes(flight[3:5], "big")]
            connection.sendall(hello + bytes([21, 3, 3, 0, 2, 2, self.alert]))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


@pytest.mark.parametrize("alert, name", [(80, "internal_error"), (40, "handshake_failure"), (112, "unrecognized_name")])
def test_a_server_that_gives_up_in_the_clear(yett, port, authority, alert, name):
    with EarlyAlert(authority.localhost, alert) as target:
        y = yett(f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                 f"connect = localhost:{target.port}\nconnect_tls = implicit\ntrust = file:{authority.cert}\n")
        with connect(port) as s, contextlib.suppress(OSError):
            s.recv(1)
        line = wait_until(lambda: y.log_lines(service="a"), "the line")[0]
    assert line["error"] == f"alert_received_{name}" and "the server ended the connection" in line["reason"], line


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_server_that_does_not_trust_our_client_certificate(yett, port, authority, stranger, folder, version):
    mallory = stranger.client("mallory")
    with EchoServer(tls=server_tls(authority.localhost, authority, version)) as target:
        y = yett(f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                 f"connect = localhost:{target.port}\nconnect_tls = implicit\ntrust = file:{authority.cert}\n"
                 f"connect_identity = file:{mallory.pem}\n")
        with connect(port) as s, contextlib.suppress(OSError):
            s.sendall(b"x")
            s.recv(1)
        line = wait_until(lambda: y.log_lines(service="a"), "the line")[0]
    assert line["error"] == "alert_received_unknown_ca", line
    assert "the server ended the connection" in line["reason"] and "CN=mallory" in line["reason"], line


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("said", [b"", b"x"])
def test_a_client_that_goes_without_an_alert(yett, port, echo, authority, version, said):
    """Some look at the certificate when the handshake is done, and hang up. Who has said something liked it."""
    y = yett(server(port, echo, authority))
    with connect(port) as plain, client_tls(authority, version=version).wrap_socket(plain, server_hostname="localhost") as s:
        s.sendall(said)
        assert s.recv(1) == said if said else True
        s.shutdown(socket.SHUT_RDWR)
    line = wait_until(lambda: [x for x in y.log_lines(service="a") if "end" in x], "the line")[0]
    assert line["end"] in ("truncated", "reset"), line
    assert ("it may not have liked our certificate" in line["reason"]) == (said == b""), line
