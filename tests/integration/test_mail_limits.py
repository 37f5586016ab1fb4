"""Mail servers and clients that say much: lines that grow when they are rewritten, long lines, and long pipelines."""
import contextlib
import random
import re
import select
import socket
import ssl

import pytest
from bad_peers import Watched, capability_flood
from conftest import connect
from peers import Dovecot, Postfix, ScriptedServer, client_tls, server_tls, tool


def implicit(protocol, authority, port, target):
    return (f"[service in]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n")


def tls(authority, port):
    return client_tls(authority).wrap_socket(connect(port), server_hostname="localhost")


def read_all(s, pause=None):
    """Everything until the end, with close_notify or without it."""
    said = b""
    while True:
        if pause:
            pause()
        try:
            more = s.recv(65536)
        except OSError:
            return said
        if not more:
            return said
        said += more


@pytest.mark.parametrize("connect_tls", ["none", "implicit"])
def test_capability_lines_that_grow_do_not_end_a_worker(yett, authority, port, connect_tls):
    said = []

    def script(connection):
        said.append(capability_flood(connection))
        if connect_tls == "implicit":
            connection.unwrap()

    with ScriptedServer(script, tls=server_tls(authority.localhost) if connect_tls == "implicit" else None) as server:
        running = Watched(yett, f"[service in]\nprotocol = imap\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
                          f"identity = file:{authority.localhost.pem}\nconnect = localhost:{server.port}\n"
                          f"connect_tls = {connect_tls}\n"
                          + (f"trust = file:{authority.cert}\n" if connect_tls == "implicit" else ""))
        with tls(authority, port) as s:
            got = read_all(s)
        assert running.running.workers() == running.worker
        # Nothing but the word, and the blank before it, is missing; every other byte is as the server wrote it.
        want = re.sub(rb"(?m)^\* CAPABILITY STARTTLS", b"* CAPABILITY", said[0])
        assert len(got) == len(want) and got == want


RECIPIENTS = 2000  # four times as many as the filter follows at a time


def replies(lines):
    """The whole replies that these lines of SMTP are."""
    said, reply = [], b""
    while True:
        line = lines.readline()
        assert line.endswith(b"\n"), (said, line)
        reply += line
        if line[3:4] != b"-":
            yield reply
            reply = b""


class Pipeline:
    """Says much, and hears the answers meanwhile, in one thread: OpenSSL allows no second one in a connection, and what
    it calls the end of the stream then may only be what the other thread met."""

    def __init__(self, s, data):
        self.s, self.heard, self.is_over, self.pieces = s, b"", False, []
        s.setblocking(False)
        self.say(data)

    def say(self, data, pieces="one", rng=None):
        """Says this too, after all the rest, in one write or cut at random."""
        cut = []
        while data:
            size = len(data) if pieces == "one" else rng.randrange(1, 4000)
            cut.append(data[:size])
            data = data[size:]
        self.pieces = cut[::-1] + self.pieces

    def go_on(self):
        """Waits until something can be said or heard, and does it."""
        has_more = isinstance(self.s, ssl.SSLSocket) and self.s.pending()
        if not has_more and not any(select.select([self.s], [self.s] if self.pieces else [], [], 60)):
            raise TimeoutError("neither heard nor took anything for a minute")
        later = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
        if self.pieces:
            with contextlib.suppress(*later):
                piece = self.pieces[-1]
                left = piece[self.s.send(piece):]
                self.pieces[-1:] = [left] if left else []
        with contextlib.suppress(*later):
            more = self.s.recv(65536)
            self.heard += more
            self.is_over = not more

    def readline(self):
        while b"\n" not in self.heard and not self.is_over:
            self.go_on()
        line, end, self.heard = self.heard.partition(b"\n")
        return line + end

    def read_all(self):
        while not self.is_over:
            try:
                self.go_on()
            except OSError:
                break
        return self.heard


@pytest.mark.parametrize("pieces", ["one", "random 1", "random 2", "random 3"])
def test_postfix_gets_2000_recipients_in_one_write(yett, authority, folder, port, pieces):
    rng = random.Random(pieces)
    with Postfix(folder / "postfix", extra=f"smtpd_recipient_limit = {RECIPIENTS + 1}\n") as postfix:
        yett(implicit("smtp", authority, port, postfix.port))
        with tls(authority, port) as s:
            pipeline = Pipeline(s, b"")
            answers = replies(pipeline)
            assert next(answers).startswith(b"220 ")
            pipeline.say(b"EHLO a\r\n")
            assert b"PIPELINING" in next(answers)
            pipeline.say(b"MAIL FROM:<bob@example.com>\r\n" + b"RCPT TO:<alice@example.org>\r\n" * RECIPIENTS
                         + b"DATA\r\n", pieces, rng)
            codes = [next(answers)[:3] for _ in range(RECIPIENTS + 1)]
            assert codes == [b"250"] * (RECIPIENTS + 1)
            assert next(answers).startswith(b"354 ")
            pipeline.say(b"Subject: t\r\n\r\nxyzzy-2000\r\n.\r\nSTARTTLS\r\nQUIT\r\n")
            assert next(answers).startswith(b"250 2.0.0")
            assert next(answers).startswith(b"500 5.5.2")  # REFUSED-STARTTLS, in its turn
            assert next(answers).startswith(b"221 ")
        postfix.wait_for_mail("xyzzy-2000")


