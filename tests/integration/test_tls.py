"""TLS terminated and originated, seen from real clients and servers."""
import contextlib
import hashlib
import socket
import ssl
import subprocess

import pytest
from authority import Authority, openssl
from conftest import ACKNOWLEDGMENT_TELLER, YETT, connect, preloading
from peers import EchoServer, Nginx, OpensslServer, ScriptedServer, client_tls, server_tls, tool, wait_until


def terminating(port, target, identity, extra=""):
    return (f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}, [::1]:{port}\nlisten_tls = implicit\n"
            f"identity = {identity}\nconnect = {target}\nconnect_tls = none\n{extra}")


def originating(port, target, trust, extra=""):
    return (f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\nconnect = {target}\n"
            f"connect_tls = implicit\ntrust = file:{trust}\n{extra}")


def exchange(port, context, data=b"hello", host="localhost", address="127.0.0.1"):
    with context.wrap_socket(connect(port, address), server_hostname=host) as s:
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            got += s.recv(65536)
        return got, s.version(), s.cipher()[0], s.session_reused


def test_curl_reads_a_page_through_termination(yett, authority, folder, port):
    with Nginx(folder / "nginx") as backend:
        yett(terminating(port, f"127.0.0.1:{backend.port}", f"file:{authority.localhost.pem}", "alpn = http/1.1\n"))
        for host in ("localhost", "127.0.0.1", "[::1]"):
            page = tool("curl", "-sS", "--cacert", authority.cert, f"https://{host}:{port}/").stdout
            assert page == "hello from nginx to []\n"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "both"])
def test_both_versions_with_each_key_type(yett, authority, echo, port, version, kind):
    identities = {"ecdsa": [authority.localhost], "rsa": [authority.localhost_rsa],
                  "both": [authority.localhost, authority.localhost_rsa]}[kind]
    yett(terminating(port, f"127.0.0.1:{echo.port}", ", ".join(f"file:{i.pem}" for i in identities)))
    got, seen, cipher, _ = exchange(port, client_tls(authority, version=version))
    assert got == b"hello"
    assert seen == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    if version == ssl.TLSVersion.TLSv1_2 and kind != "both":
        assert {"ecdsa": "ECDSA", "rsa": "RSA"}[kind] in cipher


def test_rsa_only_client_gets_the_rsa_certificate_of_two(yett, authority, echo, port):
    yett(terminating(port, f"127.0.0.1:{echo.port}",
                     f"file:{authority.localhost.pem}, file:{authority.localhost_rsa.pem}"))
    for sigalgs, kind in (("RSA-PSS+SHA256", "rsaEncryption"), ("ECDSA+SHA256", "id-ecPublicKey")):
        out = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-sigalgs",
                   sigalgs, "-CAfile", authority.cert, "-verify_return_error", input=b"").stdout
        pem = out[out.index("-----BEGIN"):out.index("-----END CERTIFICATE-----") + 25]
        assert kind in tool("openssl", "x509", "-noout", "-text", input=pem.encode()).stdout


def test_server_name_chooses_among_identities(yett, authority, echo, port):
    one, wild = authority.server("one.test"), authority.server("wild", sans=("DNS:*.wild.test",))
    yett(terminating(port, f"127.0.0.1:{echo.port}",
                     f"file:{authority.localhost.pem}, file:{one.pem}, file:{wild.pem}"))
    for name in ("localhost", "one.test", "a.wild.test", "B.WILD.test"):
        assert exchange(port, client_tls(authority), host=name)[0] == b"hello"
    for name in ("wild.test", "a.b.wild.test", "two.test"):
        with pytest.raises(ssl.SSLCertVerificationError):
            exchange(port, client_tls(authority), host=name)


def test_unknown_server_name_is_refused_where_only_known_ones_are_served(yett, authority, echo, port):
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}", "sni = known\n"))
    assert exchange(port, client_tls(authority))[0] == b"hello"
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        exchange(port, client_tls(), host="other.test")
    running.wait_for_counter("handshakes_server_failed_total")


