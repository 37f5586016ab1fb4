"""http-proxy as real clients and sites use it: Node, curl, large heads, other character sets; and what is told of it."""
import contextlib
import json
import shutil
import socket
import subprocess

import pytest
from conftest import connect
from peers import EchoServer, Nginx, ScriptedServer, client_tls, free_port, tool
from test_connect import ask
from test_http_forward import Backend, get, proxy, read_to_end, request

# What the proxy takes by default, in bytes.
REQUEST_HEAD, RESPONSE_HEAD, FIELD, FIELDS = 64 * 1024, 256 * 1024, 64 * 1024, 200


def node(script, *args):
    path = shutil.which("node") or shutil.which("nodejs")
    assert path, "nodejs is missing: scripts/packages test"
    done = subprocess.run([path, "-e", script, *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- clients ---

NODE_CONNECT = """
const http = require('http'), https = require('https'), fs = require('fs');
const [port, target, ca] = process.argv.slice(1);
const request = http.request({host: '127.0.0.1', port, method: 'CONNECT', path: `localhost:${target}`});
request.on('connect', (response, socket) => {
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
  https.get({host: 'localhost', socket, agent: false, ca: fs.readFileSync(ca)}, answer => {
    answer.on('data', data => process.stdout.write(data));
    answer.on('end', () => socket.destroy());
  });
});
request.end();
"""

NODE_GET = """
const http = require('http');
const [port, target] = process.argv.slice(1);
http.get({host: '127.0.0.1', port, path: `https://localhost:${target}/page`, agent: false}, answer => {
  process.stdout.write(`${answer.statusCode} `);
  answer.on('data', data => process.stdout.write(data));
});
"""


def test_node_names_the_proxy_in_host_of_connect(yett, authority, folder, port):
    """RFC 9112 section 3.2.2: the request line counts. What Host says beside it is logged."""
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        running = yett(proxy(port, nginx.port, authority))
        assert node(NODE_CONNECT, port, nginx.port, authority.cert) == "hello from nginx to []\n"
        running.wait_for_log("session_ended")
        line, = running.log_lines("session_ended")
        assert (line["method"], line["status"], line["host"]) == ("CONNECT", 200, f"127.0.0.1:{port}"), line
        assert line["target"].startswith(f"localhost:{nginx.port} (")


def test_node_asks_for_an_https_uri(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        running = yett(proxy(port, nginx.port, authority))
        assert node(NODE_GET, port, nginx.port) == "200 hello from nginx to []\n"
        running.wait_for_log("session_ended")
        line, = running.log_lines("session_ended")
        assert (line["method"], line["status"], line["host"]) == ("GET", 200, f"127.0.0.1:{port}"), line
        assert "page" not in running.log()


def test_an_empty_line_before_a_request_and_a_body_of_no_bytes(yett, echo, port):
    yett(proxy(port, echo.port, AnyTrust()))
    target = f"127.0.0.1:{echo.port}".encode()
    head = b"CONNECT " + target + b" HTTP/1.1\r\nHost: " + target + b"\r\nContent-Length: 0\r\n\r\n"
    assert ask(port, b"\r\n" + head).startswith(b"HTTP/1.1 200 ")
    assert ask(port, b"\r\n\r\n" + head).startswith(b"HTTP/1.1 400 ")
    assert ask(port, head.replace(b"Length: 0", b"Length: 1")).startswith(b"HTTP/1.1 400 ")


class AnyTrust:
    """In the place of an authority, where no TLS is verified."""
    cert = "/etc/ssl/certs/ca-certificates.crt"


# --- large heads ---

def fields(count, size):
    """`count` fields of `size` bytes each, line end included."""
    return b"".join(b"X-%03d: %s\r\n" % (i, b"v" * (size - 9)) for i in range(count))


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


@pytest.mark.parametrize("head", [
    OK + fields(FIELDS - 1, 20) + b"\r\n",
    OK + fields(1, FIELD) + b"\r\n",
    OK + fields(4, FIELD - 100) + b"\r\n",
    OK + fields(FIELDS - 1, 1300) + b"\r\n",
    OK + b"".join(b"X-%03d:%s\r\n" % (i, b"v" * 1280) for i in range(FIELDS - 1)) + b"\r\n",  # grows by a space each
], ids=["fields", "field", "head", "both", "growing"])
def test_responses_as_large_as_sites_make_them(yett, authority, port, head):
    assert len(head) <= RESPONSE_HEAD
    with Backend(authority, lambda connection, _: connection.sendall(head + b"ok")) as backend:
        running = yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend))
            answer = read_to_end(s)
        sent = {tuple(line.split(b":", 1)) for line in head.split(b"\r\n")[2:] if line}
        got = {tuple(line.split(b": ", 1)) for line in answer.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
        assert {(name, value.strip()) for name, value in sent} <= got and answer.endswith(b"\r\n\r\nok")
        curl = tool("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--proxy", f"http://127.0.0.1:{port}",
                    "--request-target", f"https://localhost:{backend.port}/", "http://localhost/")
        assert curl.stdout == "200"
        assert running.workers()


def test_a_large_response_head_to_a_slow_client(yett, authority, port):
    """The head waits here as a whole, and the body only behind it: memory stays under the ceiling that is shown."""
    head = OK.replace(b": 2", b": 3000000") + fields(4, FIELD - 100) + b"\r\n"

    def reply(connection, _):
        connection.sendall(head + b"b" * 3000000)

    with Backend(authority, reply) as backend:
        running = yett(proxy(port, backend.port, authority))
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", port))
            s.settimeout(60)
            s.sendall(request(backend))
            assert s.recv(1, socket.MSG_PEEK)
            shown = json.loads(running.command("connections", "--json").stdout)["connections"]
            assert [x["method"] for x in shown] == ["GET"]
            assert all(0 < x["memory_bytes"] <= x["memory_bytes_max"] < 16 * RESPONSE_HEAD for x in shown), shown
            answer = read_to_end(s)
        assert answer.endswith(b"\r\n\r\n" + b"b" * 3000000) and b"\r\nX-003: vvv" in answer


@pytest.mark.parametrize("head", [fields(FIELDS - 1, 20), fields(1, REQUEST_HEAD - 100),
                                  fields(FIELDS - 1, 320)], ids=["fields", "field", "both"])
def test_requests_as_large_as_clients_make_them(yett, authority, port, head):
    with Backend(authority, lambda connection, _: connection.sendall(OK + b"\r\nok")) as backend:
        yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend, extra=head.decode()))
            assert read_to_end(s).endswith(b"\r\n\r\nok")
        assert head in backend.heads[0]
    with EchoServer() as target:
        yett(proxy(other := free_port(), target.port, authority))
        asked = f"127.0.0.1:{target.port}".encode()
        assert b" 200 " in ask(other, b"CONNECT " + asked + b" HTTP/1.1\r\nHost: " + asked + b"\r\n" + head + b"\r\n")


