"""docs/first-service.md, walked: each of its commands in turn, on a clean Debian that systemd has booted; and then the
examples of conf.d/ on the same machine, in front of Postfix, Dovecot and nginx as Debian ships them."""
import re

import pytest
from conftest import TOP
from machine import commands, installed_machine
from peers import wait_until

WEB = "python3 -m http.server --bind 127.0.0.1 --directory /srv/www 8080"
HERE, CLIENT, INSIDE = "203.0.113.1", "203.0.113.9", "10.20.0.1"  # addresses of the machine's own


@pytest.fixture(scope="module")
def machine():
    with installed_machine() as one:
        yield one


def test_the_page_from_a_clean_machine_to_a_running_service(machine):
    machine.run("mkdir -p /srv/www && echo 'hello from the web server' >/srv/www/index.html")
    machine.run(f"systemd-run --unit=web {WEB}")
    said = {}
    for section, command in commands():
        if section.startswith("1."):
            continue
        if "fullchain.pem privkey.pem >" in command and "RENEWED_LINEAGE" not in command:
            # The certificate of somebody who has one.
            machine.run("yett cert create --database sql:/root/other --self-signed --subject CN=www.example.org"
                        " --san dns:www.example.org --out fullchain.pem --out-key privkey.pem")
        if "--cacert" in command:
            wait_until(lambda: machine.run("curl -sS http://127.0.0.1:8080/", check=False).returncode == 0,
                       "the web server")
        said[command] = machine.run(command)
    output = {" ".join(c.split()[:2]): r.stdout for c, r in said.items()}
    assert "good, 1 service" in said["runuser -u yett -- yett check"].stdout
    assert "Active: active (running)" in output["systemctl status"]
    assert "running" in output["yett status"]
    assert "hello from the web server" in output["curl --cacert"]
    wait_until(lambda: "event=session_ended" in machine.run("journalctl -u yett --no-pager").stdout, "the log line of a connection")


def test_the_service_is_not_roots_and_starts_again_after_a_crash(machine):
    pid = machine.run("systemctl show -P MainPID yett").stdout.strip()
    assert machine.run(f"stat -c %U /proc/{pid}").stdout.strip() in ("yett", "root")  # not dumpable: /proc is root's
    assert machine.run(f"ps -o user= -p {pid} 2>/dev/null || sed -n 's/^Uid:\\t\\([0-9]*\\).*/\\1/p' /proc/{pid}/status"
                       ).stdout.strip() not in ("root", "0")
    machine.run(f"kill -9 {pid}")
    wait_until(lambda: machine.run("systemctl show -P MainPID yett").stdout.strip() not in ("0", pid) and
               machine.run("systemctl is-active yett", check=False).stdout.strip() == "active", "a new yett", 60)
    assert "hello" in machine.run("curl -sS --cacert ca.pem --resolve www.example.org:443:127.0.0.1 "
                                  "https://www.example.org/").stdout


def test_the_deploy_hook_of_the_page_puts_a_renewed_certificate_to_use(machine):
    machine.run("mkdir -p lineage && yett cert create --database sql:/root/yett-ca --issuer ca.pem "
                "--subject CN=www.example.org --san dns:www.example.org --out lineage/fullchain.pem "
                "--out-key lineage/privkey.pem")
    machine.run("RENEWED_LINEAGE=$PWD/lineage /etc/letsencrypt/renewal-hooks/deploy/yett")
    serial = machine.run("yett cert show lineage/fullchain.pem --json | grep -i sha256").stdout
    assert serial
    assert "hello" in machine.run("curl -sS --cacert ca.pem --resolve www.example.org:443:127.0.0.1 "
                                  "https://www.example.org/").stdout
    assert machine.run("stat -c '%U:%G %a' /etc/yett/www.pem").stdout.strip() == "root:yett 640"


# ---- the examples ----

def example_lines(name, program):
    """What the comment of an example says to put into a file of `program`."""
    text = (TOP / f"conf.d/{name}").read_text()
    block = re.search(rf"^; {program}[^\n]*\n(?:;[^\n]*:\n)?;\n((?:;   [^\n]*\n)+)", text, re.MULTILINE)
    assert block, (name, program)
    return "".join(line[4:] + "\n" for line in block.group(1).splitlines())


def write(machine, path, text):
    file = machine.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o644)