@pytest.mark.parametrize("sni", ["any", "known"])
def test_server_names_as_real_clients_send_them(yett, authority, echo, port, sni):
    """RFC 6066 section 3 knows neither addresses nor ports, and no final dot; they come all the same."""
    yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}", f"sni = {sni}\n"))
    for name in ("::1", "[::1]", "127.0.0.1", "localhost:443", "localhost.", "LOCALHOST.", "local host", "."):
        for version in ("-tls1_2", "-tls1_3"):
            out = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, version, "-CAfile",
                       authority.cert, "-verify_return_error", "-verify_hostname", "localhost", input=b"hello\n", check=False)
            if sni == "any" or name.lower() == "localhost.":
                assert "Verification: OK" in out.stdout, out.stdout + out.stderr
            else:
                assert "unrecognized name" in out.stderr, (name, out.stderr)


def test_alpn_agrees_or_is_refused(yett, authority, echo, port):
    yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}", "alpn = x, y\n"))
    with client_tls(authority, alpn=["z", "y"]).wrap_socket(connect(port), server_hostname="localhost") as s:
        assert s.selected_alpn_protocol() == "y"
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        exchange(port, client_tls(authority, alpn=["h2"]))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_resume_on_every_worker_and_across_a_reload(yett, authority, echo, port, version):
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"),
                   settings="workers = 3\n")
    tls = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    context = client_tls(authority, version=tls)
    session = None

    def one():
        nonlocal session
        with context.wrap_socket(connect(port), server_hostname="localhost", session=session) as s:
            s.sendall(b"x")
            s.recv(1)  # TLS 1.3 tickets come with the first data
            session = s.session
            return s.session_reused

    assert not one()
    assert all(one() for _ in range(20))
    running.command("reload")
    assert all(one() for _ in range(20))
    running.wait_for_counter("handshakes_server_resumed_total", 20)


def test_a_client_that_hears_nothing_gets_its_ticket(yett, authority, echo, port):
    yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"))
    context = client_tls(authority, version=ssl.TLSVersion.TLSv1_3)
    with context.wrap_socket(connect(port), server_hostname="localhost") as s:
        s.settimeout(0.2)

        def has_ticket():
            with contextlib.suppress(TimeoutError):
                assert s.recv(1)
            return s.session.has_ticket

        assert not s.session.has_ticket
        wait_until(has_ticket, "a session ticket")
        session = s.session
    with context.wrap_socket(connect(port), server_hostname="localhost", session=session) as s:
        assert s.session_reused


@pytest.mark.parametrize("version, resumed, acknowledged", [("TLSv1_3", False, True), ("TLSv1_3", True, True),
                                                            ("TLSv1_2", False, False), ("TLSv1_2", True, True)])
def test_a_finished_that_nothing_of_ours_follows_is_acknowledged(yett, authority, echo, port, version, resumed, acknowledged):
    """A client without TCP_NODELAY holds its first request back until its Finished is acknowledged (RFC 1122 section 4.2.3.4),
    which would take the kernel 40 ms; where the last word of the handshake is ours, that carries the acknowledgment."""
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"), settings="workers = 1\n",
                   environment=preloading(ACKNOWLEDGMENT_TELLER))
    context = client_tls(authority)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    session, times = None, 0
    for i in range(2 if resumed else 1):
        times = running.log().count("acknowledged\n")
        with context.wrap_socket(connect(port), server_hostname="localhost", session=session) as s:
            s.sendall(b"hello")
            assert s.recv(10) == b"hello" and s.session_reused == (i == 1)
            session = s.session
    assert running.log().count("acknowledged\n") - times == acknowledged


def test_gnutls_client_is_served(yett, authority, folder, port):
    with Nginx(folder / "nginx") as backend:
        yett(terminating(port, f"127.0.0.1:{backend.port}", f"file:{authority.localhost_rsa.pem}"))
        out = tool("gnutls-cli", f"--x509cafile={authority.cert}", "--port", port, "localhost",
                   input=b"GET / HTTP/1.0\r\n\r\n").stdout
        assert "hello from nginx" in out