@pytest.mark.parametrize("head, said", [
    (fields(FIELDS, 20), "the response has more than 200 fields (http_fields_max)"),
    (fields(1, FIELD + 1), "a field of the response is longer than 65536 bytes (http_field_max)"),
    (fields(5, FIELD - 100), "the response's head is longer than 262144 bytes (http_response_head_max)"),
], ids=["fields", "field", "head"])
def test_a_response_over_a_limit_says_which(yett, authority, port, head, said):
    with Backend(authority, lambda connection, _: connection.sendall(OK + head + b"\r\nok")) as backend:
        running = yett(proxy(port, backend.port, authority))
        status, _, body = get(port, f"https://localhost:{backend.port}/")
        running.wait_for_log("relay_protocol_error")
        line, = running.log_lines("relay_protocol_error")
        assert (status, body.decode()) == (502, f"The target's answer is more than is taken here: {said}.\n"
                                                f"Connection {line['conn']}\n")
        assert line["reason"] == said and (line["method"], line["status"]) == ("GET", 502), line
        assert line["fault"] == "here" and "setting that the reason names" in line["advice"], line


@pytest.mark.parametrize("line, head, status, said", [
    (b"", fields(FIELDS, 20), 431, "the request has more than 200 fields (http_fields_max)"),
    (b"", fields(1, FIELD + 1), 431, "a field of the request is longer than 65536 bytes (http_field_max)"),
    (b"", fields(2, 40000), 431, "the request's head is longer than 65536 bytes (http_request_head_max)"),
    (b"x" * FIELD, b"", 414, "the first line of the request is longer than 65536 bytes (http_field_max)"),
], ids=["fields", "field", "head", "line"])
def test_a_request_over_a_limit_says_which(yett, authority, port, line, head, status, said):
    running = yett(proxy(port, free_port(), authority))
    answer = ask(port, b"GET https://localhost/" + line + b" HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n")
    running.wait_for_log("client_protocol_error")
    logged, = running.log_lines("client_protocol_error")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(f"\r\n\r\nThe request is more than is taken here: {said}.\n"
                           f"Connection {logged['conn']}\n".encode())
    assert logged["reason"] == f"{said} (HTTP_REFUSED)" and logged["status"] == status, logged


