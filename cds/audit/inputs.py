"""The files of an export, local or by URL, and their lines: plain, compressed, in ranges of bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, Final, Literal

import fsspec

from cds.audit.job import AuditError
from cds.intake.lines import BOM

LONGEST_LINE: Final = 16 << 20
# What reading a file that broke off raises: a lost connection, cut or damaged compression.
BROKEN: Final = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class InputFile:
    """name: below the export, as problems show it. kind: lines of NDJSON, or one chart (a Bundle).

    stamp: changes when the file does (size and time of change, or the server's ETag).
    """

    url: str
    name: str
    size: int
    kind: Literal["lines", "chart"]
    compressed: bool
    stamp: str


def list_inputs(location: str) -> tuple[list[InputFile], list[str]]:
    """(files by name, names left out) of a file or folder. Raises AuditError where there is nothing to audit.

    As for `psychmed check`: where there is NDJSON, JSON files beside it (a manifest, a log) are left out.
    """
    try:
        fs, root = fsspec.core.url_to_fs(location)
        if not fs.exists(root):
            raise FileNotFoundError
        found = fs.find(root, detail=True)
    except ImportError as error:
        raise AuditError(f"{location}: needs a package that is not installed: {error}") from None
    except FileNotFoundError:
        raise AuditError(f"{location}: no such file or folder") from None
    except ValueError:
        raise AuditError(f"{location}: not a path, and not an address that can be read") from None
    except Exception as error:  # each file system has errors of its own
        raise AuditError(f"{location}: cannot be listed: {type(error).__name__}") from None
    files = []
    for path, info in sorted(found.items()):
        name = str(PurePosixPath(path).relative_to(root)) if path != root else PurePosixPath(path).name
        kind = _kind(name)
        if kind is None or any(part.startswith((".", "_")) for part in PurePosixPath(name).parts):
            continue
        url = path if _is_local(fs) else fs.unstrip_protocol(path)
        if not name.isprintable():
            raise AuditError(f"{location}: rename {name!a}: its name holds characters that cannot be written down")
        try:
            stamp = hashlib.blake2b(str(fs.ukey(path)).encode(), digest_size=12).hexdigest()
        except Exception as error:  # a link that leads nowhere, a file that is gone meanwhile
            raise AuditError(
                f"{location}: {name} cannot be opened ({type(error).__name__}): mend it, or take it out of the folder"
            ) from None
        files.append(InputFile(url, name, int(info["size"] or 0), kind, name.endswith(".gz"), stamp))
    lines = [f for f in files if f.kind == "lines"]
    if not files:
        raise AuditError(f"{location}: no .ndjson, .ndjson.gz or .json file there")
    return (lines, [f.name for f in files if f.kind == "chart"]) if lines else (files, [])


def _kind(name: str) -> Literal["lines", "chart"] | None:
    plain = name.removesuffix(".gz")
    return "lines" if plain.endswith(".ndjson") else "chart" if plain.endswith(".json") else None


def _is_local(fs: Any) -> bool:
    protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
    return protocol in {"file", "local"}


def digest_of(files: Sequence[InputFile]) -> str:
    """Of names, sizes and stamps."""
    rows = "\n".join(f"{f.name}\t{f.size}\t{f.stamp}" for f in files)
    return hashlib.blake2b(rows.encode(), digest_size=16).hexdigest()


def open_input(file: InputFile) -> IO[bytes]:
    """The uncompressed bytes. Raises one of BROKEN, here or while reading."""
    if "://" in file.url:
        fs, path = fsspec.core.url_to_fs(file.url)
        raw: Any = io.BufferedReader(_Remote(fs, path), 1 << 20)
    else:
        raw = open(file.url, "rb", buffering=1 << 20)  # noqa: SIM115 - closed by the caller
    return io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 20) if file.compressed else raw


class _Remote(io.RawIOBase):
    """A file elsewhere; each file system has errors of its own, which all mean that it could not be read."""

    def __init__(self, fs: Any, path: str) -> None:
        self._file = self._tried(lambda: fs.open(path, "rb", block_size=8 << 20))

    @staticmethod
    def _tried(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Exception as error:
            raise OSError(f"cannot be read: {type(error).__name__}") from None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._tried(lambda: self._file.seek(offset, whence)))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        data = self._tried(lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def lines_of(file: InputFile, start: int, end: int | None) -> Iterator[bytes | None]:
    """The lines that begin in [start, end), in bytes of the file; end None: to its end. None: a line too long to read.

    A mark of byte order at the start, and a carriage return before the line's end, are no part of a line.
    """
    with open_input(file) as stream:
        at = start
        if start:
            # The line in which the range begins is of the range before.
            stream.seek(start - 1)
            at = start - 1 + _skip_line(stream)
        while end is None or at < end:
            line = stream.readline(LONGEST_LINE)
            if not line:
                return
            if len(line) == LONGEST_LINE and line[-1:] != b"\n":
                at += len(line) + _skip_line(stream)
                yield None
                continue
            yield line.removeprefix(BOM) if at == 0 else line
            at += len(line)


def _skip_line(stream: IO[bytes]) -> int:
    skipped = 0
    while piece := stream.readline(1 << 20):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped
