"""A peer of BitTorrent version 1 (BEP 3) that says it has everything, and breaks its word."""

import os
import socket
import struct
import threading
import urllib.parse
import urllib.request

from .torrents import PROTOCOL, bdecoded, v1_info_hash

_BITFIELD, _UNCHOKE, _REQUEST, _PIECE = 5, 1, 6, 7
WAYS = ("silent", "stalls", "wrong")


class LyingPeer:
    """`silent`: answers no request; `stalls`: only the first; `wrong`: all of them, with noise."""

    def __init__(self, torrent, content, way):
        assert way in WAYS
        self._content = content
        self._way = way
        self._torrent = bdecoded(torrent)
        self._hash = v1_info_hash(torrent)
        self.asked = 0  # Requests that came.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def announce(self):
        """Tells the tracker that it has everything."""
        query = urllib.parse.urlencode(
            {"info_hash": self._hash, "peer_id": b"-XX0001-" + bytes(12), "left": 0,
             "uploaded": 0, "downloaded": 0, "compact": 1, "event": "started",
             "port": self._listener.getsockname()[1]})
        url = self._torrent[b"announce"].decode()
        with urllib.request.urlopen(f"{url}?{query}", timeout=30) as answer:
            said = bdecoded(answer.read())
        assert b"peers" in said, said

    def close(self):
        # Wakes the thread that accepts; a close alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            stream.read(68)
            pieces = len(self._torrent[b"info"][b"pieces"]) // 20
            bits = int("1" * pieces + "0" * (-pieces % 8), 2).to_bytes((pieces + 7) // 8, "big")
            connection.sendall(PROTOCOL + bytes(8) + self._hash + b"-XX0001-" + bytes(12) +
                               self._message(_BITFIELD, bits) + self._message(_UNCHOKE, b""))
            while header := stream.read(4):
                message = stream.read(struct.unpack(">I", header)[0])
                if message and message[0] == _REQUEST:
                    self._answer(connection, *struct.unpack(">III", message[1:]))
        except OSError:
            pass  # The other end had enough of it.

    def _answer(self, connection, piece, offset, length):
        self.asked += 1
        if self._way == "silent" or (self._way == "stalls" and self.asked > 1):
            return
        start = piece * self._torrent[b"info"][b"piece length"] + offset
        block = self._content[start:start + length]
        if self._way == "wrong":
            block = os.urandom(length)
        connection.sendall(self._message(_PIECE, struct.pack(">II", piece, offset) + block))

    @staticmethod
    def _message(kind, body):
        return struct.pack(">IB", 1 + len(body), kind) + body
