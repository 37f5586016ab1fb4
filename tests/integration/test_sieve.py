"""ManageSieve through STARTTLS, accepting and connecting, with Dovecot's Pigeonhole; openssl, gnutls-cli and a client by
RFC 5804 here."""
import base64
import re

import pytest
from bad_peers import read_to_end
from conftest import connect
from peers import PATIENCE, Dovecot, ScriptedServer, client_tls, free_port, server_tls, tool

OURS = (b'"IMPLEMENTATION" "mx.test"\r\n"SASL" ""\r\n"SIEVE" ""\r\n"STARTTLS"\r\n"VERSION" "1.0"\r\nOK "Ready"\r\n')
SCRIPT = b'keep;\r\n# STARTTLS\r\nSTARTTLS\r\n"STARTTLS"\r\nOK\r\n' * 20


class Client:
    """A client by RFC 5804: it reads the greeting, whichever it is, as soon as there should be one."""

    def __init__(self, port):
        self.socket = connect(port)
        self.file = self.socket.makefile("rb")
        self.greeting = self.read()

    def read(self):
        """The lines of a response, up to its OK, NO or BYE; a literal is a line of its own."""
        lines = []
        while True:
            line = self.file.readline()
            assert line.endswith(b"\r\n"), (lines, line)
            lines.append(line[:-2])
            while literal := re.search(rb"\{(\d+)\}$", lines[-1]):
                lines.append(self.file.read(int(literal[1])))
                lines.append(self.file.readline()[:-2])
            if line.split(b" ")[0].strip() in (b"OK", b"NO", b"BYE"):
                return lines

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.read()

    def start_tls(self, authority):
        assert self.say(b"STARTTLS")[-1].startswith(b"OK")
        self.socket = client_tls(authority).wrap_socket(self.socket, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        self.greeting = self.read()  # again, unasked: RFC 5804 section 2.2

    def log_in(self, password=b"secret"):
        plain = base64.b64encode(b"\0alice\0" + password)
        return self.say(b'AUTHENTICATE "PLAIN" {%d+}\r\n' % len(plain) + plain)[-1]

    def put_script(self, name, script):
        return self.say(b'PUTSCRIPT "%s" {%d+}\r\n' % (name, len(script)) + script)[0]

    def names(self):
        return {x.split(b'"')[1] for x in self.greeting if x.startswith(b'"')}


@pytest.fixture
def server(folder):
    with Dovecot(folder / "dovecot", protocol="sieve") as dovecot:
        yield dovecot


def accepting(port, target, authority, tls="starttls", extra=""):
    return (f"[service in]\nprotocol = sieve\nlisten = 127.0.0.1:{port}\nlisten_tls = {tls}\ngreeting_name = mx.test\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def connecting(port, target, authority):
    return (f"[service out]\nprotocol = sieve\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"connect = localhost:{target}\nconnect_tls = starttls\ntrust = file:{authority.cert}\n")


def check_scripts(client):
    """A script comes back as it went, though its lines look like commands and replies."""
    assert client.log_in().startswith(b"OK")
    script = b"".join(b"# " + x + b"\r\n" for x in SCRIPT.split(b"\r\n"))
    assert client.put_script(b"one", script).startswith(b"OK")
    assert client.say(b"LISTSCRIPTS")[0] == b'"one"'
    assert client.say(b'GETSCRIPT "one"')[1] == script
    assert client.put_script(b"two", SCRIPT).startswith(b"NO")  # no Sieve
    assert client.say(b"LOGOUT")[-1].startswith(b"OK")


def test_a_client_puts_a_script_through_starttls(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    client = Client(port)
    assert b"\r\n".join(client.greeting) + b"\r\n" == OURS
    assert client.log_in().startswith(b"BYE")  # a literal before TLS
    client = Client(port)
    assert client.say(b'AUTHENTICATE "PLAIN" "AGEAYg=="')[-1].startswith(b"NO (ENCRYPT-NEEDED)")
    client.start_tls(authority)
    assert {b"SASL", b"SIEVE", b"IMPLEMENTATION"} <= client.names() and b"STARTTLS" not in client.names()
    assert b"Dovecot" in b"".join(client.greeting)  # the server's own
    assert client.say(b"STARTTLS")[-1].startswith(b"NO")
    assert b'"STARTTLS"' not in client.say(b"CAPABILITY")
    assert client.log_in(b"wrong").startswith(b"NO")
    check_scripts(client)


def test_openssl_and_gnutls_upgrade(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    out = tool("openssl", "s_client", "-starttls", "sieve", "-connect", f"localhost:{port}", "-CAfile", authority.cert,
               "-verify_return_error", "-quiet", "-ign_eof", input=b"LOGOUT\r\n").stdout
    assert '"SASL" "PLAIN"' in out and "STARTTLS" not in out
    out = tool("gnutls-cli", "--starttls-proto=sieve", f"--x509cafile={authority.cert}", "-p", port, "localhost",
               input=b"LOGOUT\r\n").stdout
    assert '"SASL" "PLAIN"' in out and '"STARTTLS"' not in out.partition("Simple Client Mode")[2]


def test_sieve_before_tls_reaches_no_server(yett, authority, echo, port):
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(b'AUTHENTICATE "PLAIN" {24+}\r\ndmVyeS1zZWNyZXQ=\r\nSTARTTLS\r\n')
        assert read_to_end(s) == (OURS + b'BYE "No literal is taken before TLS"\r\n', True)
    running.wait_for_log("literal")
    assert echo.connections == 0 and "dmVyeS1zZWNyZXQ" not in running.log()


def test_plain_text_behind_starttls_is_refused(yett, authority, echo, port):
    """I1."""
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(b"STARTTLS\r\nNOOP\r\n")
        assert read_to_end(s) == (OURS + b'BYE "Nothing may follow STARTTLS before TLS"\r\n', True)
    running.wait_for_counter("injections_refused_total")
    assert echo.connections == 0


def test_a_server_that_is_down_is_said_inside_tls(yett, authority, port):
    running = yett(accepting(port, free_port(), authority))
    client = Client(port)
    client.start_tls(authority)
    assert client.greeting == [b'BYE (TRYLATER) "No server answers, try again later"']
    running.wait_for_counter("targets_failed_total")


def test_implicit_tls_in_front_of_sieve(yett, authority, folder, port):
    """By ALPN; and what Dovecot offers those whom it trusts does not pass, nor is it taken from a client."""
    with Dovecot(folder / "dovecot", protocol="sieve", trusted="127.0.0.0/8") as dovecot:
        yett(accepting(port, dovecot.port, authority, tls="implicit"))
        with client_tls(authority, alpn=["managesieve"]).wrap_socket(connect(port), server_hostname="localhost") as s:
            assert s.selected_alpn_protocol() == "managesieve"
            s.sendall(b'XCLIENT ADDR=192.0.2.1\r\nLOGOUT\r\n')
            said = read_to_end(s)[0]
            assert b'"XCLIENT"' not in said and b'"SASL"' in said and b"\r\nNO " in said, said


def test_a_plain_program_logs_in_to_dovecot_that_demands_starttls(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.localhost, protocol="sieve") as dovecot:
        yett(connecting(port, dovecot.port, authority))
        client = Client(port)
        assert b"Dovecot" in b"".join(client.greeting) and b"STARTTLS" not in client.names()
        assert client.say(b"STARTTLS")[-1].startswith(b"NO")
        check_scripts(client)


def test_starttls_on_both_sides(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.localhost, protocol="sieve") as dovecot:
        yett(f"[service both]\nprotocol = sieve\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
             f"identity = file:{authority.localhost.pem}\nconnect = localhost:{dovecot.port}\nconnect_tls = starttls\n"
             f"trust = file:{authority.cert}\n")
        client = Client(port)
        client.start_tls(authority)
        assert b"STARTTLS" not in client.names()
        check_scripts(client)


def test_a_server_without_starttls_never_hears_the_program(yett, authority, server, port):
    """R3."""
    running = yett(connecting(port, server.port, authority))
    with connect(port) as s:
        s.sendall(b'AUTHENTICATE "PLAIN" "dmVyeS1zZWNyZXQ="\r\n')
        assert read_to_end(s)[0] == b'BYE "The server offers no TLS"\r\n'
    running.wait_for_log("target_no_starttls")
    assert "dmVyeS1zZWNyZXQ" not in running.log() + server.log()


def test_a_server_with_a_bad_certificate_never_hears_the_program(yett, authority, folder, port):
    """R10."""
    with Dovecot(folder / "dovecot", authority.server("elsewhere.test"), protocol="sieve") as dovecot:
        running = yett(connecting(port, dovecot.port, authority))
        with connect(port) as s:
            s.sendall(b'AUTHENTICATE "PLAIN" "dmVyeS1zZWNyZXQ="\r\n')
            assert read_to_end(s)[0] == b'BYE "The server\'s TLS cannot be trusted"\r\n'
        running.wait_for_log("name_mismatch")


def test_what_is_said_inside_tls_is_the_greeting(yett, authority, port):
    """R1, R6, R15: nothing that a server says in clear is heard, and one that does not greet again is none."""
    tls = server_tls(authority.localhost)
    says = [b"OK\r\n", b'"SASL" "PLAIN"\r\n"STARTTLS"\r\nOK "inside"\r\n']

    def script(connection):
        connection.sendall(b'"IMPLEMENTATION" "in clear"\r\n"STARTTLS"\r\nOK "in clear"\r\n')
        assert connection.recv(100) == b"STARTTLS\r\n"
        connection.sendall(says[0])
        with tls.wrap_socket(connection, server_side=True) as inside:
            inside.sendall(says[1])
            inside.recv(100)

    with ScriptedServer(script) as server:
        running = yett(connecting(port, server.port, authority) + f"handshake_timeout = {int(5 * PATIENCE)}s\n")
        assert Client(port).greeting == [b'"SASL" "PLAIN"', b'OK "inside"']
        says[1] = b""
        with connect(port) as s:
            assert read_to_end(s)[0].startswith(b"BYE (TRYLATER) ")
        running.wait_for_log("timeout_target")
        says[0] = b'OK\r\n"SASL" "PLAIN"\r\n'
        with connect(port) as s:
            assert read_to_end(s)[0].startswith(b"BYE (TRYLATER) ")
        running.wait_for_counter("injections_refused_total")


def test_check_live_tells_what_the_server_can_do(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.localhost, protocol="sieve") as dovecot:
        running = yett(connecting(port, dovecot.port, authority))
        out = running.command("check", "--live").stdout
        assert "STARTTLS, TLSv1." in out and "SIEVE" in out and "SASL" in out
