"""Which nodes are a digest's directory nodes: the protocol of p2p/rendezvous.h, once more."""

_WORD = (1 << 64) - 1


def _mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _WORD
    return x ^ (x >> 31)


def _peer(node):
    value = 0xCBF29CE484222325
    for byte in node.encode():
        value = (value ^ byte) * 0x100000001B3 & _WORD
    return _mix(value)


def ranked(digest, nodes):
    """The ids of these nodes, the one that the digest prefers first."""
    word = int(digest.split(":")[1][:16], 16)
    return sorted(nodes, key=lambda node: (-_mix(word ^ _peer(node)), node))
