"""A member whose BitTorrent lies: stands where the other nodes reach a real node, with its
certificate, says that it has all pieces of one blob, and answers each request with noise. All else
it passes on to the node, but what is for the directory, which knows nodes by their certificates.
Ends when its standard input does, and then says what it did as a line of JSON.

    python3 -m lab.liar_process LISTEN NODE PEM DIGEST INFO_HASH PIECES [WAY]

Other ways to lie than `noise`: `stalls` answers the first request of each connection alone,
`silent` none; `torrent` also gives a torrent of other content to whoever asks for that.
"""

import http.client
import json
import os
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness.torrents import PROTOCOL

_UNCHOKE, _BITFIELD, _REQUEST, _PIECE = 1, 5, 6, 7
_PEER_ID = b"-XX0001-" + bytes(12)
_BLOCK_MAX = 128 << 10
_MESSAGE_MAX = 1 << 20
WAYS = ("noise", "stalls", "silent", "torrent")


class Account:
    """By the address of who asked: connections, bytes of noise, when the last left (seconds since
    1970)."""

    def __init__(self):
        self._lock = threading.Lock()
        self.peers: dict[str, dict] = {}

    def note(self, peer: str, connections: int = 0, sent: int = 0) -> None:
        with self._lock:
            of = self.peers.setdefault(peer, {"connections": 0, "bytes": 0, "last": None})
            of["connections"] += connections
            of["bytes"] += sent
            if sent:
                of["last"] = time.time()


def message(kind: int, body: bytes) -> bytes:
    return struct.pack(">IB", 1 + len(body), kind) + body


def lie(stream, out, info_hash: bytes, pieces: int, way: str, note) -> None:
    """BitTorrent (BEP 3) from the peer's handshake on, until it has had enough."""
    answers = {"stalls": 1, "silent": 0}.get(way, float("inf"))
    if not stream.read(68).startswith(PROTOCOL):
        return
    bits = int("1" * pieces + "0" * (-pieces % 8), 2).to_bytes((pieces + 7) // 8, "big")
    # The last reserved byte says version 2 (BEP 52).
    out.sendall(PROTOCOL + bytes(7) + b"\x10" + info_hash + _PEER_ID +
                message(_BITFIELD, bits) + message(_UNCHOKE, b""))
    while header := stream.read(4):
        length = struct.unpack(">I", header)[0]
        if length > _MESSAGE_MAX:
            return
        words = stream.read(length)
        if words and words[0] == _REQUEST and answers > 0:
            answers -= 1
            piece, offset, size = struct.unpack(">III", words[1:13])
            noise = os.urandom(min(size, _BLOCK_MAX))
            out.sendall(message(_PIECE, struct.pack(">II", piece, offset) + noise))
            note(len(noise))


def handler(node: str, pem: str, digest: str, info_hash: bytes, pieces: int, way: str,
            account: Account):
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.load_cert_chain(pem)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == f"/cluster/v1/swarm/{digest}":
                self._swarm()
            else:
                self._pass_on()

        def do_HEAD(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(503, {}, b"not now\n")

        def _swarm(self) -> None:
            self.close_connection = True
            peer = self.client_address[0]
            account.note(peer, connections=1)
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                             b"Upgrade: bittorrent\r\n\r\n")
            lie(self.rfile, self.connection, info_hash, pieces, way,
                lambda sent: account.note(peer, sent=sent))

        def _pass_on(self) -> None:
            connection = http.client.HTTPSConnection(node, timeout=60, context=trusting)
            try:
                headers = {name: value for name, value in self.headers.items()
                           if name.lower() not in ("connection", "host")}
                connection.request(self.command, self.path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                if way == "torrent" and self.path == f"/cluster/v1/torrents/{digest}":
                    body = body[:-1] + bytes([body[-1] ^ 1])  # In the hash of the last piece.
                self._answer(answer.status, dict(answer.getheaders()), body)
            finally:
                connection.close()

        def _answer(self, status: int, headers: dict, body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", headers.get("content-length"))
            self.send_header("Content-Length",
                             length if self.command == "HEAD" and length else str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                pass  # The other end had enough of it.

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler_class, pem: str):
        super().__init__(address, handler_class)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)

    def finish_request(self, request, client_address) -> None:
        try:
            protected = self._context.wrap_socket(request, server_side=True)
        except OSError:
            return
        try:
            super().finish_request(protected, client_address)
        finally:
            protected.close()

    def handle_error(self, *_) -> None:
        pass  # A connection that breaks is no news here.


def main() -> None:
    listen, node, pem, digest, info_hash, pieces, *ways = sys.argv[1:]
    way = ways[0] if ways else WAYS[0]
    assert way in WAYS, f"{way} is no way to lie: {', '.join(WAYS)}"
    account = Account()
    host, port = listen.split(":")
    server = Server((host, int(port)),
                    handler(node, pem, digest, bytes.fromhex(info_hash), int(pieces), way, account),
                    pem)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("{}", flush=True)
    sys.stdin.read()
    print(json.dumps(account.peers), flush=True)


if __name__ == "__main__":
    main()
