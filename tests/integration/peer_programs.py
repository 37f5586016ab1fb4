"""Programs that yett has to do with: one class each, with their own configuration and folders, whatever else the machine
runs."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess

from peer_basics import Process, ended, tool, wait_until


class Postfix(Process):
    """Postfix receiving mail for alice and bob@example.org into maildirs under folder/mail. Plain SMTP, or demanding
    STARTTLS of its own when given a certificate."""
    name = "postfix"
    log_name = "mail.log"

    def __init__(self, folder, certificate=None, extra=""):
        super().__init__(folder)
        self.certificate, self.extra = certificate, extra

    def start(self):
        for d in ("etc", "queue", "data", "mail"):
            (self.folder / d).mkdir()
        os.chmod(self.folder, 0o755)
        shutil.chown(self.folder / "data", "postfix")
        shutil.chown(self.folder / "mail", "nobody", "nogroup")
        tls = ""
        if self.certificate:
            tls = (f"smtpd_tls_cert_file = {self.certificate.chain}\nsmtpd_tls_key_file = {self.certificate.key}\n"
                   "smtpd_tls_security_level = encrypt\nsmtpd_tls_loglevel = 1\nsmtpd_tls_received_header = yes\n")
        (self.folder / "etc/main.cf").write_text(tls + self.extra + f"""\
compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {self.folder}/mail
virtual_mailbox_maps = inline:{{ alice@example.org=alice/ bob@example.org=bob/ }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
smtpd_relay_restrictions = reject_unauth_destination
maillog_file = {self.folder}/mail.log
maillog_file_prefixes = /
alias_maps =
alias_database =
""")
        (self.folder / "etc/master.cf").write_text(f"""\
127.0.0.1:{self.port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
tlsmgr unix - - n 1000? 1 tlsmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
proxymap unix - - n - - proxymap
""")
        # The master goes to the background by itself once it is initialised; its process id is in its queue folder.
        tool("postfix", "-c", self.folder / "etc", "start")
        try:
            wait_until(self.ready, f"Postfix to listen: {self.log()}")
        except AssertionError:
            self.stop()
            raise
        return self

    def stop(self):
        with contextlib.suppress(OSError, ValueError):
            master = int((self.folder / "queue/pid/master.pid").read_text())
            os.kill(master, signal.SIGTERM)
            wait_until(lambda: ended(master), "Postfix to end")

    def mails(self, user="alice"):
        return [p.read_text(errors="replace") for p in (self.folder / "mail" / user / "new").glob("*")]

    def wait_for_mail(self, text, user="alice"):
        return wait_until(lambda: next((m for m in self.mails(user) if text in m), None), f"a mail with {text!r}")


class Dovecot(Process):
    """Dovecot serving IMAP, or POP3 (protocol="pop3"), or ManageSieve ("sieve"): any user with the password "secret". Plain only, or with its own STARTTLS when given a
    certificate (then plain logins are refused). haproxy: it demands a PROXY header. trusted: who may tell the
    addresses of their clients."""
    name = "dovecot"
    log_name = "dovecot.log"

    def __init__(self, folder, certificate=None, haproxy=False, trusted="", protocol="imap"):
        super().__init__(folder)
        self.certificate, self.haproxy, self.trusted, self.protocol = certificate, haproxy, trusted, protocol

    def start(self):
        for d in ("run", "state", "mail"):
            (self.folder / d).mkdir()
        os.chmod(self.folder, 0o755)
        shutil.chown(self.folder / "mail", "nobody", "nogroup")
        # "2.4.1-4 (7d8c0e5759)": from 2.4 on the settings have other names, and the file says for which version it is.
        version = tool("dovecot", "--version").stdout.split("-")[0].split()[0]
        newer = tuple(int(n) for n in version.split(".")[:2]) >= (2, 4)
        (self.folder / "dovecot.conf").write_text((self.settings_24(version) if newer else self.settings_23()) + f"""\
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/dovecot.log
listen = 127.0.0.1
login_trusted_networks = {self.trusted}
haproxy_trusted_networks = 127.0.0.0/8 ::1
first_valid_uid = 1
service {"managesieve" if self.protocol == "sieve" else self.protocol}-login {{
  inet_listener {self.protocol} {{
    port = {self.port}
    haproxy = {"yes" if self.haproxy else "no"}
  }}
  inet_listener {self.protocol}s {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
""")
        return super().start()

    def wait_for_login(self, user):
        """Its line about one; from 2.4 on they are in other words."""
        return wait_until(lambda: next((x for x in self.log().splitlines()
                                        if re.search(f"(Login|Logged in): user=<{user}>", x)), None),
                          f"a login of {user} in the log of {self.name}: {self.log()[-3000:]}")

    def settings_23(self):
        tls = "ssl = no\ndisable_plaintext_auth = no\n"
        if self.certificate:
            tls = (f"ssl = required\nssl_cert = <{self.certificate.chain}\nssl_key = <{self.certificate.key}\n"
                   "disable_plaintext_auth = yes\n")
        return tls + f"""\
protocols = {self.protocol}
mail_location = maildir:{self.folder}/mail/%u
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={self.folder}/mail/%u
}}
"""

    def settings_24(self, version):
        tls = "ssl = no\nauth_allow_cleartext = yes\n"
        if self.certificate:
            tls = (f"ssl = required\nssl_server_cert_file = {self.certificate.chain}\n"
                   f"ssl_server_key_file = {self.certificate.key}\nauth_allow_cleartext = no\n")
        return f"dovecot_config_version = {version}\ndovecot_storage_version = {version}\n" + tls + f"""\
protocols {{
  {self.protocol} = yes
}}
mail_driver = maildir
mail_path = {self.folder}/mail/%{{user}}
passdb static {{
  password = secret
}}
userdb static {{
  fields {{
    uid = nobody
    gid = nogroup
    home = {self.folder}/mail/%{{user}}
  }}
}}
"""

    def command(self):
        return ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]


class Slapd(Process):
    """OpenLDAP's server with the entries dc=test and cn=alice,dc=test (password "secret"). Plain only, or with StartTLS of its
    own when given a certificate; `demands`: then nothing goes without TLS."""
    name = "slapd"

    def __init__(self, folder, certificate=None, demands=False):
        super().__init__(folder)
        self.certificate, self.demands = certificate, demands

    def start(self):
        (self.folder / "db").mkdir()
        tls = ""
        if self.certificate:
            tls = f"TLSCertificateFile {self.certificate.chain}\nTLSCertificateKeyFile {self.certificate.key}\n"
        if self.demands:
            tls += "security tls=1\n"
        (self.folder / "slapd.conf").write_text(f"""\
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {self.folder}/pid
{tls}
database mdb
suffix dc=test
rootdn cn=admin,dc=test
rootpw secret
directory {self.folder}/db
dbnosync
maxsize 67108864
""")
        (self.folder / "entries.ldif").write_text("""\
dn: dc=test
objectClass: organization
objectClass: dcObject
o: test
dc: test

dn: cn=alice,dc=test
objectClass: person
cn: alice
sn: Alice
userPassword: secret
""")
        tool("slapadd", "-f", self.folder / "slapd.conf", "-l", self.folder / "entries.ldif")
        return super().start()

    def command(self):
        return ["slapd", "-d", "stats", "-f", str(self.folder / "slapd.conf"), "-h", f"ldap://127.0.0.1:{self.port}"]


class Postgres(Process):
    """PostgreSQL with TLS of its own. Users with the password "secret": alice, by TLS or without; secure, by TLS alone."""
    name = "postgres"

    def __init__(self, folder, certificate):
        super().__init__(folder)
        self.certificate = certificate
        self.programs = max(pathlib.Path("/usr/lib/postgresql").iterdir(), key=lambda p: int(p.name)) / "bin"

    def run_as_postgres(self, *command, **options):
        return subprocess.run([str(c) for c in command], user="postgres", group="postgres", extra_groups=[], check=True,
                              capture_output=True, cwd="/", **options)

    def start(self):
        data = self.folder / "data"
        os.chmod(self.folder, 0o755)
        data.mkdir(mode=0o700)
        for source, name in ((self.certificate.chain, "server.crt"), (self.certificate.key, "server.key")):
            shutil.copy(source, self.folder / name)
            shutil.chown(self.folder / name, "postgres", "postgres")
            os.chmod(self.folder / name, 0o600)
        shutil.chown(data, "postgres", "postgres")
        self.run_as_postgres(self.programs / "initdb", "-D", data, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        (data / "pg_hba.conf").write_text("host all postgres 127.0.0.1/32 trust\nhost all alice 127.0.0.1/32 scram-sha-256\n"
                                          "hostssl all secure 127.0.0.1/32 scram-sha-256\n")
        self.run_as_postgres(self.programs / "postgres", "--single", "-D", data, "postgres", input=b"""\
CREATE ROLE alice LOGIN PASSWORD 'secret' IN ROLE pg_write_all_data
CREATE ROLE secure LOGIN PASSWORD 'secret'
GRANT ALL ON SCHEMA public TO alice, secure
""")
        return super().start()

    def command(self):
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "ssl": "on",
                    "ssl_cert_file": self.folder / "server.crt", "ssl_key_file": self.folder / "server.key",
                    "logging_collector": "off", "log_min_messages": "info"}
        return ["runuser", "-u", "postgres", "--", str(self.programs / "postgres"), "-D", str(self.folder / "data"),
                *(f"--{name}={value}" for name, value in settings.items())]

    def ask(self, query, user="postgres"):
        """What a query gives, asked of it without yett."""
        return tool("psql", f"host=127.0.0.1 port={self.port} user={user} dbname=postgres sslmode=disable", "-AtXc", query,
                    env={"PGPASSWORD": "secret"}).stdout.strip()


class Nginx(Process):
    """nginx serving one page over http, over https when given a certificate, and demanding client certificates when given
    their authority; the page says who came."""
    name = "nginx"

    def __init__(self, folder, certificate=None, client_authority=None, extra="", proxy_protocol=False):
        super().__init__(folder)
        self.certificate, self.client_authority, self.extra = certificate, client_authority, extra
        self.proxy_protocol = proxy_protocol

    def command(self):
        os.chmod(self.folder, 0o755)
        listen = f"listen 127.0.0.1:{self.port}" + (" ssl" if self.certificate else "")
        listen += (" proxy_protocol" if self.proxy_protocol else "") + ";\n"
        if self.certificate:
            listen += f"ssl_certificate {self.certificate.chain};\nssl_certificate_key {self.certificate.key};\n"
        if self.client_authority:
            listen += f"ssl_client_certificate {self.client_authority.cert};\nssl_verify_client on;\n"
        (self.folder / "nginx.conf").write_text(f"""\
daemon off;
user root;
worker_processes 1;
pid {self.folder}/pid;
error_log {self.folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {self.folder}/access.log;
  client_body_temp_path {self.folder}/body;
  proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi;
  scgi_temp_path {self.folder}/scgi;
  server {{
    {listen}
    {self.extra}
    location / {{ default_type text/plain; return 200 "hello from nginx to [$ssl_client_s_dn]\\n"; }}
  }}
}}
""")
        return ["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]


class OpensslServer(Process):
    """openssl s_server: echoes lines reversed (-rev), or what the arguments say."""
    name = "openssl-s_server"

    def __init__(self, folder, certificate, *args):
        super().__init__(folder)
        self.certificate, self.args = certificate, args

    def command(self):
        return ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", str(self.certificate.cert),
                "-key", str(self.certificate.key), "-cert_chain", str(self.certificate.chain), "-rev", "-quiet",
                *map(str, self.args)]


class SoftHsm:
    """A SoftHSM token in a folder of its own."""
    module = "/usr/lib/softhsm/libsofthsm2.so"

    def __init__(self, folder, label="test", pin="123456"):
        self.folder = pathlib.Path(folder)
        (self.folder / "tokens").mkdir(parents=True)
        self.label, self.pin = label, pin
        self.conf = self.folder / "softhsm2.conf"
        self.conf.write_text(f"directories.tokendir = {self.folder}/tokens\nlog.level = ERROR\n")
        self.pin_file = self.folder / "pin"
        self.pin_file.write_text(pin + "\n")
        self.pin_file.chmod(0o600)
        self.environment = {"SOFTHSM2_CONF": str(self.conf)}
        self._run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "so-" + pin)

    def _run(self, *command):
        return subprocess.run(command, check=True, capture_output=True, text=True,
                              env={**os.environ, **self.environment}).stdout

    def put(self, certificate, label, identifier="01"):
        """Bring a key and its certificate in; the key is marked sensitive and not extractable."""
        key = self.folder / "import.p8"
        subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", certificate.key, "-out", key], check=True)
        self._run("softhsm2-util", "--import", str(key), "--token", self.label, "--label", label, "--id", identifier,
                  "--pin", self.pin)
        key.unlink()
        der = self.folder / "import.der"
        der.write_bytes(certificate.der)
        self._run("pkcs11-tool", "--module", self.module, "--token-label", self.label, "--login", "--pin", self.pin,
                  "--write-object", str(der), "--type", "cert", "--id", identifier, "--label", label)
        return f"pkcs11:token={self.label};object={label}"

    def settings(self, name="token", module=None, **environment):
        """The [module] section for yett."""
        env = {**self.environment, **environment}
        variables = ", ".join(f"{k}={v}" for k, v in env.items())
        return (f"[module {name}]\npath = {module or self.module}\npin = file:{self.pin_file}\n"
                f"environment = {variables}\n")