@pytest.mark.parametrize("args", [("-tls1_1",), ("-tls1",), ("-tls1_2", "-cipher", "AES128-SHA"),
                                  ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA")])
def test_old_versions_and_weak_suites_are_refused(yett, authority, echo, port, args):
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"))
    result = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *args, "-cipher", "ALL:@SECLEVEL=0"
                  if "-cipher" not in args else args[-1] + ":@SECLEVEL=0", input=b"", check=False)
    assert "alert" in result.stderr
    running.wait_for_counter("handshakes_server_failed_total")


def test_client_renegotiation_is_refused(yett, authority, echo, port):
    yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}"))
    result = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", input=b"R\n", check=False)
    assert "no renegotiation" in (result.stdout + result.stderr).lower() or "RENEGOTIATING" in result.stdout
    assert result.stdout.count("verify return") <= 4


def test_server_is_verified_before_a_byte_goes_its_way(yett, authority, folder, port):
    with Nginx(folder / "nginx", authority.localhost) as backend:
        yett(originating(port, f"localhost:{backend.port}", authority.cert))
        assert "hello" in tool("curl", "-sS", f"http://127.0.0.1:{port}/").stdout


@pytest.mark.parametrize("case", ["unknown authority", "wrong name", "expired"])
def test_a_server_that_does_not_verify_gets_nothing(yett, authority, folder, port, case):
    from authority import Authority
    certificate, trust = authority.localhost, authority.cert
    if case == "unknown authority":
        trust = Authority(folder / "other", "Other CA").cert
    elif case == "wrong name":
        certificate = authority.server("elsewhere.test")
    else:
        certificate = authority.issue("expired", sans=("DNS:localhost",), dates=("20240101000000Z", "20250101000000Z"))
    with EchoServer(tls=server_tls(certificate)) as backend:
        running = yett(originating(port, f"localhost:{backend.port}", trust))
        with contextlib.suppress(ConnectionResetError), connect(port) as s:  # plain TCP has no other word for it
            s.sendall(b"secret")
            assert s.recv(100) == b""
        running.wait_for_counter("verifications_failed_total")
        name = {"unknown authority": "unknown_issuer", "wrong name": "name_mismatch", "expired": "expired"}[case]
        running.wait_for_log(name)


def test_ip_address_is_verified_as_one(yett, authority, folder, port):
    with EchoServer(tls=server_tls(authority.localhost)) as backend:
        yett(originating(port, f"127.0.0.1:{backend.port}", authority.cert))
        with connect(port) as s:
            s.sendall(b"hello")
            assert s.recv(100) == b"hello"


def test_client_certificate_is_required_and_ruled_on(yett, authority, echo, port):
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}",
                               f"peer = require\npeer_trust = file:{authority.cert}\n"
                               "allow = san_email:alice@example.org\n"))
    assert exchange(port, client_tls(authority, cert=authority.alice))[0] == b"hello"
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        exchange_or_end(port, client_tls(authority))
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        exchange_or_end(port, client_tls(authority, cert=authority.bob))
    running.wait_for_counter("access_denied_total")
    running.wait_for_counter("handshakes_server_failed_total")
    assert echo.connections == 1  # neither of the two reached the target
    running.wait_for_log('"access_denied"')
    (denied,) = running.log_lines("access_denied")
    assert "which has san_email:bob@example.org" in denied["reason"], denied  # as a rule for it would be written
    running.wait_for_log('"client_tls_failed"')
    (without,) = running.log_lines("client_tls_failed")
    assert without["advice"].startswith("give the client a certificate"), without


def fingerprint(cert):
    return hashlib.sha256(openssl("x509", "-in", cert, "-outform", "DER")).hexdigest()


@pytest.mark.parametrize("rule, passes", [
    ("san_upn:*@CORP.example", True), ("san_upn:bob@corp.example", False),
    ("serial_number:PNOEE-*", True), ("serial_number:PNOLV-*", False),
    ("issuer:sha256=INNER", True), ("issuer:sha256=ROOT", True), ("issuer:sha256=OWN", False),
    ("policy:1.2.3.4", True), ("policy:1.2.3", False)])
