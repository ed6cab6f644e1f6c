"""Small file systems of their own, to run full."""

import contextlib
import errno
import os

from .process import run


@contextlib.contextmanager
def small_disk(folder, mib):
    """A mounted ext4 of so many MiB."""
    image, mount = folder / "disk.img", folder / "disk"
    with open(image, "wb") as file:
        file.truncate(mib << 20)
    run(["mkfs.ext4", "-q", "-m", "0", image])
    mount.mkdir()
    run(["mount", "-o", "loop", image, mount])
    try:
        yield mount
    finally:
        run(["umount", "--lazy", mount])


def fill_disk(disk):
    """To the last byte; the file is to be removed."""
    path = disk / "ballast"
    with open(path, "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(1 << 16))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
        os.fsync(ballast.fileno())
    return path