BACKEND = """import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        header = self.request.recv(4096)
        self.request.sendall(b"alice is here\\n" if b"alice@example.org" in header or b"alice" in header else b"who?\\n")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("127.0.0.1", 8081), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def examples(machine):
    """The examples that need no token, with the certificates they name, and the servers they are for."""
    for address in (HERE, CLIENT, INSIDE):
        machine.run(f"ip address add {address}/32 dev lo")
    machine.run("systemctl stop yett; useradd -m alice && echo alice:secret | chpasswd")
    create = "yett cert create --database sql:/root/yett-ca"
    for name in ("mail", "internal", "www"):
        sans = "".join(f" --san dns:{n}.example.com" for n in ("smtp", "imap", "www")) + f" --san ip:{INSIDE}"
        machine.run(f"rm -f {name}.pem; {create} --issuer ca.pem --subject CN={name}.example.com{sans} --out {name}.pem "
                    f"--out-key {name}.pem && install -m 0640 -o root -g yett {name}.pem /etc/yett/{name}.pem")
    machine.run("install -m 0644 ca.pem /etc/yett/staff-ca.pem && "
                f"{create} --issuer ca.pem --client --subject CN=alice --san email:alice@example.org --out alice.pem "
                "--out-key alice.pem")
    machine.run(f"echo '{HERE} smtp.example.com imap.example.com' >>/etc/hosts")
    machine.run("rm /etc/yett/conf.d/*")
    for name in ("https", "mail-server", "mail-client", "http-proxy", "client-certificates"):
        text = (TOP / f"conf.d/{name}.conf").read_text()
        if name == "mail-client":  # no public authority here
            text = re.sub(r"(connect_tls = \w+)", r"\1\ntrust       = file:/etc/yett/staff-ca.pem", text)
        write(machine, f"/etc/yett/conf.d/{name}.conf", text)
    master = machine.root / "etc/postfix/master.cf"
    text = master.read_text()
    master.write_text(text + example_lines("mail-server.conf", "Postfix"))
    write(machine, "/etc/dovecot/local.conf", example_lines("mail-server.conf", "Dovecot"))
    write(machine, "/root/backend.py", BACKEND)
    machine.run("postconf -e inet_protocols=all")  # Debian writes down which there are when it installs: here, none
    machine.run("systemctl restart postfix dovecot nginx && systemd-run --unit=backend python3 /root/backend.py")
    assert "good" in machine.run("runuser -u yett -- yett check").stdout
    machine.run("systemctl start yett")
    yield machine


def curl(machine, options, check=True):
    return machine.run(f"curl -sS --max-time 60 --cacert ca.pem --interface {CLIENT} {options}", check=check)


def test_https_conf_is_in_front_of_nginx_as_shipped(examples):
    assert "Welcome to nginx" in curl(examples, f"--resolve www.example.com:443:{HERE} https://www.example.com/").stdout


def test_mail_server_conf_is_no_open_relay(examples):
    """Nobody from elsewhere may send on through it, though Postfix trusts this machine (mynetworks)."""
    for url in (f"smtp://{HERE}:587 --ssl-reqd", f"smtps://{HERE}:465"):
        result = curl(examples, f"--insecure --mail-from x@example.net --mail-rcpt y@example.com --upload-file /etc/hosts {url}",
                      check=False)
        assert result.returncode != 0 and "554" in result.stderr, result


def test_mail_server_conf_takes_mail_from_users_and_shows_it_to_them(examples):
    write(examples, "/root/yett/mail", "Subject: through yett\r\n\r\nhello\r\n")
    name = examples.run("postconf -h myhostname").stdout.strip()
    resolve = f"--resolve smtp.example.com:587:{HERE} --resolve smtp.example.com:465:{HERE} " \
              f"--resolve imap.example.com:143:{HERE} --resolve imap.example.com:993:{HERE}"
    for url in ("smtp://smtp.example.com:587 --ssl-reqd", "smtps://smtp.example.com:465"):
        curl(examples, f"{resolve} --user alice:secret --mail-from alice@{name} --mail-rcpt alice@{name} "
                       f"--upload-file mail {url}")
    wait_until(lambda: examples.run("grep -c 'through yett' /var/mail/alice", check=False).stdout.strip() == "2",
               "two mails", 60)
    for url in ("imap://imap.example.com:143/INBOX --ssl-reqd", "imaps://imap.example.com:993/INBOX"):
        listed = curl(examples, f"{resolve} --user alice:secret --request 'FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]' {url}")
        assert "FETCH" in listed.stdout, listed
    log = examples.run("journalctl --no-pager -t dovecot -t postfix/smtpd; cat /var/log/mail.log 2>/dev/null || true").stdout
    assert f"client=unknown[{CLIENT}], sasl_method=PLAIN" in log, log
    assert re.search(rf"rip={CLIENT}, .*(secured|TLS)", log), log  # told who it is, and that it came by TLS


def test_mail_client_conf_brings_a_program_without_tls_to_servers_with_it(examples):
    name = examples.run("postconf -h myhostname").stdout.strip()
    examples.run(f"curl -sS --max-time 60 --user alice:secret --mail-from alice@{name} --mail-rcpt alice@{name} "
                 "--upload-file mail smtp://127.0.0.1:1587")
    assert "EXISTS" in examples.run("curl -sS --max-time 60 --user alice:secret --request 'EXAMINE INBOX' "
                                    "imap://127.0.0.1:1143/").stdout


def test_http_proxy_conf_leads_to_what_it_names_and_to_nothing_else(examples):
    """Not to yett's own services, either; so another one has this port here."""
    proxy = "curl -sS --max-time 60 --cacert ca.pem --proxy http://127.0.0.1:3128"
    examples.run("mv /etc/yett/conf.d/https.conf . && yett reload")
    write(examples, "/etc/nginx/conf.d/inside.conf", f"server {{ listen {INSIDE}:443 ssl; root /var/www/html;"
          " index index.nginx-debian.html; ssl_certificate /root/yett/www.pem; ssl_certificate_key /root/yett/www.pem; }\n")
    examples.run("systemctl reload nginx")
    wait_until(lambda: examples.run(f"{proxy} https://{INSIDE}/", check=False).returncode == 0, "nginx", 60)
    assert "Welcome to nginx" in examples.run(f"{proxy} https://{INSIDE}/").stdout
    refused = examples.run(f"{proxy} https://{HERE}:993/", check=False)
    assert refused.returncode != 0 and "403" in refused.stderr, refused


def test_client_certificates_conf_lets_in_staff_and_tells_who_it_is(examples):
    read = ("python3 -c 'import ssl, socket; c = ssl.create_default_context(cafile=\"ca.pem\"); {load}"
            "s = c.wrap_socket(socket.create_connection((\"%s\", 8443)), server_hostname=\"www.example.com\"); "
            "print(s.recv(100).decode())'" % HERE)
    assert "alice is here" in examples.run(read.format(load='c.load_cert_chain("alice.pem"); ')).stdout
    refused = examples.run(read.format(load=""), check=False)
    assert "alice" not in refused.stdout and refused.returncode != 0, refused
