"""HTTP CONNECT: as a server (http-proxy) and through an upstream proxy (via)."""
import contextlib

import pytest
from conftest import connect
from peers import EchoServer, Nginx, free_port, tool


def proxy(port, allow, extra=""):
    return (f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"allow_target = {allow}\n{extra}")


def ask(port, request):
    """Send a raw request; the whole answer until the end of the connection or the end of a head."""
    with connect(port) as s:
        s.sendall(request)
        answer = b""
        while more := s.recv(4096):
            answer += more
            if answer.startswith(b"HTTP/1.1 200"):
                break
        return answer


def test_curl_tunnels_to_an_https_server(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as backend:
        yett(proxy(port, f"localhost:{backend.port}, 127.0.0.0/8:{backend.port}, [::1]:{backend.port}"))
        page = tool("curl", "-sS", "-x", f"http://127.0.0.1:{port}", "--cacert", authority.cert,
                    f"https://localhost:{backend.port}/").stdout
        assert page == "hello from nginx to []\n"


def test_curl_tunnels_through_a_proxy_that_is_reached_by_tls(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as backend:
        yett(f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
             f"identity = file:{authority.localhost.pem}\n"
             f"allow_target = localhost:{backend.port}, 127.0.0.0/8:{backend.port}, [::1]:{backend.port}\n")
        page = tool("curl", "-sS", "-x", f"https://localhost:{port}", "--proxy-cacert", authority.cert, "--cacert",
                    authority.cert, f"https://localhost:{backend.port}/").stdout
        assert page == "hello from nginx to []\n"


@pytest.mark.parametrize("target, code", [
    ("localhost:{port}", b"403"),        # a private address that no rule names, whatever the name rule says
    ("127.0.0.1:{port}", b"403"),
    ("[::1]:{port}", b"403"),
    ("[::ffff:127.0.0.1]:{port}", b"403"),
    ("[64:ff9b::7f00:1]:{port}", b"403"),
    ("169.254.169.254:{port}", b"403"),
    ("example.org:25", b"403"),          # a port that no rule names
    ("127.1:{port}", b"400"),
    ("0x7f000001:{port}", b"400"),
    ("2130706433:{port}", b"400"),
    ("user@localhost:{port}", b"400"),
    ("localhost", b"400"),
    ("localhost:0", b"400"),
    ("localhost:65536", b"400"),
    ("localhost:+443", b"400"),
])
def test_targets_that_are_not_allowed(yett, echo, port, target, code):
    running = yett(proxy(port, f"*:{echo.port}"))
    target = target.format(port=echo.port).encode()
    answer = ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")
    assert answer.split(b" ")[1] == code, answer
    assert b"connection: close" in answer.lower()
    assert echo.connections == 0
    if code == b"403":
        running.wait_for_counter("access_denied_total")


def test_own_listener_is_no_target(yett, port):
    yett(proxy(port, f"127.0.0.0/8:{port}"))
    target = f"127.0.0.1:{port}".encode()
    assert ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n").split(b" ")[1] == b"403"


def test_early_data_reaches_the_target_only_after_success(yett, echo, port):
    yett(proxy(port, f"127.0.0.1:{echo.port}"))
    target = f"127.0.0.1:{echo.port}".encode()
    with connect(port) as s:
        s.sendall(b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\nearly")
        answer = b""
        while not answer.endswith(b"early"):
            more = s.recv(4096)
            assert more
            answer += more
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_refused_request_is_not_followed_by_a_second(yett, echo, port):
    yett(proxy(port, f"127.0.0.1:{echo.port}"))
    good = f"127.0.0.1:{echo.port}".encode()
    answer = ask(port, b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\nCONNECT " + good
                 + b" HTTP/1.1\r\nHost: " + good + b"\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1 and b" 403 " in answer
    assert echo.connections == 0


def test_other_methods_are_not_allowed(yett, port):
    yett(proxy(port, "*:443"))
    answer = ask(port, b"TRACE https://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ") and b"allow: connect" in answer.lower()


def test_a_target_that_refuses_is_502(yett, port):
    nobody = free_port()
    yett(proxy(port, f"127.0.0.1:{nobody}"))
    target = f"127.0.0.1:{nobody}".encode()
    assert b" 502 " in ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n")


def test_a_service_reaches_its_target_through_an_upstream_proxy(yett, authority, port):
    from peers import server_tls
    upstream = free_port()
    with EchoServer(tls=server_tls(authority.localhost)) as backend:
        yett(proxy(upstream, f"localhost:{backend.port}, 127.0.0.0/8:{backend.port}, [::1]:{backend.port}")
             + f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
             f"connect = localhost:{backend.port}\nconnect_tls = implicit\ntrust = file:{authority.cert}\n"
             f"via = 127.0.0.1:{upstream}\n")
        with connect(port) as s:
            s.sendall(b"through two")
            assert s.recv(100) == b"through two"


def test_an_upstream_proxy_that_refuses_is_a_failed_target(yett, authority, port):
    upstream = free_port()
    running = yett(proxy(upstream, "*:443") + f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\n"
                   f"listen_tls = none\nconnect = localhost:{free_port()}\nconnect_tls = implicit\n"
                   f"trust = file:{authority.cert}\nvia = 127.0.0.1:{upstream}\n")
    with contextlib.suppress(ConnectionResetError), connect(port) as s:
        assert s.recv(100) == b""
    running.wait_for_counter("negotiations_failed_total", service="out")
