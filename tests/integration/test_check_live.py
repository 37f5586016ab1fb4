"""yett check --live: targets and tokens looked at as the proxy would use them."""
import ssl
import threading

import pytest
from conftest import SLOW_TOKEN, Yett
from peers import Dovecot, EchoServer, Nginx, Postfix, ScriptedServer, free_port, server_tls
from test_process_agents import logins


def service(name, protocol, target, tls="none", extra=""):
    return (f"[service {name}]\nprotocol = {protocol}\nlisten = 127.0.0.1:{free_port()}\nlisten_tls = none\n"
            f"connect = {target}\nconnect_tls = {tls}\n{extra}")


@pytest.fixture
def live(folder):
    """live(configuration): exit status, lines of standard output, configuration file."""
    def run(configuration, **options):
        one = Yett(folder / "y", configuration, environment={"XDG_RUNTIME_DIR": str(folder)}, **options)
        result = one.command("check", "--live", check=False)
        run.stderr = result.stderr
        return result.returncode, result.stdout.splitlines(), one.config
    yield run
    assert not list(folder.glob("yett-check-*"))


def finding(lines, config, key, word):
    """The one line that names the place of `key` in the configuration, and says `word`."""
    number = next(i for i, x in enumerate(config.read_text().splitlines(), 1) if x.startswith(key))
    found = [x for x in lines if x.startswith(f"{config}:{number}: ")]
    assert len(found) == 1 and word in found[0], lines
    return found[0]


def test_good_targets_are_told_with_what_was_negotiated(live, authority, folder):
    trust = f"trust = file:{authority.cert}\n"
    with Postfix(folder / "postfix", authority.localhost) as postfix, \
            Dovecot(folder / "dovecot", authority.localhost) as dovecot, \
            Nginx(folder / "nginx", authority.localhost) as nginx:
        status, lines, config = live(
            service("mail", "smtp", f"localhost:{postfix.port}", "starttls", trust)
            + service("mailbox", "imap", f"localhost:{dovecot.port}", "starttls", trust)
            + service("web", "tcp", f"localhost:{nginx.port}", "implicit", trust)
            + f"[service out]\nprotocol = http-proxy\nlisten = 127.0.0.1:{free_port()}\nallow_target = *:443\n")
        assert status == 0, lines
        mail, mailbox, web, out, *roots, summary = lines
        assert mail.startswith(f"service mail: localhost:{postfix.port} (127.0.0.1:{postfix.port}): STARTTLS, TLSv1.3 ")
        assert "certificate of CN=localhost" in mail and "PIPELINING" in mail and "SIZE" in mail
        assert "STARTTLS, TLSv1." in mailbox and "IMAP4rev1" in mailbox
        assert f"(127.0.0.1:{nginx.port}): TLSv1.3 " in web.replace("TLSv1.2", "TLSv1.3") and "STARTTLS" not in web
        assert out == "service out: its clients name the targets: nothing to look at"
        assert summary == f"{config}: good, 4 services"
        log = postfix.log()
        assert "lost connection" not in log.split(" connect from ")[-1]  # it said QUIT


def test_without_live_no_target_is_asked(authority, folder):
    one = Yett(folder / "y", service("web", "tcp", f"127.0.0.1:{free_port()}"))
    assert one.command("check").stdout == f"{one.config}: good, 1 service\n"


@pytest.mark.parametrize("protocol, expected", [("smtp", "SIZE"), ("imap", "IMAP4rev1")])
def test_a_target_without_tls_is_asked_what_it_can_do(live, folder, protocol, expected):
    with (Postfix if protocol == "smtp" else Dovecot)(folder / "server") as server:
        status, lines, _ = live(service("plain", protocol, f"127.0.0.1:{server.port}"))
        assert status == 0 and "connected, without TLS" in lines[0] and expected in lines[0], lines


def test_bad_certificates(live, authority, folder):
    trust = f"trust = file:{authority.cert}\n"
    old = authority.server("old", sans=("DNS:localhost",), dates=("20200101000000Z", "20210101000000Z"))
    with Nginx(folder / "a", old) as expired, Nginx(folder / "b", authority.server("elsewhere.test")) as other, \
            Nginx(folder / "c", authority.localhost) as good:
        status, lines, config = live(
            service("a", "tcp", f"localhost:{expired.port}", "implicit", trust)
            + service("b", "tcp", f"localhost:{other.port}", "implicit", trust)
            + service("c", "tcp", f"localhost:{good.port}", "implicit")
            + service("d", "tcp", f"localhost:{good.port}", "implicit", trust))
    assert status == 1
    line = finding(lines, config, f"connect = localhost:{expired.port}", "expired")
    assert "TLS: " in line and "2021" in line and "needs a new certificate" in line
    line = finding(lines, config, f"connect = localhost:{other.port}", "elsewhere.test")
    assert "verify_name must be" in line
    # Mozilla's roots do not know the issuer; the same server is good for the service that does.
    assert sum("trust must name" in x for x in lines) == 1
    assert sum(x.startswith("service d: ") for x in lines) == 1


