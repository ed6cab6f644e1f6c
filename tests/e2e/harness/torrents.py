"""BitTorrent (BEP 3, 52), as far as an outsider needs it to knock."""

import hashlib

PROTOCOL = b"\x13BitTorrent protocol"
_BLOCK = 16 << 10


def _bencoded(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, dict):
        parts = (_bencoded(key) + _bencoded(value[key]) for key in sorted(value))
        return b"d" + b"".join(parts) + b"e"
    value = value.encode() if isinstance(value, str) else value
    return b"%d:%s" % (len(value), value)


def bdecoded(data):
    """A bencoded value; keys and texts are bytes."""

    def value(at):
        kind = data[at:at + 1]
        if kind == b"i":
            end = data.index(b"e", at)
            return int(data[at + 1:end]), end + 1
        if kind in b"ld":
            items, at = [], at + 1
            while data[at:at + 1] != b"e":
                item, at = value(at)
                items.append(item)
            return (items if kind == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
        colon = data.index(b":", at)
        end = colon + 1 + int(data[at:colon])
        return data[colon + 1:end], end

    return value(0)[0]


def v1_info_hash(torrent):
    """Of a .torrent file of version 1 (BEP 3)."""
    return hashlib.sha1(_bencoded(bdecoded(torrent)[b"info"])).digest()


def info_hash(digest, content, piece_bytes):
    """Of the torrent of version 2 that every node makes of this content."""
    nodes = [hashlib.sha256(content[at:at + _BLOCK]).digest()
             for at in range(0, len(content), _BLOCK)]
    filling = bytes(32)
    while len(nodes) > 1:
        nodes += [filling] * (len(nodes) % 2)
        nodes = [hashlib.sha256(nodes[at] + nodes[at + 1]).digest()
                 for at in range(0, len(nodes), 2)]
        filling = hashlib.sha256(filling + filling).digest()
    info = {"file tree": {digest: {"": {"length": len(content), "pieces root": nodes[0]}}},
            "meta version": 2, "name": digest, "piece length": piece_bytes, "private": 1}
    return hashlib.sha256(_bencoded(info)).digest()[:20]


def handshake(hash_of_info):
    return PROTOCOL + bytes(5) + b"\x10" + bytes(2) + hash_of_info + b"-XX0001-" + bytes(12)


def said(connection, words, most=4096, enough=None):
    """What the other end answers before it closes the connection, or has said enough."""
    answer = b""
    try:
        connection.sendall(words)
        while len(answer) < most and (enough is None or enough not in answer):
            more = connection.recv(most - len(answer))
            if not more:
                break
            answer += more
    except ConnectionError:
        pass  # That is a way to close it.
    return answer
