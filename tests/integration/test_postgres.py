"""PostgreSQL through SSLRequest and TLS at once, accepting and connecting, with its own server, psql and pgbench."""
import contextlib
import pathlib
import signal
import ssl
import struct
import subprocess
import tempfile

import pytest
from bad_peers import read_to_end
from conftest import connect
from peers import Postgres, ScriptedServer, client_tls, free_port, server_tls, tool, wait_until

SSL_REQUEST = struct.pack(">II", 8, 80877103)
GSS_REQUEST = struct.pack(">II", 8, 80877104)
OPTIONS = b"user\0alice\0database\0postgres\0\0"
STARTUP = struct.pack(">II", 8 + len(OPTIONS), 3 << 16) + OPTIONS


def error(sqlstate, message):
    fields = b"SFATAL\0VFATAL\0C" + sqlstate + b"\0M" + message + b"\0\0"
    return b"E" + struct.pack(">I", 4 + len(fields)) + fields


@pytest.fixture(scope="module")
def server(authority):
    """One for all: making a cluster takes seconds."""
    with tempfile.TemporaryDirectory(prefix="yett-postgres-") as folder:
        pathlib.Path(folder).chmod(0o755)
        with Postgres(pathlib.Path(folder) / "server", authority.localhost) as postgres:
            yield postgres