def test_a_target_that_is_down_and_one_that_does_not_resolve(live):
    nobody = free_port()
    status, lines, config = live(service("down", "tcp", f"127.0.0.1:{nobody}")
                                 + service("lost", "tcp", "nowhere.invalid:443", "implicit"))
    assert status == 1
    assert "connection refused" in finding(lines, config, f"connect = 127.0.0.1:{nobody}", "cannot connect to")
    finding(lines, config, "connect = nowhere.invalid", "cannot be resolved")


def test_every_target_of_a_service_is_looked_at(live, echo):
    nobody = free_port()
    status, lines, config = live(service("two", "tcp", f"127.0.0.1:{nobody}, 127.0.0.1:{echo.port}"))
    assert status == 1
    finding(lines, config, f"connect = 127.0.0.1:{nobody}", "connection refused")
    assert f"service two: 127.0.0.1:{echo.port}: connected, without TLS" in lines


def test_starttls_where_there_is_none(live, authority, folder):
    with Postfix(folder / "postfix") as postfix, Dovecot(folder / "dovecot") as dovecot:
        status, lines, config = live(service("mail", "smtp", f"localhost:{postfix.port}", "starttls")
                                     + service("mailbox", "imap", f"localhost:{dovecot.port}", "starttls"))
    assert status == 1
    line = finding(lines, config, f"connect = localhost:{postfix.port}", "STARTTLS: the server does not offer STARTTLS")
    assert "connect_tls = implicit" in line
    finding(lines, config, f"connect = localhost:{dovecot.port}", "refuses STARTTLS")


def test_server_that_does_not_want_to_serve(live):
    """Its refusal is not taken for a missing STARTTLS."""
    with ScriptedServer(lambda connection: connection.sendall(b"554 No SMTP service here\r\n")) as server:
        status, lines, config = live(service("mail", "smtp", f"localhost:{server.port}", "starttls"))
    assert status == 1
    line = finding(lines, config, "connect = ", "STARTTLS: the server does not want to serve")
    assert "see the server's own log" in line and "connect_tls" not in line.split("serve")[1]


def test_plain_text_where_tls_is_expected(live, authority, folder):
    with Postfix(folder / "postfix", authority.localhost) as postfix:
        status, lines, config = live(service("mail", "smtp", f"localhost:{postfix.port}", "implicit"))
    assert status == 1
    finding(lines, config, "connect = ", "the target speaks plain SMTP: connect_tls should be starttls")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_that_is_asked_for(live, authority, version):
    """With TLS 1.3 the server refuses only after the handshake is over for us."""
    trust = f"trust = file:{authority.cert}\n"
    with EchoServer(tls=server_tls(authority.localhost, authority, version)) as server:
        target = f"localhost:{server.port}"
        status, lines, _ = live(service("a", "tcp", target, "implicit",
                                        trust + f"connect_identity = file:{authority.alice.pem}\n"))
        assert status == 0 and "ours of CN=alice" in lines[0], lines
        status, lines, config = live(service("a", "tcp", target, "implicit", trust))
        assert status == 1
        finding(lines, config, "connect = ", "client certificate" if version == ssl.TLSVersion.TLSv1_2
                else "certificate_required")


def test_a_client_certificate_that_nobody_asks_for(live, authority, folder):
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        status, lines, _ = live(service("a", "tcp", f"localhost:{nginx.port}", "implicit",
                                        f"trust = file:{authority.cert}\n"
                                        f"connect_identity = file:{authority.alice.pem}\n"))
        assert status == 0 and "it asked for none of ours" in lines[0], lines


