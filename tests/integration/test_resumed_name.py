"""The name of a resumed connection of TLS 1.2, where the library looks at no name unless the session began with one."""
import json
import subprocess

import pytest
from peers import has_name, tool, wait_until


@pytest.fixture
def other(authority):
    return authority.server("b.example.org")


def service(port, echo, authority, other, sni):
    return (f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\nsni = {sni}\n"
            f"identity = file:{authority.localhost.pem}, file:{other.pem}\nconnect = 127.0.0.1:{echo.port}\n"
            "connect_tls = none\n")


class Client:
    """openssl s_client with TLS 1.2, which takes its session from `session`, or leaves it there."""

    def __init__(self, port, folder, name, option):
        names = ["-servername", name] if name else ["-noservername"]
        self.process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-no_ticket",
                                         option, str(folder / "session"), *names], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self):
        return self.process.communicate("Q\n", timeout=60)[0]


def server_name(y):
    return json.loads(y.command("connections", "--json").stdout)["connections"][0]["client_tls"]["server_name"]


def first(yett, port, folder, echo, authority, other, sni, name):
    y = yett(service(port, echo, authority, other, sni))
    client = Client(port, folder, name, "-sess_out")
    wait_until(lambda: (folder / "session").exists(), "a session")
    said = client.end()
    assert "New, TLSv1.2" in said, said
    return y


@pytest.mark.parametrize("began", ["nobody.example.net", None])
def test_a_name_that_no_certificate_has(yett, port, folder, echo, authority, other, began):
    y = first(yett, port, folder, echo, authority, other, "any", began)
    client = Client(port, folder, "Nobody.example.net", "-sess_in")
    try:
        wait_until(lambda: '"server_name"' in y.command("connections", "--json").stdout, "the connection")
        assert server_name(y) == "nobody.example.net"
    finally:
        said = client.end()
    assert "Reused, TLSv1.2" in said, said


def test_a_name_with_a_certificate_of_its_own(yett, port, folder, echo, authority, other):
    """A session that began without a name is none of that name's: its certificate is shown (RFC 6066 section 3)."""
    y = first(yett, port, folder, echo, authority, other, "any", None)
    client = Client(port, folder, "b.example.org", "-sess_in")
    try:
        wait_until(lambda: '"server_name"' in y.command("connections", "--json").stdout, "the connection")
        assert server_name(y) == "b.example.org"
    finally:
        said = client.end()
    assert "New, TLSv1.2" in said and has_name("CN", "b.example.org", said), said


def test_a_name_that_is_refused_in_a_full_handshake(yett, port, folder, echo, authority, other):
    y = first(yett, port, folder, echo, authority, other, "known", None)
    said = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-no_ticket", "-sess_in",
                folder / "session", "-servername", "nobody.example.net", input=b"", check=False)
    assert "unrecognized name" in said.stdout + said.stderr, said
    line = wait_until(lambda: y.log_lines(error="unknown_server_name"), "the line")[0]
    assert "nobody.example.net, which is not served here" in line["reason"], line