def test_client_is_ruled_on_by_what_names_it_and_who_issued_it(yett, folder, echo, port, rule, passes):
    """The names of AD and eID, and the path that was verified; also when the session is resumed."""
    root = Authority(folder / "root", "Root")
    inner = Authority(folder / "inner", "Inner CA", issuer=root, extensions="certificatePolicies=2.5.29.32.0\n")
    smart = inner.issue("smart", purpose="clientAuth", subject="/CN=Alice/serialNumber=PNOEE-38001085718",
                        sans=("otherName:1.3.6.1.4.1.311.20.2.3;UTF8:alice@corp.example",),
                        extensions="certificatePolicies=1.2.3.4\n")
    rule = rule.replace("INNER", fingerprint(inner.cert)).replace("ROOT", fingerprint(root.cert)) \
        .replace("OWN", fingerprint(smart.cert))
    server = root.server("localhost")
    yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{server.pem}",
                     f"peer = require\npeer_trust = file:{root.cert}\nallow = {rule}\n"))
    context = client_tls(root, cert=smart)
    for _ in range(2):
        if passes:
            exchange_or_end(port, context)
        else:
            with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
                exchange_or_end(port, context)


@pytest.mark.parametrize("purpose, taken", [("client", {"clientAuth", "anyExtendedKeyUsage"}),
                                            ("server", {"serverAuth", "anyExtendedKeyUsage"}),
                                            ("any", {"clientAuth", "serverAuth", "anyExtendedKeyUsage"})])
def test_peer_purpose(yett, authority, echo, port, purpose, taken):
    """The proxy and yett verify take the same certificates."""
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}",
                               f"peer = require\npeer_trust = file:{authority.cert}\nallow = any\n"
                               f"peer_purpose = {purpose}\n"))
    for usage in ("clientAuth", "serverAuth", "anyExtendedKeyUsage", "codeSigning"):
        cert = authority.issue(f"peer-{usage}-{purpose}", purpose=usage, sans=("DNS:peer.example.org",))
        verified = subprocess.run([YETT, "verify", "--trust", authority.cert, "--purpose", "client", "--peer-purpose",
                                   purpose, cert.chain], capture_output=True, check=False).returncode
        assert verified == (0 if usage in taken else 1)
        if usage in taken:
            exchange_or_end(port, client_tls(authority, cert=cert))
        else:
            with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
                exchange_or_end(port, client_tls(authority, cert=cert))
            running.wait_for_log("bad_extended_key_usage")


def exchange_or_end(port, context):
    """As exchange(), where TLS 1.3 tells a client only after its handshake that it is not welcome."""
    with context.wrap_socket(connect(port), server_hostname="localhost") as s:
        s.sendall(b"hello")
        assert s.recv(100) == b"hello"


def test_client_certificate_of_another_authority_gets_an_alert(yett, authority, echo, folder, port):
    from authority import Authority
    stranger = Authority(folder / "other", "Other CA").client("mallory")
    running = yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}",
                               f"peer = require\npeer_trust = file:{authority.cert}\nallow = any\n"))
    with pytest.raises(ssl.SSLError, match="(?i)unknown.ca"):
        exchange_or_end(port, client_tls(authority, cert=stranger))
    running.wait_for_log("unknown_issuer")
    assert echo.connections == 0


def test_unix_sockets_on_both_sides(yett, authority, folder, port):
    with EchoServer(unix=folder / "b.sock"):
        yett(f"[service a]\nprotocol = tcp\nlisten = unix:{folder}/a.sock\nlisten_tls = none\n"
             f"connect = 127.0.0.1:{port}\nconnect_tls = implicit\nverify_name = localhost\n"
             f"trust = file:{authority.cert}\n"
             + terminating(port, f"unix:{folder}/b.sock", f"file:{authority.localhost.pem}"))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{folder}/a.sock")
            s.sendall(b"all the way")
            assert s.recv(100) == b"all the way"