def test_swaks_pipelines_many_recipients(yett, authority, folder, port):
    recipients = ",".join(["alice@example.org", "bob@example.org"] * 400)
    with Postfix(folder / "postfix") as postfix:
        yett(implicit("smtp", authority, port, postfix.port))
        out = tool("swaks", "--server", "localhost", "--port", port, "--tls-on-connect", "--tls-ca-path", authority.cert,
                   "--tls-verify", "--pipeline", "--to", recipients, "--from", "bob@example.com", "--body", "xyzzy-pipe",
                   timeout=120)
        assert "250 2.0.0 Ok: queued" in out.stdout
        postfix.wait_for_mail("xyzzy-pipe")


@pytest.mark.parametrize("protocol", ["smtp", "lmtp", "imap"])
def test_a_pipeline_waits_for_a_server_that_is_slow(yett, authority, port, protocol):
    """The server answers nothing until the client has been heard as far as it goes, and then one command at a time; the
    memory of the connection stays where it is, and every command arrives, once and in order."""
    count = 5000
    heard = []
    command = b"%d LOGIN x {1+}\r\ny\r\n" if protocol == "imap" else b"NOOP %d\r\n"

    def script(connection):
        connection.sendall(b"* OK hi\r\n" if protocol == "imap" else b"220 hi\r\n")
        lines = connection.makefile("rb")
        for _ in range(count):
            line = lines.readline()
            if protocol == "imap":
                assert lines.readline() == b"y\r\n"
                connection.sendall(line.split()[0] + b" NO no\r\n")
            else:
                connection.sendall(b"250 " + line.split()[1] + b"\r\n")
            heard.append(int(line.split()[0 if protocol == "imap" else 1]))

    with ScriptedServer(script) as server:
        yett(implicit(protocol, authority, port, server.port))
        with tls(authority, port) as s:
            lines = Pipeline(s, b"".join(command % i for i in range(count)))
            lines.readline()
            got = [int(lines.readline().split()[0 if protocol == "imap" else 1]) for _ in range(count)]
        assert heard == got == list(range(count))


def test_a_pipeline_ends_with_its_server(yett, authority, port):
    """The server goes in the middle of the pipeline: the client sees the end, and the session is over."""
    def script(connection):
        connection.sendall(b"220 hi\r\n")
        connection.recv(100)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with ScriptedServer(script) as server:
        running = Watched(yett, implicit("smtp", authority, port, server.port))
        with tls(authority, port) as s:
            assert Pipeline(s, b"NOOP\r\n" * 5000).read_all() == b"220 hi\r\n"
            s.settimeout(60)
            s.unwrap()
        running.one_line("session_ended", "closed")


@pytest.mark.parametrize("protocol, said", [
    ("smtp", b"220 hi\r\n250-mx\r\n250-X %b\r\n250 SIZE\r\n"),
    ("lmtp", b"220-%b\r\n220 hi\r\n550 %b\r\n"),
    ("imap", b"* OK hi\r\n* 1 FETCH (X %b {22}\r\n* CAPABILITY STARTTLS\n)\r\n* OK %b\r\n+ %b\r\n"),
])
@pytest.mark.parametrize("size", [2000, 2048, 8192, 100000])
def test_reply_lines_of_any_length_pass(yett, authority, port, protocol, said, size):
    said = said.replace(b"%b", b"x" * size)

    def script(connection):
        if protocol == "imap":  # somebody must wait for the "+"
            connection.sendall(b"* OK hi\r\n")
            assert connection.recv(100) == b"a AUTHENTICATE X\r\n"
        connection.sendall(said)
        connection.recv(100)

    with ScriptedServer(script) as server:
        yett(implicit(protocol, authority, port, server.port))
        with tls(authority, port) as s:
            if protocol == "imap":
                assert s.recv(100) == b"* OK hi\r\n"
                s.sendall(b"a AUTHENTICATE X\r\n")
            got = b""
            while len(got) < len(said) and (more := s.recv(65536)):
                got += more
            assert got == said