def accepting(port, target, authority, tls="starttls", extra=""):
    return (f"[service in]\nprotocol = postgres\nlisten = 127.0.0.1:{port}\nlisten_tls = {tls}\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def connecting(port, target, authority, tls="starttls"):
    return (f"[service out]\nprotocol = postgres\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"connect = localhost:{target}\nconnect_tls = {tls}\ntrust = file:{authority.cert}\n")


def url(port, authority=None, user="alice", **more):
    words = {"host": "localhost", "port": port, "user": user, "dbname": "postgres", "sslmode": "disable"}
    if authority:
        words |= {"sslmode": "verify-full", "sslrootcert": authority.cert}
    return " ".join(f"{k}={v}" for k, v in (words | more).items())


def psql(connection, query, check=True):
    return tool("psql", connection, "-AtXc", query, env={"PGPASSWORD": "secret"}, check=check)


WHO = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def test_psql_logs_in_by_tls(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    assert psql(url(port, authority), WHO).stdout == "alice|f\n"
    assert psql(url(port, authority, gssencmode="prefer", sslmode="prefer"), WHO).stdout == "alice|f\n"
    rows = psql(url(port, authority), "SELECT repeat(md5(n::text), 100) FROM generate_series(1, 5000) AS n").stdout
    assert rows == server.ask("SELECT repeat(md5(n::text), 100) FROM generate_series(1, 5000) AS n") + "\n"


def test_without_tls_no_session_begins(yett, authority, server, port):
    running = yett(accepting(port, server.port, authority))
    out = psql(url(port, sslmode="disable"), WHO, check=False)
    assert out.returncode == 2 and "FATAL:  TLS is required: connect with sslmode=require or better" in out.stderr
    running.wait_for_log("without TLS")


def test_each_request_is_answered_once(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    with connect(port) as s:
        s.sendall(GSS_REQUEST)
        assert s.recv(10) == b"N"
        s.sendall(SSL_REQUEST)
        assert s.recv(10) == b"S"
        with client_tls(authority, alpn=["postgresql"]).wrap_socket(s, server_hostname="localhost") as t:
            t.sendall(SSL_REQUEST)  # I6
            assert t.recv(10) == b"N"
            t.sendall(STARTUP)
            assert t.recv(1) == b"R"


def test_tls_at_once_with_alpn_on_the_same_port(yett, authority, server, port):
    """What psql of version 17 does with sslnegotiation=direct; one that does not name the protocol is refused (ALPACA, T6)."""
    running = yett(accepting(port, server.port, authority))
    with client_tls(authority, alpn=["postgresql"]).wrap_socket(connect(port), server_hostname="localhost") as t:
        assert t.selected_alpn_protocol() == "postgresql"
        t.sendall(STARTUP)
        assert t.recv(1) == b"R"
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as t:
        t.sendall(STARTUP)
        assert t.recv(1000) == error(b"08P01", b"Not understood")
    running.wait_for_log("did not name postgresql")
    with pytest.raises(ssl.SSLError, match="NO_APPLICATION_PROTOCOL|no application protocol"):
        client_tls(authority, alpn=["h2"]).wrap_socket(connect(port), server_hostname="localhost")
    if int(server.programs.parent.name) >= 17:
        assert psql(url(port, authority, sslnegotiation="direct"), WHO).stdout == "alice|f\n"


def test_what_follows_the_request_is_refused(yett, authority, echo, port):
    """I1, I4; CVE-2021-23214."""
    running = yett(accepting(port, echo.port, authority))
    for more in (STARTUP, b"\x16\x03\x01\x00\x05hello"):
        with connect(port) as s:
            s.sendall(SSL_REQUEST + more)
            assert read_to_end(s)[0] == error(b"08P01", b"Nothing may follow the request for TLS before it")
    running.wait_for_counter("injections_refused_total", 2)
    assert echo.connections == 0


def test_plain_text_behind_the_go_ahead_is_tls_s_to_choke_on(yett, authority, echo, port):
    """I3."""
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(SSL_REQUEST)
        assert s.recv(10) == b"S"
        s.sendall(STARTUP)
        assert b"FATAL" not in read_to_end(s)[0]
    running.wait_for_log("client_tls_failed")
    assert echo.connections == 0


@contextlib.contextmanager
def sleeping(server, connection):
    """A psql whose query does not end, and runs."""
    process = subprocess.Popen(["psql", connection, "-AtXc", "SELECT pg_sleep(3600)"], stderr=subprocess.PIPE, text=True,
                               env={"PGPASSWORD": "secret", "PATH": "/usr/bin:/bin"})
    try:
        wait_until(lambda: server.ask("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)' "
                                      "AND state = 'active'") == "1" or process.poll() is not None, "the query to run")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)'")
        process.wait()
        process.stderr.close()


def check_cancelled(server, connection):
    with sleeping(server, connection) as process:
        process.send_signal(signal.SIGINT)
        assert "canceling statement due to user request" in process.stderr.read()
        assert process.wait(60) == 1


def test_a_query_is_cancelled(yett, authority, server, port):
    """By psql before version 17 in clear, though its session has TLS."""
    yett(accepting(port, server.port, authority))
    check_cancelled(server, url(port, authority))


def test_a_query_is_cancelled_by_a_program_without_tls(yett, authority, server, port):
    yett(connecting(port, server.port, authority))
    check_cancelled(server, url(port, user="secure"))


def test_nothing_follows_a_cancel_in_clear(yett, authority, server, port):
    """What could: a session without TLS."""
    running = yett(accepting(port, server.port, authority))
    with connect(port) as s:
        s.sendall(struct.pack(">IIII", 16, 80877102, 1, 2) + STARTUP)
        assert read_to_end(s)[0] == b""
    running.wait_for_log("behind its CancelRequest")


def test_no_cancel_in_clear_where_clients_need_a_certificate(yett, authority, server, port):
    running = yett(accepting(port, server.port, authority, extra=f"peer = require\npeer_trust = file:{authority.cert}\nallow = any\n"))
    with connect(port) as s:
        s.sendall(struct.pack(">IIII", 16, 80877102, 1, 2))
        assert read_to_end(s)[0] == error(b"28000", b"TLS is required to cancel a query here")
    running.wait_for_log("need a certificate")


def test_a_program_without_tls_logs_in_where_tls_is_demanded(yett, authority, server, port):
    yett(connecting(port, server.port, authority))
    assert psql(url(port, user="secure", sslmode="disable"), WHO).stdout == "secure|t\n"
    assert psql(url(port, user="secure", sslmode="prefer"), WHO).stdout == "secure|t\n"  # told that we have none for it
    out = psql(url(port, user="secure", sslmode="require"), WHO, check=False)
    assert out.returncode == 2 and "server does not support SSL" in out.stderr


def test_tls_on_both_sides(yett, authority, server, port):
    """The client must not bind its login to our certificate."""
    yett(f"[service both]\nprotocol = postgres\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
         f"identity = file:{authority.localhost.pem}\nconnect = localhost:{server.port}\nconnect_tls = starttls\n"
         f"trust = file:{authority.cert}\n")
    assert psql(url(port, authority, user="secure", channel_binding="disable"), WHO).stdout == "secure|t\n"


def test_tls_at_once_from_one_yett_to_another(yett, authority, server, port):
    """connect_tls = implicit, which names the protocol; and a listener with TLS alone."""
    second, third = free_port(), free_port()
    yett(connecting(port, second, authority, tls="implicit") + accepting(second, server.port, authority)
         + connecting(third, free_port(), authority).replace("[service out]", "[service nowhere]"))
    assert psql(url(port), WHO).stdout == "alice|f\n"
    out = psql(url(third), WHO, check=False)
    assert "FATAL:  No server answers, try again later" in out.stderr


def test_implicit_tls_answers_who_asks_for_tls_inside(yett, authority, server, port):
    yett(accepting(port, server.port, authority, tls="implicit"))
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as t:
        t.sendall(SSL_REQUEST)
        assert t.recv(10) == b"N"
        t.sendall(STARTUP)
        assert t.recv(1) == b"R"


@pytest.mark.parametrize("answer, words, event", [
    (b"N", error(b"08001", b"The server offers no TLS"), "target_no_starttls"),                            # R3
    (b"E\0\0\0\x0fMsecret words", error(b"08006", b"The server does not want to serve now, try again later"),
     "target_unwilling"),                                                                                  # CVE-2024-10977
    (b"SR\0\0\0\x08\0\0\0\0", error(b"08006", b"The server's answer is not understood"), "plain text"),   # R1, CVE-2021-23222
    (b"G", error(b"08006", b"The server's answer is not understood"), "target_protocol_error"),
])
def test_a_server_that_goes_wrong_never_hears_the_program(yett, authority, port, answer, words, event):
    heard = []

    def script(connection):
        heard.append(connection.recv(8))
        connection.sendall(answer)
        heard.append(connection.recv(100))

    with ScriptedServer(script) as server:
        running = yett(connecting(port, server.port, authority))
        with connect(port) as s:
            s.sendall(STARTUP)
            assert read_to_end(s)[0] == words
        running.wait_for_log(event)
        wait_until(lambda: len(heard) == 2, "the server to hear the end")
    assert heard == [SSL_REQUEST, b""] and "secret words" not in running.log()


def test_a_server_with_a_bad_certificate_never_hears_the_program(yett, authority, port):
    """R10."""
    tls = server_tls(authority.server("elsewhere.test"))

    def script(connection):
        assert connection.recv(8) == SSL_REQUEST
        connection.sendall(b"S")
        tls.wrap_socket(connection, server_side=True)

    with ScriptedServer(script) as server:
        running = yett(connecting(port, server.port, authority))
        with connect(port) as s:
            s.sendall(STARTUP)
            assert read_to_end(s)[0] == error(b"08001", b"The server's TLS cannot be trusted")
        running.wait_for_log("name_mismatch")


def test_pgbench_through_both_sides(yett, authority, server, port):
    second = free_port()
    yett(accepting(port, server.port, authority) + connecting(second, server.port, authority))
    for connection in (url(port, authority), url(second)):
        tool("pgbench", "-i", "-q", "-s", "1", connection, env={"PGPASSWORD": "secret"}, timeout=120)
        out = tool("pgbench", "-n", "-c", "8", "-j", "2", "-t", "25", connection, env={"PGPASSWORD": "secret"}, timeout=120)
        assert "200/200" in out.stdout and "number of failed transactions: 0" in out.stdout


def test_check_live_tells_how_the_server_lets_in(yett, authority, server, port):
    running = yett(connecting(port, server.port, authority))
    out = running.command("check", "--live").stdout
    assert "STARTTLS, TLSv1." in out and "it serves: \"login\"" in out
