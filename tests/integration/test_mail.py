"""SMTP and IMAP through STARTTLS, accepting and connecting, with Postfix and Dovecot."""
import contextlib
import imaplib
import smtplib
import socket
import ssl

import pytest
from conftest import connect
from peers import Dovecot, Postfix, client_tls, tool, wait_until


def accepting(protocol, port, target, authority, extra=""):
    return (f"[service in]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def connecting(protocol, port, target, authority, extra=""):
    return (f"[service out]\nprotocol = {protocol}\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"connect = localhost:{target}\nconnect_tls = starttls\ntrust = file:{authority.cert}\n{extra}")


def test_swaks_sends_a_mail_through_starttls_to_postfix(yett, authority, folder, port):
    with Postfix(folder / "postfix") as postfix:
        yett(accepting("smtp", port, postfix.port, authority))
        out = tool("swaks", "--server", "localhost", "--port", port, "--tls", "--tls-ca-path", authority.cert,
                   "--tls-verify", "--to", "alice@example.org", "--from", "bob@example.com", "--body", "xyzzy-swaks")
        assert "250 2.0.0 Ok: queued" in out.stdout
        assert "STARTTLS" not in out.stdout[out.stdout.index("TLS started"):]
        postfix.wait_for_mail("xyzzy-swaks")


def test_a_plain_program_sends_a_mail_to_postfix_that_demands_starttls(yett, authority, folder, port):
    with Postfix(folder / "postfix", authority.localhost) as postfix:
        yett(connecting("smtp", port, postfix.port, authority))
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as s:
            s.ehlo()
            assert not s.has_extn("starttls")
            s.sendmail("bob@example.com", ["alice@example.org"], "Subject: t\r\n\r\nxyzzy-plain\r\n.dots\r\n")
        mail = postfix.wait_for_mail("xyzzy-plain")
        assert "using TLSv1.3" in mail and "\n.dots" in mail.replace("\r", "")


def test_starttls_on_both_sides(yett, authority, folder, port):
    with Postfix(folder / "postfix", authority.localhost) as postfix:
        yett(f"[service both]\nprotocol = smtp\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
             f"identity = file:{authority.localhost.pem}\nconnect = localhost:{postfix.port}\nconnect_tls = starttls\n"
             f"trust = file:{authority.cert}\n")
        with smtplib.SMTP("localhost", port, timeout=20) as s:
            s.starttls(context=client_tls(authority))
            s.sendmail("bob@example.com", ["bob@example.org"], "Subject: t\r\n\r\nxyzzy-both\r\n")
        assert "using TLSv1.3" in postfix.wait_for_mail("xyzzy-both", "bob")


def test_smtp_before_tls_answers_only_what_rfc_3207_allows(yett, authority, folder, port):
    with Postfix(folder / "postfix") as postfix:
        yett(accepting("smtp", port, postfix.port, authority))
        before = postfix.log().count(" connect from ")  # the wrapper's own look whether it listens
        with smtplib.SMTP("localhost", port, timeout=20) as s:
            code, text = s.ehlo()
            assert code == 250 and b"STARTTLS" in text and b"AUTH" not in text and b"PIPELINING" not in text
            assert s.docmd("NOOP")[0] == 250
            assert s.docmd("MAIL", "FROM:<a@example.org>")[0] == 530
            assert s.docmd("STARTTLS", "now")[0] == 501
            assert s.docmd("QUIT")[0] == 221
        assert postfix.log().count(" connect from ") == before  # Postfix never heard of it


@pytest.mark.parametrize("protocol, begin, command, refusal", [
    ("smtp", b"EHLO x\r\n", b"STARTTLS\r\nRSET\r\n", b"501"),
    ("imap", b"", b"a STARTTLS\r\nb NOOP\r\n", b"a BAD"),
])
def test_plain_text_behind_starttls_is_refused(yett, authority, echo, port, protocol, begin, command, refusal):
    running = yett(accepting(protocol, port, echo.port, authority, "send_proxy = v1\n" if protocol == "smtp" else ""))
    with connect(port) as s:
        s.recv(4096)
        if begin:
            s.sendall(begin)
            s.recv(4096)
        s.sendall(command)
        answer = b""
        while more := s.recv(4096):
            answer += more
        assert answer.startswith(refusal)
    running.wait_for_counter("injections_refused_total")
    line = running.wait_for_log("client_protocol_error")
    assert "does not wait for the answer to its request for TLS" in line, line
    assert echo.connections == 0


@pytest.mark.parametrize("last, end", [(b"QUIT\r\n", "quit"), (b"", "client_left")])
def test_a_client_that_is_not_set_to_use_starttls_is_told_of(yett, authority, echo, port, last, end):
    running = yett(accepting("smtp", port, echo.port, authority, "send_proxy = v1\n"))
    with connect(port) as s:
        s.sendall(b"EHLO x\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<a@example>\r\n" + last)
        while b"530" not in (answer := s.recv(4096)):
            assert answer
        s.shutdown(socket.SHUT_WR)
        while s.recv(4096):
            pass
    line, = wait_until(lambda: [x for x in running.log_lines(service="in") if "end" in x], "the line")
    assert line["end"] == end and "left without TLS, and 2 of its commands had been refused" in line["reason"], line


def test_curl_logs_in_to_dovecot_through_starttls(yett, authority, folder, port):
    with Dovecot(folder / "dovecot") as dovecot:
        yett(accepting("imap", port, dovecot.port, authority))
        out = tool("curl", "-sS", "--ssl-reqd", "--cacert", authority.cert, f"imap://alice:secret@localhost:{port}/")
        assert "INBOX" in out.stdout


def test_imaplib_reads_and_writes_a_mailbox(yett, authority, folder, port):
    with Dovecot(folder / "dovecot") as dovecot:
        yett(accepting("imap", port, dovecot.port, authority))
        with imaplib.IMAP4("localhost", port) as m:
            assert "STARTTLS" in m.capabilities and "LOGINDISABLED" in m.capabilities
            with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
                m.login("alice", "secret")
            m.starttls(client_tls(authority))
            assert "STARTTLS" not in m.capabilities
            m.login("alice", "secret")
            body = b"Subject: look-alike\r\n\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\nx OK [CAPABILITY STARTTLS]\r\n"
            m.append("INBOX", None, None, body * 100)
            m.select()
            assert m.fetch("1", "(RFC822)")[1][0][1] == body * 100  # relayed as it is


def test_a_plain_program_logs_in_to_dovecot_that_demands_starttls(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.localhost) as dovecot:
        yett(connecting("imap", port, dovecot.port, authority))
        with imaplib.IMAP4("127.0.0.1", port) as m:
            assert "STARTTLS" not in m.capabilities and "LOGINDISABLED" not in m.capabilities
            m.login("alice", "secret")
            assert m.select()[0] == "OK"


def test_gnutls_client_upgrades(yett, authority, folder, port):
    with Dovecot(folder / "dovecot") as dovecot:
        yett(accepting("imap", port, dovecot.port, authority))
        out = tool("gnutls-cli", "--starttls-proto=imap", f"--x509cafile={authority.cert}", "--port", port, "localhost",
                   input=b"a LOGIN alice secret\r\nb LOGOUT\r\n").stdout
        assert "a OK" in out and "b OK" in out


@pytest.mark.parametrize("protocol", ["smtp", "imap"])
def test_a_backend_that_is_down_is_said_in_the_protocols_words(yett, authority, port, protocol):
    from peers import free_port
    running = yett(accepting(protocol, port, free_port(), authority))
    if protocol == "smtp":
        with smtplib.SMTP("localhost", port, timeout=20) as s:
            s.starttls(context=client_tls(authority))
            assert s.docmd("EHLO", "x")[0] == 421
    else:
        with connect(port) as s:
            s.recv(4096)
            s.sendall(b"a STARTTLS\r\n")
            s.recv(4096)
            with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
                assert t.recv(4096).startswith(b"* BYE")
    running.wait_for_counter("targets_failed_total")


@pytest.mark.parametrize("protocol, word", [("smtp", b"421"), ("imap", b"* BYE")])
def test_a_server_with_a_bad_certificate_never_hears_the_program(yett, authority, folder, port, protocol, word):
    other = authority.server("elsewhere.test")
    server = Postfix(folder / "s", other) if protocol == "smtp" else Dovecot(folder / "s", other)
    with server:
        running = yett(connecting(protocol, port, server.port, authority))
        with connect(port) as s:
            s.sendall(b"a LOGIN alice very-secret\r\n")
            assert s.recv(4096).startswith(word)
        running.wait_for_log("name_mismatch")
        assert "very-secret" not in running.log()


def test_implicit_tls_in_front_of_smtp(yett, authority, folder, port):
    with Postfix(folder / "postfix") as postfix:
        yett(f"[service smtps]\nprotocol = smtp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
             f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{postfix.port}\nconnect_tls = none\n")
        with smtplib.SMTP_SSL("localhost", port, timeout=20, context=client_tls(authority)) as s:
            s.sendmail("bob@example.com", ["alice@example.org"], "Subject: t\r\n\r\nxyzzy-implicit\r\n")
        postfix.wait_for_mail("xyzzy-implicit")


def test_an_http_request_to_a_mail_service_is_refused(yett, authority, folder, port):
    with Postfix(folder / "postfix") as postfix:
        yett(f"[service smtps]\nprotocol = smtp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
             f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{postfix.port}\nconnect_tls = none\n")
        answer = b""
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
            s.sendall(b"GET /<script> HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionResetError, ssl.SSLError):
                while more := s.recv(4096):
                    answer += more
        assert b"<script>" not in answer and answer.count(b"\r\n") <= 2  # a greeting, a goodbye, and the end
        assert "<script>" not in postfix.log()