def test_limits_are_configured(yett, authority, port):
    large = OK + fields(500, 1000) + b"\r\n"
    with Backend(authority, lambda connection, _: connection.sendall(large + b"ok")) as backend:
        settings = "http_response_head_max = 1M\nhttp_fields_max = 600\nhttp_request_head_max = 8K\nhttp_field_max = 4K\n"
        yett(proxy(port, backend.port, authority, settings))
        with connect(port) as s:
            s.sendall(request(backend))
            assert read_to_end(s).endswith(b"\r\n\r\nok")
        assert b" 431 " in ask(port, request(backend, extra=fields(3, 3000).decode()))
        assert b"(http_field_max)" in ask(port, request(backend, extra=fields(1, 4097).decode()))


def test_an_upstream_proxy_that_says_too_much(yett, authority, port):
    """The page says who it was, and not that the target does not answer."""
    def script(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + fields(FIELDS + 1, 20) + b"\r\n")

    with ScriptedServer(script) as upstream:
        running = yett(f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                       f"connect = localhost:1\nvia = 127.0.0.1:{upstream.port}\n")
        with contextlib.suppress(ConnectionResetError), connect(port) as s:  # the reset may come before connect() looks
            assert read_or_reset(s) == b""
        running.wait_for_log("the response has more than 200 fields (http_fields_max)")


def read_or_reset(s):
    try:
        return read_to_end(s)
    except ConnectionResetError:
        return b""


# --- other character sets ---

def test_bytes_that_are_not_ascii_pass_both_ways(yett, authority, port):
    """RFC 9110 section 5.5: obs-text in a field's value is opaque."""
    value = b"\xe4 \xff\x80 \xc3\xa4"
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: " + value + b"\r\n\r\nok"
    with Backend(authority, lambda connection, _: connection.sendall(reply)) as backend:
        yett(proxy(port, backend.port, authority))
        with connect(port) as s:
            s.sendall(request(backend, extra="X-File: ").removesuffix(b"\r\n") + value + b"\r\n\r\n")
            answer = read_to_end(s)
        assert b"\r\nX-File: " + value + b"\r\n" in backend.heads[0]
        assert b"\r\nX-Name: " + value + b"\r\n" in answer


@pytest.mark.parametrize("smuggled", [b"\xe4\rTransfer-Encoding: chunked", b"\xe4\nTransfer-Encoding: chunked",
                                      b"\xe4\0", b"\xe4\x01", b"\xe4\x7f"], ids=["CR", "LF", "NUL", "SOH", "DEL"])
