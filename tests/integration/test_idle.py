"""Idle connections of TLS 1.3, which give NSS's memory back and go on: seen from real peers."""
import json
import socket
import ssl
import subprocess
import threading

import pytest
from conftest import connect
from peers import EchoServer, client_tls, server_tls, wait_until


def one_connection(running):
    connections = json.loads(running.command("connections", "--json").stdout)["connections"]
    assert len(connections) <= 1
    return connections[0] if connections else None


def wait_until_released(running, side):
    wait_until(lambda: (c := one_connection(running)) and c[side] and c[side]["socket_released"],
               f"{side} to be released", 60)


def receive(s, size):
    data = b""
    while len(data) < size:
        part = s.recv(size - len(data))
        assert part, f"the connection ended after {len(data)} bytes"
        data += part
    return data


def echo_exactly(s, data):
    s.sendall(data)
    assert receive(s, len(data)) == data


def terminating(port, echo, identity, extra=""):
    return (f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\nidentity = {identity}\n"
            f"connect = 127.0.0.1:{echo.port}\nconnect_tls = none\n{extra}")


@pytest.mark.parametrize("before", [0, 1, 300_000])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_an_idle_client_goes_on(yett, authority, echo, port, version, before):
    running = yett(terminating(port, echo, f"file:{authority.localhost.pem}"))
    with client_tls(authority, version=version).wrap_socket(connect(port), server_hostname="localhost") as s:
        if before:
            echo_exactly(s, b"b" * before)
        wait_until_released(running, "client_tls")
        echo_exactly(s, b"small")
        echo_exactly(s, bytes(range(256)) * 800)
        plain = s.unwrap()  # close_notify goes both ways
        plain.close()
    wait_until(lambda: not one_connection(running), "the session to end", 20)


def test_an_idle_target_goes_on(yett, authority, port):
    with EchoServer(tls=server_tls(authority.localhost)) as echo:
        running = yett(f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                       f"connect = 127.0.0.1:{echo.port}\nconnect_tls = implicit\nverify_name = localhost\n"
                       f"trust = file:{authority.cert}\n")
        with connect(port) as s:
            echo_exactly(s, b"x" * 1000)
            wait_until_released(running, "target_tls")
            echo_exactly(s, bytes(range(256)) * 800)
            s.shutdown(socket.SHUT_WR)
            assert s.recv(1) == b""


def converse(command, running, steps):
    """Give a client one line after another; wait for what each makes it say."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        timer = threading.Timer(120, client.kill)  # whoever waits for a line then sees the end of its output
        timer.start()
        try:
            wait_until_released(running, "client_tls")
            for line, answer in steps:
                client.stdin.write(line + b"\n")
                client.stdin.flush()
                while answer not in (said := client.stdout.readline()):
                    assert said, f"no {answer!r}"
        finally:
            timer.cancel()
            client.stdin.close()
            client.wait(20)


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
def test_openssl_updates_its_keys(yett, authority, echo, port, suite):
    running = yett(terminating(port, echo, f"file:{authority.localhost.pem}"))
    # K: KeyUpdate that asks for one of the peer's; k: one that does not.
    converse(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile",
              authority.cert, "-verify_return_error", "-ciphersuites", suite], running,
             [(b"one", b"one"), (b"K", b"KEYUPDATE"), (b"two", b"two"), (b"k", b"KEYUPDATE"), (b"three", b"three"), (b"K", b"KEYUPDATE"),
              (b"four", b"four")])


def test_gnutls_updates_its_keys(yett, authority, echo, port):
    running = yett(terminating(port, echo, f"file:{authority.localhost.pem}"))
    converse(["gnutls-cli", "--port", str(port), "--x509cafile", authority.cert, "--inline-commands", "localhost"], running,
             [(b"one", b"one"), (b"^rekey^", b"Rekey was completed"), (b"two", b"two"), (b"^rekey^", b"Rekey was completed"), (b"three", b"three")])


class LongAnswers(EchoServer):
    """Answers each line with a long one that ends in it."""

    def serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(b"x" * 30_000 + line)


def test_gnutls_gets_records_as_small_as_it_asked_for(yett, authority, port):
    """RFC 8449: it ends the connection at a larger one."""
    with LongAnswers() as target:
        running = yett(terminating(port, target, f"file:{authority.localhost.pem}"))
        converse(["gnutls-cli", "--port", str(port), "--x509cafile", authority.cert, "--recordsize=512", "localhost"],
                 running, [(b"one", b"one"), (b"two", b"two")])