def test_half_close_lets_the_answer_finish(yett, authority, port, folder):
    def answer_at_the_end(connection):
        data = b""
        while more := connection.recv(65536):
            data += more
        connection.sendall(data[::-1])

    from peers import ScriptedServer
    with ScriptedServer(answer_at_the_end) as backend:
        yett(f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
             f"connect = unix:{folder}/t.sock\nconnect_tls = implicit\nverify_name = localhost\n"
             f"trust = file:{authority.cert}\n[service b]\nprotocol = tcp\nlisten = unix:{folder}/t.sock\n"
             f"listen_tls = implicit\nidentity = file:{authority.localhost.pem}\n"
             f"connect = 127.0.0.1:{backend.port}\nconnect_tls = none\n")
        with connect(port) as s:
            s.sendall(b"abc" * 50000)
            s.shutdown(socket.SHUT_WR)
            got = b""
            while more := s.recv(65536):
                got += more
            assert got == (b"abc" * 50000)[::-1]


def test_a_tls_end_without_close_notify_is_told_from_a_clean_one(yett, authority, port):
    ends = []

    def note_the_end(connection):
        try:
            while connection.recv(65536):
                pass
            ends.append("clean")
        except ConnectionResetError:
            ends.append("reset")

    from peers import ScriptedServer
    with ScriptedServer(note_the_end) as backend:
        running = yett(terminating(port, f"127.0.0.1:{backend.port}", f"file:{authority.localhost.pem}"))
        context = client_tls(authority)
        s = context.wrap_socket(connect(port), server_hostname="localhost")
        s.sendall(b"whole")
        s.unwrap()  # sends close_notify
        s.close()
        wait_until(lambda: ends == ["clean"], f"a clean end, not {ends}")
        s = context.wrap_socket(connect(port), server_hostname="localhost")
        s.sendall(b"cut")
        s.shutdown(socket.SHUT_WR)  # FIN without close_notify
        wait_until(lambda: ends == ["clean", "reset"], f"a reset, not {ends}")
        s.close()
        running.wait_for_counter("truncations_total")


def test_several_targets_are_tried_in_turn(yett, authority, echo, port):
    from peers import free_port
    running = yett(terminating(port, f"127.0.0.1:{free_port()}, 127.0.0.1:{echo.port}",
                               f"file:{authority.localhost.pem}"))
    assert exchange(port, client_tls(authority))[0] == b"hello"
    assert running.counter("targets_failed_total") == 0


def test_stapled_response_is_served(yett, authority, echo, folder, port):
    response = folder / "staple.der"
    index = folder / "index"
    serial = tool("openssl", "x509", "-in", authority.localhost.cert, "-noout", "-serial").stdout.split("=")[1].strip()
    index.write_text(f"V\t301231235959Z\t\t{serial}\tunknown\t/CN=localhost\n")
    tool("openssl", "ocsp", "-index", index, "-rsigner", authority.cert, "-rkey", authority.key, "-CA", authority.cert,
         "-issuer", authority.cert, "-cert", authority.localhost.cert, "-respout", response, "-ndays", "1")
    yett(terminating(port, f"127.0.0.1:{echo.port}", f"file:{authority.localhost.pem}",
                     f"ocsp_staple = {response}\n"))
    out = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-status", "-CAfile",
               authority.cert, input=b"").stdout
    assert "OCSP Response Status: successful" in out and "Cert Status: good" in out


def test_openssl_server_behind_origination(yett, authority, folder, port):
    with OpensslServer(folder / "s", authority.localhost, "-tls1_2") as backend:
        yett(originating(port, f"localhost:{backend.port}", authority.cert))
        with connect(port) as s:
            s.sendall(b"abc\n")
            assert s.recv(100) == b"cba\n"


def test_a_reader_that_is_too_slow_sees_no_good_end(yett, port):
    """The client does not read, and the time for it is over: what it has is a part, and must not look like the whole."""
    size = 16 * 1024 * 1024

    def script(connection):
        with contextlib.suppress(OSError):
            connection.sendall(b"x" * size)
            connection.shutdown(socket.SHUT_RDWR)

    with ScriptedServer(script) as target:
        running = yett(f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                       f"connect = 127.0.0.1:{target.port}\nconnect_tls = none\nhalf_close_timeout = 1s\n"
                       "idle_timeout = 2s\n")
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            s.settimeout(30)
            s.connect(("127.0.0.1", port))
            wait_until(lambda: running.log_lines("session_ended"), "the session to end")
            with pytest.raises(ConnectionResetError):
                while s.recv(65536):
                    pass