def test_control_bytes_do_not_pass_beside_them(yett, authority, port, smuggled):
    with Backend(authority, lambda connection, _: connection.sendall(OK + b"X: " + smuggled + b"\r\n\r\nok")) as backend:
        yett(proxy(port, backend.port, authority))
        bad = request(backend, extra="X: ").removesuffix(b"\r\n") + smuggled + b"\r\n\r\n"
        assert ask(port, bad).startswith(b"HTTP/1.1 400 ") and backend.heads == []
        assert get(port, f"https://localhost:{backend.port}/")[0] == 502


# --- addresses ---

def test_a_mapped_address_in_a_uri_is_the_address_it_carries(yett, authority, port):
    """In the rule, to connect to, and in the server's certificate, which has 127.0.0.1."""
    with Backend(authority, lambda connection, _: connection.sendall(OK + b"\r\nok")) as backend:
        yett(proxy(port, backend.port, authority))
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "[0:0:0:0:0:FFFF:7F00:1]"):
            assert get(port, f"https://{host}:{backend.port}/")[2] == b"ok"
        assert all(f"\r\nHost: 127.0.0.1:{backend.port}\r\n".encode() in head for head in backend.heads)


# --- what is told ---

def test_the_log_has_no_path_query_or_field(yett, authority, port):
    with Backend(authority, lambda connection, _: connection.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as b:
        running = yett(proxy(port, b.port, authority))
        uri = f"https://localhost:{b.port}/private-path?private-query"
        assert get(port, uri, "DELETE", headers={"Cookie": "private-cookie", "Host": f"localhost:{b.port}"})[0] == 404
        assert get(port, uri.replace("https", "http"), headers={"Cookie": "private-cookie"})[0] == 403
        running.wait_for_log("client_protocol_error")
        running.wait_for_log("session_ended")
        ended, = running.log_lines("session_ended")
        refused, = running.log_lines("client_protocol_error")
        assert (ended["method"], ended["status"]) == ("DELETE", 404) and "host" not in ended, ended
        assert (refused["method"], refused["status"]) == ("GET", 403), refused
        assert {"received_bytes", "sent_bytes", "duration_ms"} <= set(ended)
        assert "private" not in running.log()


def test_private_address_of_an_allowed_name_is_told_with_what_would_allow_it(yett, authority, port):
    """localhost in allow_target is a name, and names do not lead inside: who wrote it hears what to write."""
    target = free_port()
    running = yett(f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nallow_target = localhost:{target}\n"
                   f"trust = file:{authority.cert}\n")
    assert b"not allowed" in get(port, f"https://localhost:{target}/")[2]
    running.wait_for_log("target_denied")
    (line,) = running.log_lines("target_denied")
    assert "one that is not public has to be in allow_target itself, a name is not enough" in line["reason"], line


def test_client_of_tls_is_not_sent_to_starttls(yett, authority, port):
    """HTTP has none: curl --proxy https://... on a port without TLS."""
    running = yett(proxy(port, free_port(), authority))
    with connect(port) as s, contextlib.suppress(OSError):
        client_tls(authority).wrap_socket(s, server_hostname="localhost")
    running.wait_for_log("client_protocol_error")
    (line,) = running.log_lines("client_protocol_error")
    assert "the client begins with TLS at once: it should name this proxy by http://" in line["reason"], line
    assert "STARTTLS" not in line["reason"], line


def test_pages_carry_the_connection_of_the_log(yett, authority, port):
    nobody = free_port()
    running = yett(proxy(port, nobody, authority))
    for uri, event, words in ((f"https://localhost:{nobody}/", "target_failed", "The target does not answer."),
                              ("https://localhost:1/", "target_denied", "This target is not allowed."),
                              ("/", "client_protocol_error", "The request is not understood.")):
        body = get(port, uri)[2].decode()
        running.wait_for_log(event)
        line, = running.log_lines(event)
        assert body == f"{words}\nConnection {line['conn']}\n"
