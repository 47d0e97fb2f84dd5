"""A disk under SQLite that tests fill, break and record: a VFS over the real one, in this process and in no other.

Put in by ctypes into the library that the sqlite3 module is linked with, so that it needs no compiler, no mount and no
privilege. https://sqlite.org/vfs.html; only connections that are opened afterwards are on it.
"""

from __future__ import annotations

import ctypes
import importlib
import sqlite3
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p, cast
from typing import Any

FULL, IOERR_READ, IOERR_WRITE, IOERR_FSYNC = 13, 266, 778, 1034


class Vfs(Structure):
    pass


OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
# As https://sqlite.org/c3ref/vfs.html has it; what is not looked at is a pointer.
Vfs._fields_ = [
    *(("iVersion", c_int), ("szOsFile", c_int), ("mxPathname", c_int), ("pNext", c_void_p), ("zName", c_char_p)),
    *(("pAppData", c_void_p), ("xOpen", c_void_p), ("xDelete", c_void_p)),
    *((f"x{number}", c_void_p) for number in range(14)),
]
READ = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
SIZE = CFUNCTYPE(c_int, c_void_p, POINTER(c_int64))


class Methods(Structure):  # https://sqlite.org/c3ref/io_methods.html
    _fields_ = [
        *(("iVersion", c_int), ("xClose", c_void_p), ("xRead", c_void_p), ("xWrite", c_void_p)),
        *(("xTruncate", c_void_p), ("xSync", c_void_p), ("xFileSize", c_void_p)),
        *((f"x{number}", c_void_p) for number in range(12)),
    ]


class Disk:
    """`room`: bytes by which files may still grow; `fails`: whether an operation on a file fails; `log`: what was done.

    The log holds ("write", name, offset, bytes), ("truncate", name, size), ("sync", name) and ("delete", name), and
    whatever the test puts between.
    """

    def __init__(self) -> None:
        self.room: int | None = None
        self.fails: Callable[[str, str], bool] = lambda operation, name: False
        self.log: list[tuple[Any, ...]] | None = None
        self._names: dict[int, str] = {}
        self._methods: dict[int, tuple[Methods, Methods]] = {}  # ours and the real ones, by the address of the latter
        self._real_of: dict[int, Methods] = {}  # by the address of ours
        self._callbacks: list[Any] = []  # which SQLite holds on to, and Python must not drop
        self._library = ctypes.CDLL(_library())
        self._library.sqlite3_vfs_find.restype = POINTER(Vfs)
        self._library.sqlite3_vfs_find.argtypes = [c_char_p]
        self._library.sqlite3_vfs_register.argtypes = [POINTER(Vfs), c_int]
        self._real = self._library.sqlite3_vfs_find(None)
        self._vfs = Vfs.from_buffer_copy(self._real.contents)
        self._vfs.zName, self._vfs.pNext = b"forklore-tests", None
        self._vfs.xOpen = self._kept(OPEN(self._open))
        self._vfs.xDelete = self._kept(DELETE(self._delete))

    def put_in(self) -> None:
        self._library.sqlite3_vfs_register(byref(self._vfs), 1)

    def take_out(self) -> None:
        """For connections that are opened from now on; those that are open must be closed before the next test."""
        self._library.sqlite3_vfs_register(self._real, 1)
        self.room, self.log, self.fails = None, None, lambda operation, name: False

    def _kept(self, callback: Any) -> int | None:
        self._callbacks.append(callback)
        return cast(callback, c_void_p).value

    def _open(self, vfs: int, name: int, file: int, flags: int, out: int) -> int:
        result = OPEN(self._real.contents.xOpen)(ctypes.addressof(self._real.contents), name, file, flags, out)
        address = c_void_p.from_address(file).value
        if address:
            self._names[file] = (ctypes.string_at(name).decode() if name else "").rpartition("/")[2]
            if address not in self._methods:
                self._methods[address] = self._replaced(Methods.from_address(address))
            ours = self._methods[address][0]
            self._real_of[ctypes.addressof(ours)] = self._methods[address][1]
            c_void_p.from_address(file).value = ctypes.addressof(ours)
        return result

    def _replaced(self, real: Methods) -> tuple[Methods, Methods]:
        ours = Methods.from_buffer_copy(real)

        def read(file: int, data: int, amount: int, offset: int) -> int:
            if self.fails("read", self._names[file]):
                return IOERR_READ
            return READ(real.xRead)(file, data, amount, offset)

        def write(file: int, data: int, amount: int, offset: int) -> int:
            name = self._names[file]
            if self.fails("write", name):
                return IOERR_WRITE
            if self.room is not None:
                size = c_int64()
                SIZE(real.xFileSize)(file, byref(size))
                growth = max(0, offset + amount - size.value)
                if growth > self.room:
                    return FULL
                self.room -= growth
            if self.log is not None:
                self.log.append(("write", name, offset, ctypes.string_at(data, amount)))
            return READ(real.xWrite)(file, data, amount, offset)

        def truncate(file: int, size: int) -> int:
            if self.log is not None:
                self.log.append(("truncate", self._names[file], size))
            return TRUNCATE(real.xTruncate)(file, size)

        def sync(file: int, flags: int) -> int:
            if self.fails("sync", self._names[file]):
                return IOERR_FSYNC
            if self.log is not None:
                self.log.append(("sync", self._names[file]))
            return SYNC(real.xSync)(file, flags)

        ours.xRead, ours.xWrite = self._kept(READ(read)), self._kept(READ(write))
        ours.xTruncate, ours.xSync = self._kept(TRUNCATE(truncate)), self._kept(SYNC(sync))
        return ours, real

    def _delete(self, vfs: int, name: bytes, sync: int) -> int:
        if self.log is not None:
            self.log.append(("delete", name.decode().rpartition("/")[2]))
        return DELETE(self._real.contents.xDelete)(ctypes.addressof(self._real.contents), name, sync)


def _library() -> str:
    name = "pysqlite3._sqlite3" if sqlite3.__name__.startswith("pysqlite3") else "_sqlite3"
    return str(importlib.import_module(name).__file__)


_disk: Disk | None = None


def the_disk() -> Disk:
    """One a process, for what SQLite was once handed it may call for ever."""
    global _disk
    _disk = _disk or Disk()
    return _disk
