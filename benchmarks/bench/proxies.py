"""The proxies: a configuration each for what a row wants of them, a process on its core, and how its version is asked."""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from .work import PROXY_CORE, Failed, children, free_port, processor_seconds, run, wait_for_port


@dataclasses.dataclass
class Setup:
    """What a proxy is to do: TLS with clients, in plain text with the echo server, unless said otherwise."""
    key: str = "ecdsa"         # whose certificate it shows to clients
    client_ca: object = None   # file: clients must show a certificate, which this root is to have issued
    server_port: int = 0       # the other way round: plain text with clients, TLS with this port ...
    server_ca: object = None   # ... whose certificate is verified, and its name, which is localhost
    groups: str = ""           # of key exchange, where a proxy has to be told
    token: object = None       # a Token (tokens.py), for the key that is on it


@dataclasses.dataclass
class Spec:
    """One column: a proxy of a name, and for a yett which binary and which settings of [yett]."""
    name: str
    kind: type
    path: str
    settings: tuple = ()
    version: str = ""

    @property
    def is_peer(self):
        return self.kind is not Yett


class Proxy:
    program = packages = ""
    connects = True  # it can speak TLS with servers

    def __init__(self, work, spec, setup):
        self.work, self.spec, self.setup, self.name = work, spec, setup, spec.name
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=work.folder, prefix=f"{self.name}-"))
        self.folder.chmod(0o777)

    @classmethod
    def ask_version(cls, path):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    @property
    def pem(self):
        return self.work.file(f"{self.setup.key}.pem")

    @property
    def target(self):
        return f"127.0.0.1:{self.setup.server_port or self.work.echo_port}"

    def environment(self):
        return dict(os.environ)

    def __enter__(self):
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(["taskset", "-c", str(PROXY_CORE), *map(str, self.command())], stdout=self.log,
                                        stderr=self.log, env=self.environment(), cwd=self.folder,
                                        stdin=subprocess.DEVNULL)
        try:
            wait_for_port(self.port, process=self.process)
        except Failed as e:
            self.__exit__()
            raise Failed(f"did not start: {(self.folder / 'log').read_text()[-500:]}") from e
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        pids = children(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()

    def pids(self):
        return children(self.process.pid)

    @contextlib.contextmanager
    def measured(self):
        """Gives a dict whose "cpu" is, afterwards, the processor seconds the proxy used meanwhile."""
        result, pids = {}, self.pids()
        before = sum(map(processor_seconds, pids))
        yield result
        time.sleep(0.1)  # what is left to do after the last byte (closing) belongs to the work
        result["cpu"] = sum(map(processor_seconds, pids)) - before


class Yett(Proxy):
    program = ""

    @classmethod
    def ask_version(cls, path):
        lines = run([path, "version"]).splitlines()
        return lines[0].removeprefix("yett ") + f" ({lines[1]})"

    def command(self):
        self.folder.chmod(0o755)  # yett wants no control socket where everybody may put another
        s, lines = self.setup, []
        if s.server_port:
            lines += ["listen_tls = none", "connect_tls = implicit", f"trust = file:{s.server_ca}",
                      "verify_name = localhost"]
        else:
            lines += ["listen_tls = implicit", "connect_tls = none",
                      f"identity = {s.token.uri if s.token else f'file:{self.pem}'}"]
        if s.client_ca:
            lines += ["peer = require", f"peer_trust = file:{s.client_ca}", "allow = any"]
        (self.folder / "yett.conf").write_text("\n".join((
            "[yett]", "workers = 1", f"control = {self.folder}/c.sock", "log_level = warning",
            *(setting.replace("=", " = ", 1) for setting in self.spec.settings),
            *(s.token.yett_module() if s.token else ()),
            "[service bench]", "protocol = tcp", f"listen = 127.0.0.1:{self.port}", f"connect = {self.target}",
            "connections_per_address_max = 0", *lines)) + "\n")
        return [self.spec.path, "run", "-c", self.folder / "yett.conf"]


class Haproxy(Proxy):
    program, packages = "haproxy", "haproxy"

    @classmethod
    def ask_version(cls, path):
        return run([path, "-v"]).split("\n")[0].split(" ")[2]

    def command(self):
        s = self.setup
        accept = "" if s.server_port else f" ssl crt {self.pem}"
        if s.client_ca:
            accept += f" ca-file {s.client_ca} verify required"
        if s.groups:
            accept += f" curves {s.groups}"
        connect = f" ssl verify required ca-file {s.server_ca} sni str(localhost) verifyhost localhost" \
            if s.server_port else ""
        (self.folder / "haproxy.cfg").write_text(
            "global\n  nbthread 1\n  maxconn 8000\n  tune.ssl.cachesize 20000\ndefaults\n  mode tcp\n"
            "  timeout connect 10s\n  timeout client 30m\n  timeout server 30m\n"
            f"frontend f\n  bind 127.0.0.1:{self.port}{accept}\n  default_backend b\n"
            f"backend b\n  server s {self.target}{connect}\n")
        return [self.spec.path, "-f", self.folder / "haproxy.cfg"]


class Nginx(Proxy):
    program, packages = "nginx", "nginx-core libnginx-mod-stream"

    @classmethod
    def ask_version(cls, path):
        return subprocess.run([path, "-v"], capture_output=True, text=True).stderr.split("/")[1].strip()

    def environment(self):
        return {**os.environ, **(self.setup.token.openssl_environment() if self.setup.token else {})}

    def command(self):
        s, lines = self.setup, []
        if s.server_port:
            lines += ["proxy_ssl on", "proxy_ssl_verify on", f"proxy_ssl_trusted_certificate {s.server_ca}",
                      "proxy_ssl_verify_depth 4", "proxy_ssl_name localhost", "proxy_ssl_server_name on",
                      "proxy_ssl_protocols TLSv1.2 TLSv1.3", "proxy_ssl_session_reuse on"]
        else:
            certificate, key = (s.token.certificate, s.token.nginx_key) if s.token else \
                (self.work.file(f"{s.key}.crt"), self.work.file(f"{s.key}.key"))
            lines += [f"ssl_certificate {certificate}", f"ssl_certificate_key \"{key}\"", "ssl_protocols TLSv1.2 TLSv1.3",
                      "ssl_session_cache shared:s:10m", "ssl_session_tickets on"]
        if s.client_ca:
            lines += ["ssl_verify_client on", f"ssl_client_certificate {s.client_ca}", "ssl_verify_depth 4"]
        if s.groups:
            lines += [f"ssl_ecdh_curve {s.groups}"]
        main = "".join(f"env {name};\n" for name in s.token.openssl_environment()) if s.token else ""
        (self.folder / "nginx.conf").write_text(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nworker_processes 1;\n"
            f"pid {self.folder}/pid;\nerror_log {self.folder}/error.log;\nuser root;\n{main}"
            "events { worker_connections 8000; }\nstream {\n  server {\n"
            f"    listen 127.0.0.1:{self.port}{'' if s.server_port else ' ssl'} backlog=4096;\n"
            + "".join(f"    {line};\n" for line in lines)
            + f"    proxy_timeout 30m;\n    proxy_pass {self.target};\n    tcp_nodelay on;\n  }}\n}}\n")
        return [self.spec.path, "-c", self.folder / "nginx.conf", "-p", self.folder]


class Hitch(Proxy):
    program, packages, connects = "hitch", "hitch", False

    @classmethod
    def ask_version(cls, path):
        return run([path, "--version"]).split()[1]

    def command(self):
        clients = f'client-verify = required\nclient-verify-ca = "{self.setup.client_ca}"\n' \
            if self.setup.client_ca else ""
        groups = f'ecdh-curve = "{self.setup.groups}"\n' if self.setup.groups else ""
        (self.folder / "hitch.conf").write_text(
            f'frontend = {{ host = "127.0.0.1" port = "{self.port}" }}\n'
            f'backend = "[127.0.0.1]:{self.work.echo_port}"\npem-file = "{self.pem}"\nworkers = 1\nuser = "nobody"\n'
            'group = "nogroup"\nquiet = on\ndaemon = off\ntls-protos = TLSv1.2 TLSv1.3\nbacklog = 4096\n'
            f'ocsp-dir = ""\n{clients}{groups}')
        return [self.spec.path, f"--config={self.folder}/hitch.conf"]


class Stunnel(Proxy):
    program, packages = "stunnel4", "stunnel4"

    @classmethod
    def ask_version(cls, path):
        out = subprocess.run([path, "-version"], capture_output=True, text=True).stderr
        return next(line.split()[1] for line in out.split("\n") if line.startswith("stunnel "))

    def command(self):
        s, lines = self.setup, []
        if s.server_port:
            lines += ["client = yes", f"CAfile = {s.server_ca}", "verifyChain = yes", "checkHost = localhost",
                      "sni = localhost"]
        else:
            lines += [f"cert = {self.pem}"]
        if s.client_ca:
            lines += [f"CAfile = {s.client_ca}", "verifyChain = yes"]
        if s.groups:
            lines += [f"curves = {s.groups}"]
        (self.folder / "stunnel.conf").write_text("\n".join((
            "foreground = yes", "pid =", "debug = 3", "socket = l:TCP_NODELAY=1", "socket = r:TCP_NODELAY=1", "[bench]",
            f"accept = 127.0.0.1:{self.port}", f"connect = {self.target}", *lines)) + "\n")
        return [self.spec.path, self.folder / "stunnel.conf"]


KINDS = {"yett": Yett, "haproxy": Haproxy, "nginx": Nginx, "hitch": Hitch, "stunnel": Stunnel}


def parse_specs(text, yett):
    """NAME[=PATH][+SETTING=VALUE]..., separated by commas. NAME is one of KINDS; or any other, for a yett."""
    specs = []
    for word in text.split(","):
        head, *settings = word.split("+")
        name, _, path = head.partition("=")
        kind = KINDS.get(name, Yett)
        if not name or name in (s.name for s in specs):
            raise SystemExit(f"--proxies: {word!r}: each column has a name of its own")
        if name not in KINDS and not path:
            raise SystemExit(f"--proxies: {word!r}: a proxy is one of {', '.join(KINDS)}, or NAME=PATH for another yett; "
                             f"NAME=yett is the yett of this build")
        if settings and kind is not Yett:
            raise SystemExit(f"--proxies: {word!r}: only a yett takes settings")
        if kind is Yett and path in ("", "yett"):
            path = yett
        specs.append(Spec(name, kind, str(pathlib.Path(path).resolve()) if kind is Yett else path or kind.program,
                          tuple(settings)))
    return specs


def missing_packages(specs):
    return [s.kind.packages for s in specs if s.is_peer and not shutil.which(s.path)]
