"""POP3 through STLS, accepting and connecting, with Dovecot; curl, openssl and poplib as clients."""
import os
import poplib
import re
import shutil

import pytest
from bad_peers import read_to_end
from conftest import connect
from peers import Dovecot, client_tls, free_port, tool

REFUSED = b"-ERR [AUTH] Say STLS first: no name or password is taken without TLS\r\n"


@pytest.fixture
def server(folder):
    """A Dovecot that speaks POP3 in clear, with a mail for alice that looks like capabilities."""
    with Dovecot(folder / "dovecot", protocol="pop3") as dovecot:
        give_mail(dovecot)
        yield dovecot


MAIL = b"Subject: look-alike\r\n\r\n" + b"STLS\r\n+OK\r\n..\r\n" * 500


def give_mail(dovecot):
    """By maildir; what it stores has bare line ends."""
    new = dovecot.folder / "mail" / "alice" / "new"
    new.mkdir(parents=True)
    (new / "1.mail.test").write_bytes(MAIL.replace(b"\r\n", b"\n"))
    for path in (new.parent, new, new / "1.mail.test"):
        shutil.chown(path, "nobody", "nogroup")
        os.chmod(path, 0o700)


def accepting(port, target, authority, tls="starttls", extra=""):
    return (f"[service in]\nprotocol = pop3\nlisten = 127.0.0.1:{port}\nlisten_tls = {tls}\ngreeting_name = mx.test\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def connecting(port, target, authority):
    return (f"[service out]\nprotocol = pop3\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"connect = localhost:{target}\nconnect_tls = starttls\ntrust = file:{authority.cert}\n")


def test_curl_reads_a_mail_through_stls(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    out = tool("curl", "-sS", "--ssl-reqd", "--cacert", authority.cert, f"pop3://alice:secret@localhost:{port}/1")
    assert "look-alike" in out.stdout and out.stdout.count("STLS") == 500  # relayed as it is


def test_openssl_upgrades_and_sees_one_greeting(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    out = tool("openssl", "s_client", "-starttls", "pop3", "-connect", f"localhost:{port}", "-CAfile", authority.cert,
               "-verify_return_error", "-quiet", "-ign_eof", input=b"CAPA\r\nQUIT\r\n").stdout
    assert "SASL" in out and "STLS" not in out and "Dovecot" not in out


def test_poplib_logs_in_only_inside_tls(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    p = poplib.POP3("localhost", port, timeout=20)
    assert p.getwelcome() == b"+OK mx.test"  # and no timestamp
    assert set(p.capa()) == {"STLS", "RESP-CODES", "AUTH-RESP-CODE"}
    with pytest.raises(poplib.error_proto, match="STLS first"):
        p.user("alice")
    p.stls(client_tls(authority))
    assert "STLS" not in p.capa() and "USER" in p.capa()
    with pytest.raises(poplib.error_proto, match="ERR"):
        p._shortcmd("STLS")
    with pytest.raises(poplib.error_proto, match="ERR"):
        p._shortcmd("XCLIENT ADDR=192.0.2.1")
    p.user("alice")
    with pytest.raises(poplib.error_proto):
        p.pass_("wrong")
    p.user("alice")
    p.pass_("secret")
    assert b"\r\n".join(p.retr(1)[1]) + b"\r\n" == MAIL
    assert p.quit().startswith(b"+OK")


def test_pop3_before_tls_reaches_no_server(yett, authority, echo, port):
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(b"USER alice\r\nPASS very-secret\r\nSTLS\r\n")
        assert read_to_end(s) == (b"+OK mx.test\r\n" + REFUSED * 2, True)
    running.wait_for_log("2 commands with credentials")
    assert echo.connections == 0 and "very-secret" not in running.log()


def test_plain_text_behind_stls_is_refused(yett, authority, echo, port):
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(b"STLS\r\nUSER alice\r\n")
        assert read_to_end(s) == (b"+OK mx.test\r\n-ERR Nothing may follow STLS before TLS\r\n", True)
    running.wait_for_counter("injections_refused_total")
    assert echo.connections == 0


def test_a_server_that_is_down_is_said_inside_tls(yett, authority, port):
    running = yett(accepting(port, free_port(), authority))
    p = poplib.POP3("localhost", port, timeout=20)
    p.stls(client_tls(authority))
    with pytest.raises(poplib.error_proto, match=re.escape("[SYS/TEMP] No server answers, try again later")):
        p.user("alice")
    running.wait_for_counter("targets_failed_total")


def test_implicit_tls_in_front_of_pop3(yett, authority, server, port):
    yett(accepting(port, server.port, authority, tls="implicit"))
    p = poplib.POP3_SSL("localhost", port, timeout=20, context=client_tls(authority))
    assert b"Dovecot" in p.getwelcome()  # the server's own
    p.user("alice")
    p.pass_("secret")
    assert p.stat()[0] == 1
    p.quit()


def test_what_is_said_before_the_greeting_does_not_end_the_filter(yett, authority, folder, port):
    """The reply to USER is not the one to PASS: STLS is kept from the server for as long as nobody is logged in."""
    with Dovecot(folder / "dovecot", protocol="pop3", trusted="127.0.0.0/8") as dovecot:
        yett(accepting(port, dovecot.port, authority, tls="implicit"))
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
            s.sendall(b"USER alice\r\nPASS wrong\r\nCAPA\r\n")
            said = b""
            while not said.endswith(b"\r\n.\r\n"):
                more = s.recv(4096)
                assert more, said
                said += more
            assert b"[XCLIENT]" not in said and b"-ERR" in said
            s.sendall(b"XCLIENT ADDR=192.0.2.1\r\nQUIT\r\n")
            assert b"-ERR Unknown command" in read_to_end(s)[0]
        # Dovecot has a process for its log, which hears of a session's end after the client.
        line = dovecot.wait_for_line("auth failed")
        assert "rip=127.0.0.1" in line and "192.0.2.1" not in line


def test_a_plain_program_logs_in_to_dovecot_that_demands_stls(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.localhost, protocol="pop3") as dovecot:
        give_mail(dovecot)
        yett(connecting(port, dovecot.port, authority))
        p = poplib.POP3("127.0.0.1", port, timeout=20)
        assert "STLS" not in p.capa() and "USER" in p.capa()
        p.user("alice")
        p.pass_("secret")
        assert p.stat()[0] == 1
        p.quit()


def test_stls_on_both_sides(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.localhost, protocol="pop3") as dovecot:
        yett(f"[service both]\nprotocol = pop3\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
             f"identity = file:{authority.localhost.pem}\nconnect = localhost:{dovecot.port}\nconnect_tls = starttls\n"
             f"trust = file:{authority.cert}\n")
        p = poplib.POP3("localhost", port, timeout=20)
        p.stls(client_tls(authority))
        p.user("alice")
        p.pass_("secret")
        assert p.stat()[0] == 0
        p.quit()


def test_a_server_without_stls_never_hears_the_program(yett, authority, server, port):
    running = yett(connecting(port, server.port, authority))
    with connect(port) as s:
        s.sendall(b"USER alice\r\nPASS very-secret\r\n")
        assert read_to_end(s)[0] == b"-ERR [SYS/PERM] The server offers no TLS\r\n"
    running.wait_for_log("target_refused_starttls")
    assert "very-secret" not in running.log() and "very-secret" not in server.log()


def test_a_server_with_a_bad_certificate_never_hears_the_program(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.server("elsewhere.test"), protocol="pop3") as dovecot:
        running = yett(connecting(port, dovecot.port, authority))
        with connect(port) as s:
            s.sendall(b"USER alice\r\nPASS very-secret\r\n")
            assert read_to_end(s)[0] == b"-ERR [SYS/PERM] The server's TLS cannot be trusted\r\n"
        running.wait_for_log("name_mismatch")
        assert "very-secret" not in running.log()


def test_check_live_tells_what_the_server_can_do(yett, authority, folder, port):
    with Dovecot(folder / "dovecot", authority.localhost, protocol="pop3") as dovecot:
        running = yett(connecting(port, dovecot.port, authority))
        out = running.command("check", "--live").stdout
        assert "STARTTLS, TLSv1." in out and "UIDL" in out and "SASL" in out
