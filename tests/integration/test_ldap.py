"""LDAP through StartTLS, accepting and connecting, with OpenLDAP's server and tools."""
import pytest
from bad_peers import read_to_end
from conftest import connect
from peers import ScriptedServer, Slapd, client_tls, free_port, server_tls, tool, wait_until

OID = b"1.3.6.1.4.1.1466.20037"
STARTTLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + OID
GO = b"\x30\x24\x02\x01\x01\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x16" + OID
BIND = b"\x30\x18\x02\x01\x02\x60\x13\x02\x01\x03\x04\x04cn=a\x80\x08very-sec"


def notice(code, text):
    """A Notice of Disconnection: RFC 4511 section 4.4.1."""
    op = b"\x0a\x01" + bytes([code]) + b"\x04\x00\x04" + bytes([len(text)]) + text + b"\x8a\x16" + OID[:-1] + b"6"
    return b"\x30" + bytes([len(op) + 5]) + b"\x02\x01\x00\x78" + bytes([len(op)]) + op


@pytest.fixture
def server(folder):
    with Slapd(folder / "slapd") as slapd:
        yield slapd


def accepting(port, target, authority, tls="starttls", extra=""):
    return (f"[service in]\nprotocol = ldap\nlisten = 127.0.0.1:{port}\nlisten_tls = {tls}\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


def connecting(port, target, authority):
    return (f"[service out]\nprotocol = ldap\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
            f"connect = localhost:{target}\nconnect_tls = starttls\ntrust = file:{authority.cert}\n")


# By address: libldap looks for the name of the machine in a certificate when it has connected to localhost.
def ldap(program, port, authority, *words, scheme="ldap", check=True, input=None):
    return tool(program, "-x", "-H", f"{scheme}://127.0.0.1:{port}", *words, check=check, input=input,
                env={"LDAPTLS_CACERT": str(authority.cert), "LDAPCONF": "/dev/null"})


ALICE = ("-D", "cn=alice,dc=test", "-w", "secret", "-b", "dc=test", "-LLL", "(cn=alice)", "sn")
FOUND = "dn: cn=alice,dc=test\nsn: Alice\n\n"


def test_ldapsearch_by_starttls(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    assert ldap("ldapsearch", port, authority, "-ZZ", *ALICE).stdout == FOUND
    assert "Invalid credentials" in ldap("ldapsearch", port, authority, "-ZZ", "-D", "cn=alice,dc=test", "-w", "wrong",
                                         check=False).stderr
    assert ldap("ldapwhoami", port, authority, "-ZZ", "-D", "cn=alice,dc=test", "-w", "secret").stdout == "dn:cn=alice,dc=test\n"


def test_openssl_upgrades(yett, authority, server, port):
    yett(accepting(port, server.port, authority))
    out = tool("openssl", "s_client", "-starttls", "ldap", "-connect", f"localhost:{port}", "-CAfile", authority.cert,
               "-verify_return_error", "-brief", input=b"")
    assert "Verification: OK" in out.stderr


def test_without_tls_every_request_is_refused(yett, authority, echo, port):
    running = yett(accepting(port, echo.port, authority))
    out = ldap("ldapsearch", port, authority, *ALICE, check=False)
    assert out.returncode == 13 and "Confidentiality required (13)" in out.stderr and "Say StartTLS first" in out.stderr
    running.wait_for_log("the client left without TLS, and 1 of its commands had been refused")
    with connect(port) as s:
        s.sendall(BIND * 50)
        said = read_to_end(s)[0]
        assert said.count(b"Say StartTLS first") == 10 and said.endswith(notice(13, b"Too many refused requests"))
    running.wait_for_log("10 requests that are refused")
    assert echo.connections == 0 and "very-sec" not in running.log()


def test_what_follows_starttls_is_refused(yett, authority, echo, port):
    """I1."""
    running = yett(accepting(port, echo.port, authority))
    with connect(port) as s:
        s.sendall(STARTTLS + BIND)
        assert read_to_end(s)[0] == notice(2, b"Nothing may follow StartTLS before TLS")
    running.wait_for_counter("injections_refused_total")
    assert echo.connections == 0


def test_what_is_not_ldap_is_refused(yett, authority, echo, port):
    """X1, X3, T5."""
    running = yett(accepting(port, echo.port, authority))
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x30\x80\x02\x01\x01"):
        with connect(port) as s:
            s.sendall(data)
            assert read_to_end(s)[0] == notice(2, b"Not understood")
    running.wait_for_log("TLS at once")
    assert echo.connections == 0


def test_starttls_inside_tls_reaches_no_server(yett, authority, folder, port):
    """I6, R13: of a server that has StartTLS of its own, after a login too."""
    with Slapd(folder / "slapd", authority.localhost) as server:
        yett(accepting(port, server.port, authority))
        with connect(port) as s:
            s.sendall(STARTTLS)
            assert s.recv(100) == GO
            with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
                t.sendall(STARTTLS)
                assert b"\x0a\x01\x02" in t.recv(200)  # protocolError: it knows no such operation
        out = ldap("ldapsearch", port, authority, "-ZZ", "-b", "", "-s", "base", "-LLL", "supportedExtension").stdout
        assert "1.3.6.1.4.1.4203.1.11.3" in out and OID.decode() not in out
        assert OID.decode() in ldap("ldapsearch", server.port, authority, "-b", "", "-s", "base", "-LLL", "supportedExtension").stdout


def test_implicit_tls_in_front_of_ldap(yett, authority, server, port):
    yett(accepting(port, server.port, authority, tls="implicit"))
    assert ldap("ldapsearch", port, authority, *ALICE, scheme="ldaps").stdout == FOUND


def test_a_plain_program_where_tls_is_demanded(yett, authority, folder, port):
    with Slapd(folder / "slapd", authority.localhost, demands=True) as server:
        yett(connecting(port, server.port, authority))
        assert ldap("ldapsearch", port, authority, *ALICE).stdout == FOUND
        out = ldap("ldapsearch", port, authority, "-ZZ", *ALICE, check=False)
        assert out.returncode != 0 and "unsupported" in out.stderr


def test_many_entries_through_starttls_on_both_sides(yett, authority, folder, port):
    """Long messages, and many of them, both ways."""
    with Slapd(folder / "slapd", authority.localhost, demands=True) as server:
        yett(f"[service both]\nprotocol = ldap\nlisten = 127.0.0.1:{port}\nlisten_tls = starttls\n"
             f"identity = file:{authority.localhost.pem}\nconnect = localhost:{server.port}\nconnect_tls = starttls\n"
             f"trust = file:{authority.cert}\n")
        entries = "".join(f"dn: cn=n{i},dc=test\nobjectClass: person\ncn: n{i}\nsn: x\ndescription: {'y' * (10 * i + 1)}\n\n"
                          for i in range(300))
        ldap("ldapadd", port, authority, "-ZZ", "-D", "cn=admin,dc=test", "-w", "secret", input=entries.encode())
        out = ldap("ldapsearch", port, authority, "-ZZ", "-b", "dc=test", "-LLL", "-o", "ldif-wrap=no", "(sn=x)").stdout
        assert sorted(out.split("\n\n")) == sorted(entries.split("\n\n"))


@pytest.mark.parametrize("answer, words, event", [
    (b"\x30\x13\x02\x01\x01\x78\x0e\x0a\x01\x02\x04\x00\x04\x07unknown", notice(52, b"The server offers no TLS"),
     "target_no_starttls"),                                                                                        # R3
    (b"\x30\x13\x02\x01\x01\x78\x0e\x0a\x01\x34\x04\x00\x04\x07not now", notice(52, b"The server offers no TLS"),
     "target_refused_starttls"),
    (notice(52, b"bye"), notice(52, b"The server does not want to serve now"), "target_unwilling"),                # R15
    (GO.replace(b"\x02\x01\x01", b"\x02\x01\x02"), notice(52, b"The server's answer is not understood"),
     "target_protocol_error"),                                                                                     # R7, R15
    (GO + GO, notice(52, b"The server's answer is not understood"), "plain text"),                                 # R1
    (b"* OK imap\r\n", notice(52, b"The server's answer is not understood"), "target_protocol_error"),             # R8
])
def test_a_server_that_goes_wrong_never_hears_the_program(yett, authority, port, answer, words, event):
    heard = []

    def script(connection):
        heard.append(connection.recv(100))
        connection.sendall(answer)
        heard.append(connection.recv(100))

    with ScriptedServer(script) as server:
        running = yett(connecting(port, server.port, authority))
        with connect(port) as s:
            s.sendall(BIND)
            assert read_to_end(s)[0] == words
        running.wait_for_log(event)
        wait_until(lambda: len(heard) == 2, "the server to hear the end")
    assert heard == [STARTTLS, b""] and "very-sec" not in running.log()


def test_a_server_with_a_bad_certificate_never_hears_the_program(yett, authority, port):
    """R10."""
    tls = server_tls(authority.server("elsewhere.test"))

    def script(connection):
        assert connection.recv(100) == STARTTLS
        connection.sendall(GO)
        tls.wrap_socket(connection, server_side=True)

    with ScriptedServer(script) as server:
        running = yett(connecting(port, server.port, authority))
        with connect(port) as s:
            s.sendall(BIND)
            assert read_to_end(s)[0] == notice(52, b"The server's TLS cannot be trusted")
        running.wait_for_log("name_mismatch")


def test_a_server_that_is_down_is_said_inside_tls(yett, authority, port):
    running = yett(accepting(port, free_port(), authority))
    with connect(port) as s:
        s.sendall(STARTTLS)
        assert s.recv(100) == GO
        with client_tls(authority).wrap_socket(s, server_hostname="localhost") as t:
            assert read_to_end(t)[0] == notice(52, b"No server answers, try again later")
    running.wait_for_counter("targets_failed_total")


def test_check_live_tells_what_the_server_can_do(yett, authority, folder, port):
    with Slapd(folder / "slapd", authority.localhost) as server:
        running = yett(connecting(port, server.port, authority))
        out = running.command("check", "--live").stdout
        assert "STARTTLS, TLSv1." in out and "it serves" in out
