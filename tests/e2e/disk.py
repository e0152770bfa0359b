"""A file system of its own for a data directory: one that can lose its power, or be full.

It is an ext4 in a file, so it needs root and loop devices.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import struct
import subprocess

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Disk:
    """An ext4 file system in a file."""

    def __init__(self, folder: pathlib.Path, mib: int) -> None:
        self.image = folder / "disk.img"
        self.place = folder / "disk"
        self.place.mkdir()
        self._run("truncate", "--size", f"{mib}M", str(self.image))
        self._run("mkfs.ext4", "-q", "-m", "0", str(self.image))
        self.mount()

    def _run(self, *words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, timeout=60)

    def mount(self) -> None:
        self._run("mount", "-o", "loop", str(self.image), str(self.place))

    def unmount(self) -> None:
        self._run("umount", str(self.place))

    def cut_power(self) -> None:
        """Without writing what it still holds in memory: the SHUTDOWN call, which ext4's own crash tests use."""
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(place)

    def free_bytes(self) -> int:
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize

    def occupy(self, free_mib: int) -> pathlib.Path:
        """A file that leaves only so much room; removing it makes room again."""
        ballast = self.place / "ballast"
        self._run("fallocate", "--length", str(self.free_bytes() - (free_mib << 20)), str(ballast))
        return ballast