@pytest.mark.parametrize("kind, header", [("v1", b"PROXY UNKNOWN\r\n"), ("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
                                          ("v2-tls", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")])
def test_the_proxy_header_says_local(live, kind, header):
    heard, whole = bytearray(), threading.Event()

    def script(connection):
        while len(heard) < len(header) and (more := connection.recv(4096)):
            heard.extend(more)
        whole.set()
        connection.sendall(b"220 ready\r\n")
        while more := connection.recv(4096):
            connection.sendall(b"250 fine\r\n")

    with ScriptedServer(script) as server:
        status, lines, _ = live(service("a", "smtp", f"127.0.0.1:{server.port}", extra=f"send_proxy = {kind}\n"))
        assert status == 0, lines
        assert whole.wait(20) and bytes(heard[:len(header)]) == header


def test_through_an_upstream_proxy(live, yett, authority, folder):
    upstream = free_port()
    with Nginx(folder / "nginx", authority.localhost) as nginx:
        yett(f"[service up]\nprotocol = http-proxy\nlisten = 127.0.0.1:{upstream}\n"
             f"allow_target = localhost:{nginx.port}, 127.0.0.0/8:{nginx.port}, [::1]:{nginx.port}\n")
        extra = f"trust = file:{authority.cert}\nvia = 127.0.0.1:{upstream}\n"
        status, lines, config = live(service("good", "tcp", f"localhost:{nginx.port}", "implicit", extra)
                                     + service("bad", "tcp", "localhost:9", "implicit", extra))
        assert status == 1
        assert any(x.startswith("service good: ") and "TLSv1." in x for x in lines), lines
        finding(lines, config, "connect = localhost:9", "upstream proxy: ")


def test_a_silent_target_is_told_while_it_lasts_and_ends(live):
    ends = threading.Event()
    with ScriptedServer(lambda connection: ends.wait(60)) as server:
        status, lines, config = live(service("a", "smtp", f"127.0.0.1:{server.port}", extra="handshake_timeout = 5s\n"))
        ends.set()
    assert status == 1
    finding(lines, config, "connect = ", "does not answer in time")
    assert f"service a: 127.0.0.1:{server.port}: still at target_probe after" in live.stderr


def test_tokens_are_looked_at_without_a_login(live, authority, token, folder, echo):
    token.put(authority.localhost, "server")
    counts = folder / "counts"
    settings = token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts)
    status, lines, config = live(settings + service("a", "tcp", f"127.0.0.1:{echo.port}"))
    assert status == 0, lines
    assert any(x.startswith("module token: pkcs11:") and "token=test" in x and "needs a login" in x for x in lines), lines
    assert not counts.exists() or logins(counts) == 0


def test_an_identity_on_a_token_is_described_and_used(live, authority, token, folder):
    uri = token.put(authority.alice, "alice")
    with EchoServer(tls=server_tls(authority.localhost, authority)) as server:
        status, lines, _ = live(token.settings() + service(
            "a", "tcp", f"localhost:{server.port}", "implicit",
            f"trust = file:{authority.cert}\nconnect_identity = {uri}\n"))
    assert status == 0, lines
    assert any(x.startswith(f"service a: {uri}: ") and "alice" in x for x in lines), lines
    assert any("ours of CN=alice" in x for x in lines), lines


def test_a_module_that_is_missing_and_a_token_that_is(live, authority, token, folder, echo):
    uri = token.put(authority.localhost, "server")
    plain = service("a", "tcp", f"127.0.0.1:{echo.port}")
    status, lines, config = live(token.settings(module="/nowhere.so") + plain)
    assert status == 1
    finding(lines, config, "[module", "/nowhere.so")
    empty = folder / "empty"
    empty.mkdir()
    (folder / "softhsm-empty.conf").write_text(f"directories.tokendir = {empty}\nobjectstore.backend = file\n")
    settings = token.settings()
    old = next(x for x in settings.splitlines() if "SOFTHSM2_CONF" in x)
    status, lines, config = live(settings.replace(old, f"environment = SOFTHSM2_CONF={folder}/softhsm-empty.conf") + plain)
    assert status == 1
    finding(lines, config, "[module", "no token is there")
    status, lines, config = live(settings + plain.replace("connect_tls = none\n", "connect_tls = none\n").replace(
        "listen_tls = none\n", f"listen_tls = implicit\nidentity = {uri.replace('token=test', 'token=lost')}\n"))
    assert status == 1
    finding(lines, config, "identity", "lost")
    assert any("token=test" in x and x.startswith("module token: ") for x in lines), lines


def test_a_wrong_pin_is_tried_once_however_often_it_is_looked_at(live, authority, token, folder):
    uri = token.put(authority.alice, "alice")
    counts = folder / "counts"
    with EchoServer(tls=server_tls(authority.localhost, authority)) as server:
        configuration = token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_COUNT_FILE=counts) + \
            service("a", "tcp", f"localhost:{server.port}", "implicit",
                    f"trust = file:{authority.cert}\nconnect_identity = {uri}\n")
        token.pin_file.write_text("999999\n")
        status, lines, _ = live(configuration)
        assert status == 1 and logins(counts) == 1, lines
        for _ in range(3):
            status, lines, config = live(configuration)
            assert status == 1 and logins(counts) == 1, lines
            finding(lines, config, "[module", "the last PIN it was given was wrong")
    assert "999999" not in "".join(lines) + live.stderr


def test_a_pin_file_that_cannot_be_used(live, authority, token, echo):
    plain = service("a", "tcp", f"127.0.0.1:{echo.port}")
    token.pin_file.chmod(0o644)
    status, lines, config = live(token.settings() + plain)
    assert status == 1
    assert "123456" not in finding(lines, config, "[module", str(token.pin_file))
    token.pin_file.unlink()
    status, lines, config = live(token.settings() + plain)
    assert status == 1
    finding(lines, config, "[module", str(token.pin_file))


def test_a_target_at_a_unix_socket(live, authority, folder):
    path = folder / "echo.sock"
    with EchoServer(unix=path, tls=server_tls(authority.localhost)):
        status, lines, _ = live(service("a", "tcp", f"unix:{path}", "implicit",
                                        f"verify_name = localhost\ntrust = file:{authority.cert}\n")
                                + service("b", "tcp", f"unix:{folder}/none"))
        assert status == 1
        assert any(x.startswith(f"service a: unix:{path}: TLSv1.3 ") for x in lines), lines
        assert any("service b: " in x and "cannot connect to unix:" in x for x in lines), lines
