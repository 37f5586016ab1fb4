"""Servers of our own, in threads: they do what a test tells them, also what no program would."""
import contextlib
import http.server
import socket
import socketserver
import threading


class EchoServer:
    """A plain TCP echo server in a thread. Counts connections; can be told to misbehave (mode)."""

    def __init__(self, mode="echo", host="127.0.0.1", tls=None, unix=None, port=0):
        self.mode, self.connections = mode, 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                outer.connections += 1
                outer.serve(self.request)

        if unix:
            class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
                daemon_threads, request_queue_size = True, 1024
            self.server = Server(str(unix), Handler)
        else:
            class Server(socketserver.ThreadingTCPServer):
                daemon_threads, request_queue_size, allow_reuse_address = True, 1024, True
                address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.server = Server((host, port), Handler)
            self.port = self.server.server_address[1]
        self.tls = tls
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def serve(self, connection):
        with contextlib.suppress(OSError):
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            if self.mode == "hang":
                self.stopping.wait()
            elif self.mode == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            elif self.mode == "sink":
                while connection.recv(65536):
                    pass
            else:
                while data := connection.recv(65536):
                    connection.sendall(data)
                if self.tls:
                    connection.unwrap()
        with contextlib.suppress(OSError):
            connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class ScriptedServer(EchoServer):
    """A server that says what a test tells it: script(connection) is called for each connection, with tls after its
    handshake."""

    def __init__(self, script, **options):
        super().__init__(**options)
        self.script = script

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                self.script(connection)


class ConnectProxy(ScriptedServer):
    """An HTTP proxy that serves CONNECT: it goes where it is asked to, and answers 502 where it cannot. `answers` has what
    it does for a target instead: a status code; "close" (no answer); "hang"; "leave" (502, and it listens no longer).
    Keeps the targets that were asked for, one for each connection."""

    def __init__(self, answers=None):
        super().__init__(self.script)
        self.answers, self.asked = answers or {}, []

    def script(self, connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more = connection.recv(1)
            if not more:
                return
            head += more
        method, target, version = head.split(b"\r\n")[0].decode().split(" ")
        assert method == "CONNECT" and version == "HTTP/1.1" and f"\r\nHost: {target}\r\n".encode() in head, head
        self.asked.append(target)
        answer = self.answers.get(target)
        if answer == "close":
            return
        if answer == "hang":
            self.stopping.wait()
            return
        if answer == "leave":
            self.server.socket.shutdown(socket.SHUT_RDWR)  # at once, also while the server's thread polls it
        if answer is None:
            with contextlib.suppress(OSError), \
                    socket.create_connection(target.replace("[", "").replace("]", "").rsplit(":", 1), timeout=20) as server:
                server.settimeout(None)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                self.relay(connection, server)
                return
        code = answer if isinstance(answer, int) else 502
        connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 3\r\n\r\nno\n" % code)
        connection.recv(1)  # the client goes

    @staticmethod
    def relay(one, other):
        def pump(source, sink):
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=pump, args=(other, one), daemon=True)
        back.start()
        pump(one, other)
        back.join()


class HttpServer:
    """An HTTP server in a thread, for what yett fetches. answers: the body by path; "hang" is never answered, what is not
    there gets a 404. Keeps the paths that were asked for."""

    def __init__(self):
        self.answers, self.requests = {}, []
        self.stopping = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                self.send(outer.answers.get(self.path))

            def do_POST(self):
                outer.on_post(self, self.rfile.read(int(self.headers["Content-Length"])))

            def send(self, body, media_type="application/octet-stream"):
                if body == "hang":
                    outer.stopping.wait()
                    return
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # too much is not read to its end
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def on_post(self, request, body):
        request.send_error(405)

    def stop(self):
        if not self.stopping.is_set():
            self.stopping.set()
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
