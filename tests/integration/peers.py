"""Peers: started on free loopback ports, and ended by their process id. Programs are in peer_programs.py, servers of our
own in peer_servers.py, and what both need in peer_basics.py; tests import from here."""
from peer_basics import (PATIENCE, Process, client_tls, ended, free_port, has_name, json_lines, listens, server_tls,
                         tool, wait_until)
from peer_programs import Dovecot, Nginx, OpensslServer, Postfix, Postgres, Slapd, SoftHsm
from peer_servers import ConnectProxy, EchoServer, HttpServer, ScriptedServer

__all__ = ["PATIENCE", "Process", "client_tls", "ended", "free_port", "has_name", "json_lines", "listens",
           "server_tls", "tool", "wait_until", "Dovecot", "Nginx", "OpensslServer", "Postfix", "Postgres", "Slapd",
           "SoftHsm", "ConnectProxy", "EchoServer", "HttpServer", "ScriptedServer"]
