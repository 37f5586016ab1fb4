"""The PROXY header of a balancer in front of us, as HAProxy, curl and by hand. The balancer's address is 127.0.0.7, of the
loopback network; clients that come by themselves have 127.0.0.1."""
import contextlib
import re
import smtplib
import socket
import ssl
import struct
import subprocess

import pytest
from bad_peers import read_to_end
from conftest import PATIENCE, connect
from peers import Process, ScriptedServer, client_tls, wait_until

BALANCER = "127.0.0.7"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.9 198.51.100.1 56324 443\r\n"


def tlv(kind, value):
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def v2(*tlvs, command=0x21, family=0x11, address="192.0.2.9"):
    body = socket.inet_aton(address) + socket.inet_aton("198.51.100.1") + (56324).to_bytes(2, "big") + (443).to_bytes(2, "big")
    body = (body if family == 0x11 else b"") + b"".join(tlvs)
    return SIGNATURE + bytes([command, family]) + len(body).to_bytes(2, "big") + body


def service(authority, port, target, extra="", protocol="tcp", listen_tls="implicit"):
    identity = "" if listen_tls == "none" else f"identity = file:{authority.localhost.pem}\n"
    target = "allow_target = *:*\n" if protocol == "http-proxy" else f"connect = 127.0.0.1:{target}\n"
    return (f"[service in]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = {listen_tls}\n{identity}{target}"
            f"greeting_name = mx.test\naccept_proxy = any\naccept_proxy_from = {BALANCER}\n{extra}")


def balance(port):
    """A connection of the balancer's."""
    return socket.create_connection(("127.0.0.1", port), timeout=20 * PATIENCE, source_address=(BALANCER, 0))


def one_line(running, **fields):
    def found():
        lines = running.log_lines(**fields)
        assert len(lines) < 2, lines
        return lines
    return wait_until(found, f"a line with {fields}:\n{running.log()[-3000:]}", 20 * PATIENCE)[0]


def talk(s, authority):
    """An echo through TLS, and a good end."""
    with client_tls(authority).wrap_socket(s, server_hostname="localhost") as tls:
        tls.sendall(b"hello")
        assert tls.recv(100) == b"hello"
        tls.unwrap().close()


class Haproxy(Process):
    """HAProxy in front of a port, with a PROXY header of its own."""
    name = "haproxy"

    def __init__(self, folder, target, how):
        super().__init__(folder)
        self.target, self.how = target, how

    def command(self):
        (self.folder / "haproxy.cfg").write_text(
            f"defaults\n  mode tcp\n  timeout connect 30s\n  timeout client 60s\n  timeout server 60s\n"
            f"listen l\n  bind 127.0.0.1:{self.port}\n  source {BALANCER}\n  server s 127.0.0.1:{self.target} {self.how}\n")
        return ["haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")]


@pytest.fixture
def stack():
    with contextlib.ExitStack() as one:
        yield one