@pytest.mark.parametrize("protocol, said, reason", [
    ("smtp", b"250-mx\r\n250 STARTTLS %b\r\n", "reply line that is too long to be rewritten"),
    ("imap", b"* CAPABILITY STARTTLS %b\r\n", "line that is too long to be rewritten"),
])
def test_a_long_line_that_must_be_rewritten_ends_the_session(yett, authority, port, protocol, said, reason):
    with ScriptedServer(lambda connection: (connection.sendall(said % (b"x" * 20000)), connection.recv(1))) as server:
        running = Watched(yett, implicit(protocol, authority, port, server.port))
        with tls(authority, port) as s:
            assert b"STARTTLS" not in read_all(s)
        running.one_line("relay_protocol_error", "relay_protocol_error", "negotiations_failed_total", reason)


def test_replies_before_tls_wait_for_their_reader(yett, authority, echo, port):
    """900 commands at once whose answers are thirty times as long: all are answered, though they are read late."""
    name = ".".join(["n" * 60] * 4)
    yett(f"[service in]\nprotocol = smtp\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\ngreeting_name = {name}\n"
         f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(60)
        s.connect(("127.0.0.1", port))
        answers = replies(s.makefile("rb"))
        assert next(answers).startswith(b"220 ")
        s.sendall(b"EHLO a\r\n" * 900)
        assert {next(answers) for _ in range(900)} == {b"250-%b\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n" % name.encode()}
        s.sendall(b"STARTTLS\r\n")
        assert next(answers).startswith(b"220 ")
        with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
            assert t.version() == "TLSv1.3"


SMUGGLED = [
    # Before the client can know that CHUNKING is offered: five bytes of a chunk to the server, a command to a filter.
    ("BDAT too early", b"EHLO a\r\nBDAT 5\r\nNOOP XCLIENT ADDR=192.0.2.77 NAME=evil.example\r\n", None),
    ("a verb with a control byte", b"EHLO a\r\n", b"BDAT\x01 46\r\nXCLIENT ADDR=192.0.2.77 NAME=evil.example  \r\n"),
    ("LF . LF", b"EHLO a\r\nMAIL FROM:<bob@example.com>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n",
     b"x\n.\nXCLIENT ADDR=192.0.2.77 NAME=evil.example\r\n"),
    ("LF . CRLF", b"EHLO a\r\nMAIL FROM:<bob@example.com>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n",
     b"x\n.\r\nXCLIENT ADDR=192.0.2.77 NAME=evil.example\r\n"),
]


@pytest.mark.parametrize("first, then", [x[1:] for x in SMUGGLED], ids=[x[0] for x in SMUGGLED])
def test_no_xclient_is_smuggled_to_postfix(yett, authority, folder, port, first, then):
    """Postfix believes yett whose client it is; a client must not be able to say so itself."""
    with Postfix(folder / "postfix", extra="smtpd_authorized_xclient_hosts = 127.0.0.0/8\n"
                 "smtpd_forbid_bare_newline = no\nsmtpd_forbid_unauth_pipelining = no\n") as postfix:
        yett(implicit("smtp", authority, port, postfix.port))
        with tls(authority, port) as s:
            lines = s.makefile("rb")
            answers = replies(lines)
            assert next(answers).startswith(b"220 ")
            s.sendall(first)
            said = [next(answers)]
            if then:
                while not said[-1].startswith((b"354", b"250-")) or b"DATA" in first and said[-1].startswith(b"250-"):
                    said.append(next(answers))
                s.sendall(then)
            with contextlib.suppress(OSError):  # yett may have ended it by then
                s.sendall(b"QUIT\r\n")
            said += [x for x in read_all_lines(lines)]
        # What XCLIENT answers where it is obeyed: a greeting once more.
        assert not [x for x in said if x.startswith(b"220")], said


def read_all_lines(lines):
    while True:
        try:
            line = lines.readline()
        except OSError:
            return
        if not line:
            return
        yield line


@pytest.mark.parametrize("said, logged_in", [
    (b'a ID ("x-originating-ip" "192.0.2.77" "x-originating-port" "77")\r\n', True),
    (b'a NOOP {60+}\r\nb ID ("x-originating-ip" "192.0.2.77" "x-session-id" "abcd")\r\n', False)],
    ids=["ID", "behind what is no literal to Dovecot"])
def test_no_address_is_told_to_dovecot(yett, authority, folder, port, said, logged_in):
    """Dovecot believes those it trusts whose client they bring; a client must not be able to say so itself."""
    with Dovecot(folder / "dovecot", trusted="127.0.0.0/8") as dovecot:
        running = yett(implicit("imap", authority, port, dovecot.port))
        with tls(authority, port) as s:
            s.sendall(said + b"c LOGIN alice secret\r\nd LOGOUT\r\n")
            read_all(s)
        if logged_in:
            dovecot.wait_for_login("alice")
        else:
            running.wait_for_log("a literal that nobody asked for")
        assert "192.0.2.77" not in dovecot.log()
