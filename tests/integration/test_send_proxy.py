"""The PROXY header, read by those who read it in the world: Postfix, Dovecot and nginx. The client comes from an address of its
own (127.0.0.7, of the loopback network), which is what they must tell."""
import imaplib
import re
import smtplib
import socket

import pytest
from conftest import PATIENCE
from peers import Dovecot, Nginx, Postfix, client_tls, wait_until

CLIENT = "127.0.0.7"
MODES = ["v1", "v2", "v2-tls"]


def service(protocol, listen_tls, port, target, authority, mode, extra=""):
    return (f"[service in]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = {listen_tls}\n"
            f"identity = file:{authority.localhost.pem}\npeer = require\npeer_trust = file:{authority.cert}\nallow = any\n"
            f"connect = 127.0.0.1:{target}\nconnect_tls = none\nsend_proxy = {mode}\n{extra}")


def from_client(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20 * PATIENCE, source_address=(CLIENT, 0))


@pytest.mark.parametrize("mode", MODES)
def test_postfix(yett, authority, folder, port, mode):
    with Postfix(folder / "postfix", extra="smtpd_upstream_proxy_protocol = haproxy\n") as postfix:
        running = yett(service("smtp", "starttls", port, postfix.port, authority, mode))
        with smtplib.SMTP("localhost", port, timeout=20 * PATIENCE, source_address=(CLIENT, 0)) as s:
            s.starttls(context=client_tls(authority, cert=authority.alice))
            s.sendmail("bob@example.com", ["alice@example.org"], f"Subject: t\r\n\r\nxyzzy-{mode}\r\n")
        mail = postfix.wait_for_mail(f"xyzzy-{mode}")
        assert f"[{CLIENT}]" in mail, mail  # in Received:
        postfix.wait_for_line(f"[{CLIENT}]")
        running.wait_for_log('"event":"session_ended"')  # whatever end: smtplib sends no close_notify


@pytest.mark.parametrize("mode", MODES)
def test_dovecot(yett, authority, folder, port, mode):
    with Dovecot(folder / "dovecot", haproxy=True) as dovecot:
        yett(service("imap", "implicit", port, dovecot.port, authority, mode))

        class Imap(imaplib.IMAP4):
            def _create_socket(self, timeout):
                return client_tls(authority, cert=authority.alice).wrap_socket(from_client(port),
                                                                              server_hostname="localhost")

        with Imap("localhost", port) as s:
            s.login("alice", "secret")
            assert s.select("INBOX")[0] == "OK"
        log = folder / "dovecot/dovecot.log"
        line = wait_until(lambda: next((x for x in log.read_text(errors="replace").splitlines()
                                        if re.search("Info: (Login|Logged in): ", x)), None),
                          f"a login in Dovecot's log: {log.read_text(errors='replace')}")
        assert f"rip={CLIENT}" in line, line
        # It believes that the client's side was TLS only where the header says so. Dovecot 2.4 takes whoever has an address
        # of 127.0.0.0/8 for "secured", and says "TLS" of the others who are.
        assert (", TLS," in line if "Logged in: " in line else "secured" in line) == (mode == "v2-tls"), line


@pytest.mark.parametrize("mode", MODES)
def test_nginx(yett, authority, folder, port, mode):
    who = 'location /who { default_type text/plain; return 200 "$proxy_protocol_addr $proxy_protocol_server_port"; }'
    with Nginx(folder / "nginx", extra=who, proxy_protocol=True) as nginx:
        yett(service("tcp", "implicit", port, nginx.port, authority, mode))
        with client_tls(authority, cert=authority.alice).wrap_socket(from_client(port), server_hostname="localhost") as s:
            s.sendall(b"GET /who HTTP/1.0\r\n\r\n")
            answer = b""
            while more := s.recv(4096):
                answer += more
        assert answer.endswith(f"\r\n\r\n{CLIENT} {port}".encode()), answer


def test_receiver_that_expects_a_header_refuses_who_sends_none(yett, authority, folder, port):
    """That these tests would fail without the header."""
    with Nginx(folder / "nginx", proxy_protocol=True) as nginx:
        yett(service("tcp", "implicit", port, nginx.port, authority, "none"))
        with client_tls(authority, cert=authority.alice).wrap_socket(from_client(port), server_hostname="localhost") as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            try:
                assert b" 200 " not in s.recv(4096)
            except ConnectionResetError:
                pass


def read_header(s):
    """A PROXY header of version 2, a little at a time."""
    header, size = b"", 16
    while len(header) < size:
        some = s.recv(size - len(header))
        assert some, header
        header += some
        if len(header) == 16:
            size += int.from_bytes(header[14:16], "big")
    return header


@pytest.mark.parametrize("early", [b"", b"words in clear"])
def test_a_header_that_does_not_go_out_at_once(yett, authority, port, early):
    """The client's certificate is large, and the target takes little at a time: TLS begins behind the last of it."""
    client = authority.client("verbose", extensions="1.3.6.1.4.1.311.99.1=ASN1:UTF8String:" + "x" * 28000 + "\n")
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 88)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20 * PATIENCE)
        running = yett(service("tcp", "implicit", port, listener.getsockname()[1], authority, "v2-tls").replace(
            "connect_tls = none", f"connect_tls = implicit\ntrust = file:{authority.cert}\nverify_name = localhost"))
        workers = running.workers()
        with client_tls(authority, cert=client).wrap_socket(from_client(port), server_hostname="localhost") as s:
            s.sendall(b"hello")
            plain, _ = listener.accept()
            with plain:
                plain.settimeout(20 * PATIENCE)
                plain.sendall(early)
                header = read_header(plain)
                assert len(header) > 28000 and header.startswith(b"\r\n\r\n\0\r\nQUIT\n")
                assert plain.recv(1) == b"\x16"  # a ClientHello
        running.wait_for_log("target_tls_failed")
        assert running.workers() == workers