@pytest.mark.parametrize("how", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
@pytest.mark.parametrize("protocol", ["tcp", "smtp"])
def test_haproxy(yett, authority, folder, port, echo, stack, how, protocol):
    """A client that HAProxy hands on is who it is for the log, with TLS from the first byte and by STARTTLS."""
    def serve_mail(connection):
        connection.sendall(b"220 t\r\n")
        while connection.recv(4096):
            connection.sendall(b"250 t\r\n")

    starttls = protocol == "smtp"
    target = stack.enter_context(ScriptedServer(serve_mail)) if starttls else echo
    running = yett(service(authority, port, target.port, "insecure_smtp_loopback_relay = yes\n" if starttls else "", protocol,
                           "starttls" if starttls else "implicit"))
    with Haproxy(folder / "haproxy", port, how) as haproxy:
        s = socket.create_connection(("127.0.0.1", haproxy.port), timeout=20 * PATIENCE, source_address=("127.0.0.9", 0))
        if starttls:
            with smtplib.SMTP() as mail:
                mail.sock, mail._host = s, "localhost"
                assert mail.getreply()[0] == 220
                assert mail.starttls(context=client_tls(authority))[0] == 220
                mail.sock.sendall(b"EHLO a\r\n")
                assert mail.sock.recv(100) == b"250 t\r\n"
                mail.sock.unwrap().close()
                mail.sock = mail.file = None
        else:
            talk(s, authority)
    # HAProxy's connection to see whether the port is open says nothing.
    line = wait_until(lambda: next((x for x in running.log_lines("session_ended") if x["received_bytes"] > 0), None),
                      f"the session: {running.log()}", 20 * PATIENCE)
    assert line["client"].startswith("127.0.0.9:") and line["proxy"].startswith(BALANCER + ":"), line


def test_curl(yett, authority, port):
    """curl says the header of version 1 before TLS, and names itself."""
    def serve(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    with ScriptedServer(serve) as server:
        running = yett(service(authority, port, server.port).replace(BALANCER, "127.0.0.1"))
        done = subprocess.run(["curl", "-sS", "--max-time", str(20 * PATIENCE), "--haproxy-protocol", "--cacert",
                               str(authority.cert), f"https://localhost:{port}/"], capture_output=True, text=True)
        assert done.stdout == "hi", done
    line = one_line(running, event="session_ended")
    assert line["client"].startswith("127.0.0.1:") and line["proxy"].startswith("127.0.0.1:"), line


def test_http_proxy(yett, authority, port, echo):
    """The header, CONNECT and the first words in one segment."""
    running = yett(service(authority, port, None, "", "http-proxy", "none").replace("*:*", f"127.0.0.1:{echo.port}"))
    with balance(port) as s:
        s.sendall(V1 + f"CONNECT 127.0.0.1:{echo.port} HTTP/1.1\r\nHost: a\r\n\r\nhello".encode())
        said = b""
        while not said.endswith(b"hello"):
            said += s.recv(4096)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert one_line(running, event="session_ended")["client"] == "192.0.2.9:56324"


@pytest.mark.parametrize("piece", [1, 7, 4096])
@pytest.mark.parametrize("header", [V1, v2(), v2(tlv(2, b"mail.example.org"), tlv(0xea, b"\1abc"))],
                         ids=["v1", "v2", "with TLVs"])
def test_pieces(yett, authority, port, echo, header, piece):
    """However the header is cut, with the ClientHello in the same segment: no byte behind it is lost."""
    running = yett(service(authority, port, echo.port))
    hello, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_tls(authority).wrap_bio(out, hello, server_hostname="localhost")
    with balance(port) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        first = header + hello.read()
        for i in range(0, len(first), piece):
            s.sendall(first[i:i + piece])
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                out.write(s.recv(65536))
        tls.write(b"hello")
        s.sendall(hello.read())
        answer = b""
        while answer != b"hello":
            try:
                answer += tls.read()
            except ssl.SSLWantReadError:
                out.write(s.recv(65536))
    line = one_line(running, event="session_ended")
    assert line["client"] == "192.0.2.9:56324" and line["proxy"].startswith(BALANCER + ":"), line
    assert line.get("proxy_tlvs", "") == ("authority=mail.example.org 0xea=01616263" if b"mail" in header else ""), line


@pytest.mark.parametrize("protocol, greeting", [("smtp", b"220 "), ("imap", b"* OK "), ("pop3", b"+OK ")])
def test_no_greeting_before_the_header(yett, authority, port, echo, protocol, greeting):
    running = yett(service(authority, port, echo.port, "", protocol, "starttls").replace(
        "greeting_name", "insecure_smtp_loopback_relay = yes\ngreeting_name" if protocol == "smtp" else "greeting_name"),
        settings="log_level = debug\n")
    with balance(port) as s:
        s.sendall(V1[:-1])
        s.settimeout(0.2)
        with pytest.raises(TimeoutError):
            s.recv(1)
        s.settimeout(20 * PATIENCE)
        s.sendall(V1[-1:])
        assert s.recv(100).startswith(greeting)
    wait_until(lambda: running.log_lines(client="192.0.2.9:56324"), "its line", 20 * PATIENCE)


@pytest.mark.parametrize("header, sent, said", [
    (V1, None, "the client's"),
    (v2(tlv(0xea, b"\1abc"), tlv(2, b"from.balancer"), tlv(4, b"\0\0")), tlv(0xea, b"\1abc"), "the client's"),
    (b"PROXY UNKNOWN\r\n", None, "unknown"), (v2(family=0), None, "unknown"),
    (v2(command=0x20, family=0), None, "local")], ids=["v1", "v2", "v1 unknown", "v2 unknown", "local"])
def test_what_goes_on(yett, authority, port, header, sent, said):
    """send_proxy says what the balancer said: the client's address, and what else it knows; of TLS what was learnt here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20 * PATIENCE)
        running = yett(service(authority, port, listener.getsockname()[1], "send_proxy = v2-tls\n"))
        with balance(port) as s:
            s.sendall(header)
            with client_tls(authority).wrap_socket(s, server_hostname="localhost") as tls:
                target, _ = listener.accept()
                with target:
                    target.settimeout(20 * PATIENCE)
                    head = target.recv(16, socket.MSG_WAITALL)
                    body = target.recv(int.from_bytes(head[14:16], "big"), socket.MSG_WAITALL)
    assert head[:14] == SIGNATURE + b"\x21\x11", head
    if said == "the client's":
        assert body[:12] == v2()[16:28], body
    else:
        assert body[:4] == socket.inet_aton(BALANCER), body
    assert b"from.balancer" not in body and tlv(2, b"localhost") in body
    assert sent is None or sent in body
    line = one_line(running, service="in")
    assert line.get("proxy_header", "the client's") == said, line


REFUSED = {
    "no header": (b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "proxy_missing", "is no PROXY header"),
    "an end of line": (V1.replace(b"\r\n", b"\n"), "proxy_malformed", "control character"),
    "a wrong address": (V1.replace(b"192.0.2.9", b"192.0.2.09"), "proxy_malformed", "addresses"),
    "too long": (b"PROXY UNKNOWN " + b"x" * 200, "proxy_malformed", "longer than 107"),
    "udp": (v2(family=0x12), "proxy_malformed", "its family"),
    "a family that is none": (v2(family=0x55), "proxy_malformed", "its family"),
    "a tlv over the end": (v2(b"\2\0\xffab"), "proxy_malformed", "behind its end"),
    "a wrong checksum": (v2(tlv(3, b"\0\0\0\0")), "proxy_malformed", "CRC32C"),
    "version 3": (SIGNATURE + b"\x31\x11\0\0", "proxy_malformed", "its version another"),
    "too large": (SIGNATURE + b"\x21\x11\xff\xff", "proxy_malformed", "longer than 4112"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(yett, authority, port, name):
    data, end, reason = REFUSED[name]
    running = yett(service(authority, port, 9))
    with balance(port) as s:
        s.sendall(data)
        assert read_to_end(s)[0] == b""  # whoever it is, nobody waits for words of ours
    line = one_line(running, event="proxy_header_refused")
    assert line["end"] == end and reason in line["reason"] and BALANCER in line["reason"], line
    running.wait_for_counter("proxy_headers_refused_total")


def test_only_one_version(yett, authority, port, echo):
    running = yett(service(authority, port, echo.port).replace("accept_proxy = any", "accept_proxy = v2"))
    with balance(port) as s:
        s.sendall(V1)
        read_to_end(s)
    assert "accept_proxy takes version 2" in one_line(running, event="proxy_header_refused")["reason"]
    with balance(port) as s:
        s.sendall(v2())
        talk(s, authority)


def test_a_header_that_does_not_come(yett, authority, port):
    """Within handshake_timeout, where that is less than five seconds."""
    running = yett(service(authority, port, 9, "handshake_timeout = 1s\n"))
    for said in (b"", V1[:20]):
        with balance(port) as s:
            s.sendall(said)
            assert read_to_end(s)[0] == b""
    wait_until(lambda: len(running.log_lines("proxy_header_refused", end="proxy_missing")) == 2, "two lines", 20 * PATIENCE)


def test_who_is_not_named(yett, authority, port, echo):
    """Somebody else's header is no header; without one he is served as who he is."""
    running = yett(service(authority, port, echo.port))
    talk(connect(port), authority)
    assert "proxy" not in one_line(running, event="session_ended")
    with connect(port) as s:
        s.sendall(V1)
        read_to_end(s)
    line = one_line(running, event="proxy_header_refused", end="proxy_unexpected")
    assert line["client"].startswith("127.0.0.1:") and "accept_proxy_from does not have" in line["reason"], line


@pytest.mark.parametrize("header, piece", [(V1, 1000), (v2(), 1000), (V1, 1), (v2(), 1)])
@pytest.mark.parametrize("who, said", [(connect, "accept_proxy_from does not have"), (balance, "behind the one of its balancer")])
def test_no_header_gets_through_in_plain_text(yett, authority, port, echo, who, said, header, piece):
    """The server behind might believe it, since it comes from us."""
    running = yett(service(authority, port, echo.port, listen_tls="none"))
    with who(port) as s:
        if who is balance:
            s.sendall(V1)
        with contextlib.suppress(ConnectionError):
            for i in range(0, len(header), piece):
                s.sendall(header[i:i + piece])
            s.sendall(b"hello")
        assert read_to_end(s)[0] == b""
    assert said in one_line(running, event="proxy_header_refused", end="proxy_unexpected")["reason"]
    with who(port) as s:
        s.sendall((V1 if who is balance else b"") + b"PROX")  # which is none: an echo of all of it
        s.sendall(b"IMA")
        assert s.recv(7, socket.MSG_WAITALL) == b"PROXIMA"


@pytest.mark.parametrize("how, end", [("fin", "closed"), ("rst", "reset")])
def test_a_client_that_goes_within_its_first_word(yett, authority, port, echo, how, end):
    """While it was not known yet whether that would be a PROXY header."""
    running = yett(service(authority, port, echo.port, listen_tls="none"))
    with connect(port) as s:
        s.sendall(b"PRO")
        wait_until(lambda: echo.connections == 1, "the target to be reached")
        if how == "rst":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            s.shutdown(socket.SHUT_WR)
            assert read_to_end(s)[0] == b"PRO"
    assert one_line(running, service="in", end=end)["received_bytes"] == (3 if how == "fin" else 0)


@pytest.mark.parametrize("named", ["accept_proxy_from does not have", "not expected here", "behind the one of its balancer"])
def test_a_header_before_starttls(yett, authority, port, named):
    """It would be an unknown command, and its client served as if nothing were."""
    configuration = service(authority, port, 9, "insecure_smtp_loopback_relay = yes\n", "smtp", "starttls")
    if named == "not expected here":
        configuration = re.sub("accept_proxy.*\n", "", configuration)
    running = yett(configuration)
    with (balance if "behind" in named else connect)(port) as s:
        s.sendall((V1 if "behind" in named else b"") + V1 + b"EHLO a\r\nSTARTTLS\r\n")
        said = read_to_end(s)[0]
    assert b"250" not in said and b"220 2.0.0" not in said, said
    assert named in one_line(running, event="proxy_header_refused", end="proxy_unexpected")["reason"]


def test_limits_are_the_clients(yett, authority, port, echo):
    """All connections come from one balancer, which has no limit; each client behind it has its own."""
    running = yett(service(authority, port, echo.port, "connections_per_address_max = 2\n"), settings="workers = 1\n")
    with contextlib.ExitStack() as stack:
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            for _ in range(2):
                s = stack.enter_context(balance(port))
                s.sendall(v2(address=address))
                stack.enter_context(client_tls(authority).wrap_socket(s, server_hostname="localhost"))
        with balance(port) as s:
            s.sendall(v2(address="192.0.2.2"))
            read_to_end(s)
        line = one_line(running, event="connection_refused")
        assert line["client"] == "192.0.2.2:56324" and line["end"] == "too_many", line
        s = stack.enter_context(balance(port))  # unknown: the balancer's own address
        s.sendall(v2(family=0))
        stack.enter_context(client_tls(authority).wrap_socket(s, server_hostname="localhost"))
    wait_until(lambda: running.counter("connections_open") == 0, "all to end", 20 * PATIENCE)
    with balance(port) as s:  # nothing is left counted
        s.sendall(v2(address="192.0.2.2"))
        talk(s, authority)


def test_allow_client(yett, authority, port, echo):
    running = yett(service(authority, port, echo.port, "allow_client = 192.0.2.0/25, 2001:db8::/32\n"))
    with balance(port) as s:
        s.sendall(v2())
        talk(s, authority)
    one_line(running, event="session_ended")
    with balance(port) as s:
        s.sendall(v2(address="192.0.2.129"))
        assert read_to_end(s)[0] == b""
    line = one_line(running, event="access_denied", client="192.0.2.129:56324")
    assert line["end"] == "denied" and "allow_client" in line["reason"] and "allow_client" in line["advice"], line
    with contextlib.suppress(ConnectionResetError), connect(port) as s:  # so soon that connecting may tell
        assert read_to_end(s)[0] == b""
    one_line(running, event="access_denied", proxy=None)


def test_allow_client_in_words(yett, authority, port):
    """Where there are words before TLS, they are said."""
    running = yett(service(authority, port, 9, "allow_client = 192.0.2.0/24\ninsecure_smtp_loopback_relay = yes\n", "smtp",
                           "starttls"))
    with connect(port) as s:
        assert re.match(rb"[45]\d\d .*\r\n$", read_to_end(s)[0])
    one_line(running, event="access_denied", end="denied")


def test_a_balancers_own_look(yett, authority, port, echo):
    """LOCAL, and nothing more: no warning, and no line but for who looks closely."""
    running = yett(service(authority, port, echo.port), settings="log_level = debug\n")
    with balance(port) as s:
        s.sendall(v2(command=0x20, family=0))
        s.shutdown(socket.SHUT_WR)
        read_to_end(s)
    line = one_line(running, event="session_ended")
    assert (line["end"], line["level"], line["proxy_header"]) == ("client_silent", "debug", "local"), line


def test_reload_and_connections(yett, authority, port, echo):
    running = yett(service(authority, port, echo.port))
    with balance(port) as s:
        s.sendall(V1)
        with client_tls(authority).wrap_socket(s, server_hostname="localhost") as tls:
            shown = running.command("connections", "--json").stdout
            assert '"client":"192.0.2.9:56324"' in shown.replace(" ", "") and BALANCER in shown, shown
            running.command("reload")
            tls.sendall(b"hello")
            assert tls.recv(100) == b"hello"
