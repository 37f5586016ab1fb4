"""Requests with https URIs through http-proxy: for programs without TLS."""
import contextlib
import hashlib
import http.client
import re
import socket
import threading

import pytest
from conftest import connect
from peers import EchoServer, Nginx, ScriptedServer, free_port, server_tls, tool, wait_until
from test_connect import ask


def proxy(port, target, authority, extra=""):
    return (f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"allow_target = localhost:{target}, 127.0.0.0/8:{target}, [::1]:{target}\ntrust = file:{authority.cert}\n{extra}")


class Backend(ScriptedServer):
    """An HTTPS server in a script: reply(connection, head) is called for each request's head; all it heard is kept."""

    def __init__(self, authority, reply, **options):
        super().__init__(self.serve_one)
        self.context = server_tls(authority.localhost, **options)
        self.reply, self.heads = reply, []

    def serve_one(self, plain):
        with self.context.wrap_socket(plain, server_side=True) as connection:
            self.serve_tls(connection)

    def serve_tls(self, connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (byte := connection.recv(1)):
                return
            head += byte
        self.heads.append(head)
        self.reply(connection, head)


def end_tls(connection):
    """close_notify, and the client's."""
    with contextlib.suppress(OSError, ValueError):
        connection.unwrap()


def read_exactly(connection, size):
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def get(port, uri, method="GET", body=None, headers=None):
    """The response of the proxy to one request: status, fields, body."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    c.request(method, uri, body=body, headers=headers or {})
    response = c.getresponse()
    result = response.status, dict(response.getheaders()), response.read()
    c.close()
    return result


# --- real servers and clients ---

def test_curl_gets_an_https_page_without_tls_of_its_own(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        yett(proxy(port, nginx.port, authority))
        out = tool("curl", "-sSi", "--proxy", f"http://127.0.0.1:{port}", "--request-target",
                   f"https://localhost:{nginx.port}/page", "http://localhost/").stdout
        assert out.startswith("HTTP/1.1 200 OK") and out.endswith("hello from nginx to []\n")
        assert "\nVia: 1.1 yett" in out and "\nConnection: close" in out and "keep-alive" not in out
        wait_until(lambda: "GET /page HTTP/1.1" in (folder / "nginx/access.log").read_text(), "nginx to note the request")


def test_nginx_serves_files_in_every_way(yett, authority, folder, port):
    """Ranges, HEAD, 304, 404, chunks, a body up, and large ones both ways."""
    www = folder / "www"
    (www / "up").mkdir(parents=True)
    www.chmod(0o755)
    (www / "up").chmod(0o777)
    large = hashlib.shake_128(b"yett").digest(8 * 1024 * 1024)
    (www / "large").write_bytes(large)
    extra = (f"client_max_body_size 20m; location /www/ {{ alias {www}/; }} location /up/ {{ alias {www}/up/; "
             "dav_methods PUT DELETE; }")
    with Nginx(folder / "nginx", authority.localhost, extra=extra) as nginx:
        yett(proxy(port, nginx.port, authority))
        base = f"https://localhost:{nginx.port}"
        status, fields, body = get(port, f"{base}/www/large")
        assert status == 200 and body == large
        status, fields, body = get(port, f"{base}/www/large", "HEAD")
        assert status == 200 and body == b"" and fields["Content-Length"] == str(len(large))
        status, _, body = get(port, f"{base}/www/large", headers={"If-None-Match": fields["ETag"]})
        assert (status, body) == (304, b"")
        status, _, body = get(port, f"{base}/www/large", headers={"Range": "bytes=5-9"})
        assert (status, body) == (206, large[5:10])
        assert get(port, f"{base}/www/none")[0] == 404
        assert get(port, f"{base}/up/a", "PUT", large)[0] == 201
        assert (www / "up/a").read_bytes() == large
        # In chunks, as http.client sends an iterator; nginx takes the coding off.
        pieces = (large[i:i + 77777] for i in range(0, len(large), 77777))
        assert get(port, f"{base}/up/b", "PUT", pieces)[0] == 201
        assert (www / "up/b").read_bytes() == large
        assert get(port, f"{base}/up/b", "DELETE")[0] == 204
        assert not (www / "up/b").exists()


def test_curl_waits_for_100_continue(yett, authority, folder, port):
    def reply(connection, head):
        assert b"\r\nExpect: 100-continue\r\n" in head
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = read_exactly(connection, 2000000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + hashlib.sha256(body).hexdigest().encode())

    body = folder / "body"
    body.write_bytes(b"x" * 2000000)
    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        out = tool("curl", "-sSv", "--proxy", f"http://127.0.0.1:{port}", "--request-target",
                   f"https://localhost:{backend.port}/", "--data-binary", f"@{body}", "--expect100-timeout", "60",
                   "http://localhost/")
        assert out.stdout == hashlib.sha256(b"x" * 2000000).hexdigest()
        assert "HTTP/1.1 100 Continue" in out.stderr


def test_the_proxy_itself_by_tls(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        yett(proxy(port, nginx.port, authority, f"identity = file:{authority.localhost.pem}\n")
             .replace("listen_tls = none", "listen_tls = implicit"))
        page = tool("curl", "-sS", "--proxy", f"https://localhost:{port}", "--proxy-cacert", authority.cert,
                    "--request-target", f"https://localhost:{nginx.port}/", "http://localhost/").stdout
        assert page == "hello from nginx to []\n"


def test_a_client_certificate_of_the_service_is_shown(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost, client_authority=authority) as nginx:
        yett(proxy(port, nginx.port, authority, f"connect_identity = file:{authority.alice.pem}\n"))
        assert get(port, f"https://localhost:{nginx.port}/")[2] == b"hello from nginx to [CN=alice]\n"


# --- what is refused ---

@pytest.mark.parametrize("name, dates, error", [
    ("elsewhere.test", None, "name_mismatch"),
    ("localhost", ("20200101000000Z", "20210101000000Z"), "expired"),
])
def test_a_server_with_a_bad_certificate_never_hears_the_request(yett, authority, folder, port, name, dates, error):
    certificate = authority.server(f"bad-{error}", sans=(f"DNS:{name}",), dates=dates)
    with Nginx(folder / "nginx", certificate) as nginx:
        running = yett(proxy(port, nginx.port, authority))
        status, _, body = get(port, f"https://localhost:{nginx.port}/secret")
        assert status == 502 and body.startswith(b"The target's TLS cannot be trusted.\n")
        assert get(port, f"https://localhost:{nginx.port}/secret", "HEAD")[0] == 502
        running.wait_for_log(error)
        assert "secret" not in (folder / "nginx/access.log").read_text()


def test_only_trusted_issuers(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        running = yett(proxy(port, nginx.port, authority).replace(f"trust = file:{authority.cert}\n", ""))
        assert get(port, f"https://localhost:{nginx.port}/")[0] == 502
        running.wait_for_log("unknown_issuer")


@pytest.mark.parametrize("request_line, code", [
    (b"GET http://localhost:{port}/ HTTP/1.1", b"403"),
    (b"GET https://localhost:1/ HTTP/1.1", b"403"),         # a port that no rule names
    (b"GET https://[::2]:{port}/ HTTP/1.1", b"403"),        # an address that no rule names
    (b"GET https://169.254.169.254:{port}/ HTTP/1.1", b"403"),
    (b"GET https://localhost/ HTTP/1.1", b"403"),           # 443
    (b"GET https://u:p@localhost:{port}/ HTTP/1.1", b"400"),
    (b"GET / HTTP/1.1", b"400"),
    (b"TRACE https://localhost:{port}/ HTTP/1.1", b"405"),
])
def test_targets_and_methods_that_are_not_allowed(yett, authority, port, request_line, code):
    with Backend(authority, lambda connection, head: None) as backend:
        yett(proxy(port, backend.port, authority))
        line = request_line.replace(b"{port}", str(backend.port).encode())
        answer = ask(port, line + b"\r\nHost: localhost\r\n\r\n")
        assert answer.split(b" ")[1] == code and answer.count(b"HTTP/1.1 ") == 1
        assert backend.heads == []


def test_a_target_that_is_down_is_502_and_its_own_listener_403(yett, authority, port):
    nobody = free_port()
    running = yett(proxy(port, nobody, authority) + proxy(free_port(), port, authority).replace("[service web]",
                                                                                                "[service other]"))
    assert get(port, f"https://localhost:{nobody}/")[0] == 502
    other = next(s for s in running.config.read_text().splitlines() if s.startswith("listen = ") and str(port) not in s)
    assert get(int(other.rsplit(":", 1)[1]), f"https://127.0.0.1:{port}/")[0] == 403


SMUGGLED = [
    b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    b"Content-Length: 0\r\nContent-Length: 6\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"X: y\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: +6\r\n",
    b"Content-Length: 6, 6\r\n",
    b"Host: evil\r\n",
]


@pytest.mark.parametrize("fields", SMUGGLED)
def test_smuggling_in_the_head(yett, authority, port, fields):
    with Backend(authority, lambda connection, head: None) as backend:
        yett(proxy(port, backend.port, authority))
        answer = ask(port, f"POST https://localhost:{backend.port}/ HTTP/1.1\r\nHost: localhost\r\n".encode() + fields
                     + b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1
        assert backend.heads == []


def test_what_follows_a_request_is_never_a_second_one(yett, authority, port):
    heard = []

    def reply(connection, head):
        connection.settimeout(0.5)
        with contextlib.suppress(OSError):
            heard.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        one = f"GET https://localhost:{backend.port}/1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        answer = ask(port, one + one.replace(b"/1 ", b"/2 ") * 50)
        assert answer.count(b"HTTP/1.1 200") == 1 and answer.endswith(b"ok")
        assert len(backend.heads) == 1 and backend.heads[0].startswith(b"GET /1 HTTP/1.1\r\n") and heard in ([], [b""])


def test_a_chunked_body_is_framed_anew(yett, authority, port):
    """Extensions and trailers stay here, and whoever reads sizes otherwise has nothing to read."""
    got = []

    def reply(connection, head):
        data = b""
        while not data.endswith(b"0\r\n\r\n") and (more := connection.recv(4096)):
            data += more
        got.append(data)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nT: t\r\n\r\n")

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        head = (f"POST https://localhost:{backend.port}/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                "Trailer: X\r\n\r\n").encode()
        answer = ask(port, head + b"0005;ext=\"GET / HTTP/1.1\"\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n")
        assert re.sub(rb"[0-9a-f]+\r\n(hello|!)\r\n", rb"\1", got[0]) == b"hello!0\r\n\r\n"
        assert b"Trailer" not in backend.heads[0]
        assert answer.endswith(b"\r\n\r\n2\r\nok\r\n0\r\n\r\n")


@pytest.mark.parametrize("body", [b"5\nhello\n0\n\n", b"0x5\r\nhello\r\n", b"2\r\nhello\r\n", b"-1\r\n", b"zz\r\n"])
def test_a_bad_chunk_is_a_bad_request(yett, authority, port, body):
    ended = threading.Event()

    def reply(connection, head):
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass
        ended.set()

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        answer = ask(port, f"POST https://localhost:{backend.port}/ HTTP/1.1\r\nHost: localhost\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n".encode() + body)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert ended.wait(20)


def test_hop_by_hop_fields_stay_here(yett, authority, port):
    def reply(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                           b"Proxy-Authenticate: Basic\r\nX-End: 2\r\nKeep-Alive: timeout=5\r\n\r\nok")

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        _, fields, _ = get(port, f"https://localhost:{backend.port}/", headers={
            "Proxy-Authorization": "Basic c2VjcmV0", "Connection": "X-Mine", "X-Mine": "1", "X-Theirs": "2",
            "TE": "trailers", "Upgrade": "h2c", "Proxy-Connection": "keep-alive", "Host": "evil.test"})
        head = backend.heads[0]
        for absent in (b"Proxy-", b"X-Mine", b"TE:", b"Upgrade", b"evil"):
            assert absent not in head
        assert b"\r\nX-Theirs: 2\r\n" in head and b"\r\nVia: 1.1 yett\r\n" in head
        assert f"\r\nHost: localhost:{backend.port}\r\n".encode() in head
        assert fields["X-End"] == "2" and "X-Hop" not in fields and "Proxy-Authenticate" not in fields


# --- how it ends ---

def read_to_end(s):
    data = b""
    while more := s.recv(65536):
        data += more
    return data


def request(backend, method="GET", version="1.1", extra=""):
    return (f"{method} https://localhost:{backend.port}/ HTTP/{version}\r\nHost: localhost\r\n{extra}\r\n").encode()


def test_a_response_to_the_end_of_the_connection(yett, authority, port):
    def reply(connection, head):
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 300000)
        end_tls(connection)

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend))
            assert read_to_end(s).endswith(b"Via: 1.0 yett\r\nConnection: close\r\n\r\n" + b"x" * 300000)


@pytest.mark.parametrize("head, complete", [
    (b"HTTP/1.1 200 OK\r\n\r\n", False),                            # no close_notify: a part, or the whole?
    (b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", False),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", True),   # whole by its length
])
def test_a_truncated_response_is_a_reset(yett, authority, port, head, complete):
    def reply(connection, _):
        connection.sendall(head + b"x" * 300000)
        sock = socket.socket(fileno=connection.detach())            # FIN without close_notify
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while sock.recv(4096):
                pass
        sock.close()

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend))
            if complete:
                assert read_to_end(s).endswith(b"x" * 300000)
            else:
                with pytest.raises(ConnectionResetError):
                    read_to_end(s)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"220 mail.test ESMTP\r\n",
                                    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_a_server_that_does_not_answer_is_502(yett, authority, port, answer):
    def reply(connection, head):
        connection.sendall(answer)
        end_tls(connection)

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        assert get(port, f"https://localhost:{backend.port}/")[0] == 502


def test_a_server_that_says_nothing_in_time_is_504(yett, authority, port):
    done = threading.Event()
    with Backend(authority, lambda connection, head: done.wait(60)) as backend:
        yett(proxy(port, backend.port, authority, "idle_timeout = 1s\n"))
        assert get(port, f"https://localhost:{backend.port}/")[0] == 504
        done.set()


def test_a_server_that_answers_early_ends_the_upload(yett, authority, port):
    def reply(connection, head):
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n")
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend, "POST", extra="Content-Length: 1000000000\r\n") + b"x" * 50000)
            answer = read_to_end(s)
        assert answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"no\n")


def test_a_client_that_leaves_within_its_request_is_no_whole_one(yett, authority, port):
    got = []

    def reply(connection, head):
        try:
            got.append(read_exactly(connection, 100))
        except OSError as e:
            got.append(e)

    with Backend(authority, reply) as backend:
        running = yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend, "POST", extra="Content-Length: 100\r\n") + b"x" * 50)
            wait_until(lambda: backend.heads, "the request to arrive")
        wait_until(lambda: got, "the server to see the end")
        assert isinstance(got[0], OSError) or len(got[0]) <= 50
        running.wait_for_log("client_left")


def test_a_client_of_1_0_gets_no_chunks_and_no_interim_response(yett, authority, port):
    def reply(connection, head):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        answer = ask(port, request(backend, version="1.0").replace(b"HTTP/1.0", b"HTTP/1.0"))
        with connect(port) as s:
            s.sendall(request(backend, version="1.0"))
            answer = read_to_end(s)
        assert answer.endswith(b"\r\n\r\nabcde") and b"103" not in answer and b"chunked" not in answer


def test_a_slow_reader_slows_the_server_and_gets_everything(yett, authority, port):
    total = 64 * 1024 * 1024
    sent = [0]

    def reply(connection, head):
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n".encode())
        block = b"y" * 65536
        for _ in range(total // len(block)):
            connection.sendall(block)
            sent[0] += len(block)

    with Backend(authority, reply) as backend:
        running = yett(proxy(port, backend.port, authority))
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            s.settimeout(60)
            s.connect(("127.0.0.1", port))
            s.sendall(request(backend))
            read_exactly(s, 1000)
            seen = -1
            while seen != sent[0]:  # until nothing moves: the server is held up
                seen = sent[0]
                threading.Event().wait(0.5)
            assert sent[0] < total
            assert running.command("connections", "--json").stdout.count('"id"') == 1
            rest = 0
            while more := s.recv(1 << 20):
                rest += len(more)
            assert rest + 1000 > total


def test_many_at_once(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        running = yett(proxy(port, nginx.port, authority))
        errors = []

        def work():
            for _ in range(20):
                try:
                    assert get(port, f"https://127.0.0.1:{nginx.port}/")[2] == b"hello from nginx to []\n"
                except (AssertionError, OSError, http.client.HTTPException) as e:
                    errors.append(repr(e))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not errors
        wait_until(lambda: running.counter("connections_open") == 0, "all to end")
        assert running.counter("handshakes_client_resumed_total") > 0


def test_stopping_tells_who_waits(yett, authority, port):
    done = threading.Event()
    answers = []
    with Backend(authority, lambda connection, head: done.wait(60)) as backend:
        running = yett(proxy(port, backend.port, authority), settings="drain_timeout = 100ms\n")
        t = threading.Thread(target=lambda: answers.append(ask(port, request(backend))))
        t.start()
        wait_until(lambda: backend.heads, "the request to arrive")
        running.stop()
        t.join()
        done.set()
        assert answers[0].startswith(b"HTTP/1.1 503 ")


def test_a_client_that_ends_its_side_gets_its_response(yett, authority, port):
    def reply(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Backend(authority, reply) as backend:
        yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend))
            s.shutdown(socket.SHUT_WR)
            assert read_to_end(s).endswith(b"ok")


@pytest.mark.parametrize("field", [b"Authorization: Basic c2VjcmV0\x01", b"Authorization : Basic c2VjcmV0",
                                   b"Authorization: Basic\r\n c2VjcmV0"])
def test_credentials_are_never_logged(yett, authority, port, field):
    with Backend(authority, lambda connection, head: None) as backend:
        running = yett(proxy(port, backend.port, authority))
        answer = ask(port, f"GET https://localhost:{backend.port}/?c2VjcmV0 HTTP/1.1\r\nHost: x\r\n".encode() + field
                     + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        ask(port, b"GET  https://localhost/?c2VjcmV0 HTTP/1.1\r\n\r\n")
        wait_until(lambda: len(running.log_lines("client_protocol_error")) == 2, "both to be logged")
        assert "c2VjcmV0" not in running.log() and "c2VjcmV0".encode() not in answer
