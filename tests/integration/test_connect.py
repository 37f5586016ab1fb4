"""HTTP CONNECT: as a server (http-proxy) and through an upstream proxy (via)."""
import contextlib

import pytest
from conftest import Yett, connect
from peers import ConnectProxy, EchoServer, Nginx, Postfix, free_port, listens, server_tls, tool, wait_until


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


@pytest.mark.parametrize("rule, target", [
    ("[::1]", "[0:0:0:0:0:0:0:1]"), ("[0:0:0:0:0:0:0:1]", "[::1]"), ("[0::1]", "[0::1]"), ("[::1]", "[::0.0.0.1]"),
    ("127.0.0.1", "[::ffff:127.0.0.1]"), ("[::FFFF:127.0.0.1]", "127.0.0.1"), ("[::ffff:127.0.0.0/104]", "127.0.0.1"),
    ("127.0.0.0/8", "[::ffff:7f00:1]"), ("[::/96]", "[0:0::1]"),
])
def test_addresses_are_compared_whatever_their_spelling(yett, port, rule, target):
    """RFC 4291 section 2.2; an IPv4-mapped address is the IPv4 address it carries (section 2.5.5.2)."""
    with EchoServer(host="127.0.0.1" if "127" in rule else "::1") as echo:
        running = yett(proxy(port, f"{rule}:{echo.port}"))
        asked = f"{target}:{echo.port}".encode()
        answer = ask(port, b"CONNECT " + asked + b" HTTP/1.1\r\nHost: " + asked + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), (answer, running.log())


@pytest.mark.parametrize("rule, target", [
    ("[::1]", "[::2]"), ("[::1]", "127.0.0.1"), ("127.0.0.1", "[::127.0.0.1]"), ("127.0.0.1", "[64:ff9b::7f00:1]"),
    ("[::/0]", "127.0.0.1"), ("[::/0]", "[::ffff:127.0.0.1]"),
])
def test_other_addresses_stay_others(yett, port, rule, target):
    with EchoServer() as echo:
        yett(proxy(port, f"{rule}:{echo.port}"))
        asked = f"{target}:{echo.port}".encode()
        answer = ask(port, b"CONNECT " + asked + b" HTTP/1.1\r\nHost: " + asked + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ") and echo.connections == 0, answer


def test_own_listener_is_no_target(yett, port):
    yett(proxy(port, f"127.0.0.0/8:{port}"))
    target = f"127.0.0.1:{port}".encode()
    assert ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\n").split(b" ")[1] == b"403"


@pytest.mark.parametrize("rule, asked", [("127.0.0.1", "127.0.0.1"), ("127.0.0.0/8", "127.0.0.1"), ("127.0.0.1", "localhost"),
                                         ("0.0.0.0/0", "0.0.0.0"), ("[::/0]", "[::ffff:127.0.0.1]")])
def test_the_admin_endpoint_is_no_target(yett, port, rule, asked):
    """It trusts whoever is on this machine: metrics and status are not for a proxy's clients, whatever a rule says."""
    admin = free_port()
    running = yett(proxy(port, f"{rule}:*"), settings=f"admin = 127.0.0.1:{admin}\n")
    target = f"{asked}:{admin}".encode()
    answer = ask(port, b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\n\r\nGET /healthz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 "), answer
    running.wait_for_log("target_denied")
    line, = running.log_lines("target_denied")
    if asked in ("127.0.0.1", "0.0.0.0"):
        assert "listens there itself" in line["reason"] and "no rule leads there" in line["advice"], line


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


def through(port, upstream, targets, extra=""):
    return (f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\nconnect = {', '.join(targets)}\n"
            f"via = 127.0.0.1:{upstream}\n{extra}")


def nothing_comes(port):
    """The connection ends, or is reset, without a byte."""
    with contextlib.suppress(ConnectionResetError), connect(port) as s:
        assert s.recv(100) == b""


@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_targets_are_tried_in_turn_through_an_upstream_proxy(yett, authority, port, tls):
    """Down, refused, not answered for: the next one is asked for, over a connection of its own, and verified by its own
    name. One behind the first that is reached is not asked for."""
    with EchoServer(tls=server_tls(authority.localhost) if tls == "implicit" else None) as backend, \
            ConnectProxy({"forbidden.test:1": 403, "closing.test:1": "close"}) as upstream:
        targets = [f"127.0.0.1:{free_port()}", "forbidden.test:1", "closing.test:1", f"localhost:{backend.port}", "never.test:1"]
        running = yett(through(port, upstream.port, targets, f"connect_tls = {tls}\n" + (
            f"trust = file:{authority.cert}\n" if tls == "implicit" else "insecure_plaintext_connect = yes\n")))
        for turn in (1, 2):
            with connect(port) as s:
                s.sendall(b"in turn")
                assert s.recv(100) == b"in turn"
            if turn == 1:
                assert upstream.asked == targets[:4]
            # Whoever has failed is left alone for two seconds, and is then tried in its turn again.
            asked = upstream.asked[4:] if turn == 2 else targets[:4]
            assert asked[-1] == targets[3] and asked == [x for x in targets[:4] if x in asked], asked
            assert (upstream.connections, backend.connections) == (len(upstream.asked), turn)
        running.wait_for_counter("connections_total", 2)
        assert running.counter("targets_failed_total") == running.counter("negotiations_failed_total") == 0


def test_starttls_with_the_second_target_through_an_upstream_proxy(yett, authority, folder, port):
    with Postfix(folder / "postfix", authority.localhost) as postfix, ConnectProxy() as upstream:
        targets = [f"localhost:{free_port()}", f"localhost:{postfix.port}"]
        yett(through(port, upstream.port, targets, f"connect_tls = starttls\ntrust = file:{authority.cert}\n")
             .replace("protocol = tcp", "protocol = smtp"))
        tool("swaks", "--server", f"127.0.0.1:{port}", "--from", "bob@example.org", "--to", "alice@example.org",
             "--header", "Subject: by the second")
        postfix.wait_for_mail("by the second")
        assert upstream.asked == targets


@pytest.mark.parametrize("answers, asked, target, reason", [
    ({"a.test:1": 502, "b.test:1": 504}, ["a.test:1", "b.test:1"], "b.test:1", "answers CONNECT with 504"),
    ({"a.test:1": 502, "b.test:1": "close"}, ["a.test:1", "b.test:1"], "b.test:1", "the target closed the connection"),
    ({"a.test:1": "leave"}, ["a.test:1"], "b.test:1", "cannot connect to 127.0.0.1"),  # nor to the proxy: that is the end
    ({"a.test:1": "hang"}, ["a.test:1"], "a.test:1", "not ready in time (target_via)"),  # the time is for all of them
    ({"a.test:1": 502, "b.test:1": "hang"}, ["a.test:1", "b.test:1"], "b.test:1", "not ready in time (target_via)"),
])
def test_no_target_is_reached_through_an_upstream_proxy(yett, port, answers, asked, target, reason):
    with ConnectProxy(answers) as upstream:
        running = yett(through(port, upstream.port, ["a.test:1", "b.test:1"],
                               "insecure_plaintext_connect = yes\nhandshake_timeout = 3s\n"))
        nothing_comes(port)
        line = running.wait_for_log("target_failed")
        assert reason in line, line
        assert f'"target":"{target}' in line, line
        assert upstream.asked == asked
        running.wait_for_counter("targets_failed_total" if "CONNECT" not in reason else "negotiations_failed_total")
        assert len(running.log_lines("target_failed")) == 1


def test_a_target_that_fails_behind_the_upstream_proxy_is_the_end(yett, authority, port):
    """As without one: who answers is the target, and if it cannot prove who it is, nobody else is asked."""
    with EchoServer(tls=server_tls(authority.server("elsewhere.test"))) as wrong, \
            EchoServer(tls=server_tls(authority.localhost)) as right, ConnectProxy() as upstream:
        targets = [f"localhost:{wrong.port}", f"localhost:{right.port}"]
        running = yett(through(port, upstream.port, targets, f"connect_tls = implicit\ntrust = file:{authority.cert}\n"))
        nothing_comes(port)
        running.wait_for_log("target_tls_failed")
        assert upstream.asked == targets[:1]


def test_clients_leave_while_targets_are_tried(yett, port):
    """At any step of it; none stays behind."""
    with ConnectProxy({"a.test:1": 502, "b.test:1": "hang"}) as upstream:
        running = yett(through(port, upstream.port, ["a.test:1", "b.test:1"], "insecure_plaintext_connect = yes\n"))
        for i in range(30):
            if i % 6 == 0:
                running.command("reload")  # so that the first one, which fails, is not left alone any more
            before = len(upstream.asked)
            with connect(port):
                if i % 3 == 1:
                    wait_until(lambda: len(upstream.asked) > before, "the proxy to be asked")
                if i % 3 == 2:
                    wait_until(lambda: upstream.asked[before:][-1:] == ["b.test:1"], "the second target to be asked for")
        wait_until(lambda: running.counter("connections_open") == 0 and running.counter("connections_total") == 30,
                   "the sessions to end")


def test_what_a_proxy_of_ours_is_asked_for_never_goes_through_another(folder, port):
    """via is for targets of the configuration: with http-proxy, whose clients name theirs, it is refused by name."""
    one = Yett(folder / "y", proxy(port, "*:443", f"via = 127.0.0.1:{free_port()}\n"))
    line = next(i for i, x in enumerate(one.config.read_text().splitlines(), 1) if x.startswith("via"))
    for command in ("check", "run"):
        result = one.command(command, check=False)
        assert result.returncode == 1
        assert f"{one.config}:{line}: via: does not go with protocol http-proxy" in result.stdout + result.stderr, result
    assert not listens(port)


def test_every_target_is_looked_at_through_the_upstream_proxy(folder, echo, port):
    with ConnectProxy({"a.test:1": 403}) as upstream:
        one = Yett(folder / "y", through(port, upstream.port, ["a.test:1", f"127.0.0.1:{echo.port}"],
                                         "insecure_plaintext_connect = yes\n"))
        result = one.command("check", "--live", check=False)
        assert result.returncode == 1
        assert "service out: a.test:1" in result.stdout and "answers CONNECT with 403" in result.stdout
        assert f"service out: 127.0.0.1:{echo.port}" in result.stdout and "connected, without TLS" in result.stdout
        assert sorted(upstream.asked) == sorted(["a.test:1", f"127.0.0.1:{echo.port}"])
