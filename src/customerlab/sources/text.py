"""A text file's bytes, of any encoding and perhaps gzipped, to plain UTF-8 on disk.

Bounded memory: a mebibyte at a time, hashed on the way. What cannot be decoded is an error that
says where; what decodes but looks wrong is a warning.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from customerlab.errors import CustomerlabError, nearest

CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_KNOWN = ("utf-8", "gb18030", "gbk", "latin-1", "cp1252", "utf-16", "big5", "shift_jis", "cp1250")

_C1 = re.compile("[\x80-\x9f]")
#: UTF-8 that was once read as latin-1 or cp1252 and saved again; or as GBK after U+FFFD.
_MOJIBAKE = re.compile("[\xc2\xc3][\x80-\xbf]|\xe2\u20ac[\u2122\u0153\u009d\u201c\u201d]|锟斤拷")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")


@dataclass(frozen=True)
class Transcoded:
    """What was seen of a file while it was rewritten as UTF-8.

    Attributes
    ----------
    size : int
        Bytes as stored.
    sha256 : str
        Of the bytes as stored.
    warnings : tuple of str
        Signs that the text was decoded with the wrong encoding.
    """

    size: int
    sha256: str
    warnings: tuple[str, ...]


class _Hashed(io.RawIOBase):
    """A file that is counted and hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.size, self.sha = file, 0, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        self.size += len(data)
        self.sha.update(data)
        return len(data)


@contextmanager
def _opened(path: Path, where: str) -> Iterator[tuple[_Hashed, Iterator[bytes]]]:
    """Open `path`, unzipped where it is a gzip, as an iterator of chunks."""
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
        file.seek(0)
        raw = _Hashed(file)
        stream = gzip.GzipFile(fileobj=raw) if zipped else raw  # type: ignore[arg-type]

        def chunks() -> Iterator[bytes]:
            try:
                while chunk := stream.read(CHUNK):
                    yield chunk
            except EOFError:
                raise CustomerlabError(
                    f"{where}: {path} is a gzip that ends before its end; it was probably cut off "
                    "while it was copied. Fetch it again."
                ) from None
            except (gzip.BadGzipFile, zlib.error) as error:
                raise CustomerlabError(
                    f"{where}: {path} is a damaged gzip ({error}). Fetch it again."
                ) from None

        yield raw, chunks()


def hash_file(path: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of the bytes of `path`."""
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256")
        return file.tell(), sha.hexdigest()


def _decoder(encoding: str, where: str) -> codecs.IncrementalDecoder:
    try:
        b" ".decode(encoding, "replace")  # refuses codecs that give no text, such as hex
        return codecs.getincrementaldecoder(encoding)("strict")
    except LookupError:
        raise CustomerlabError(
            f'{where}: encoding "{encoding}" is not known{nearest(encoding, _KNOWN)}; '
            f"expected one such as {', '.join(_KNOWN[:5])}."
        ) from None


def _texts(
    chunks: Iterator[bytes], path: Path, encoding: str, where: str
) -> Iterator[tuple[bytes, str]]:
    r"""Decode chunk by chunk, line ends as ``\n``, without a byte order mark."""
    decoder = io.IncrementalNewlineDecoder(_decoder(encoding, where), translate=True)
    fed, first = 0, True
    try:
        for chunk in chunks:
            fed += len(chunk)
            text = decoder.decode(chunk)
            if first and text:
                text, first = text.removeprefix("\ufeff"), False
            yield chunk, text
        yield b"", decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        # the codec counts from what it still held, which ends where we have fed to
        offset = fed - len(error.object) + error.start
        shown = " ".join(f"{byte:02X}" for byte in error.object[error.start : error.end][:4])
        guess = guess_encoding(path, where)
        hint = f" It decodes as {guess}: set encoding: {guess}." if guess != encoding else ""
        raise CustomerlabError(
            f"{where}: {path} is not {encoding}: byte {offset:,} ({shown}) cannot be decoded "
            f"({error.reason}).{hint}"
        ) from None


def read_head(path: Path, encoding: str, where: str) -> tuple[str, bool]:
    """Return the first characters of a text file, and whether that is all of it."""
    with _opened(path, where) as (_, chunks):
        head = ""
        for _, text in _texts(chunks, path, encoding, where):
            head += text
            if len(head) >= CHUNK:
                return head, False
        return head, True


def transcode(path: Path, target: Path, *, encoding: str, where: str, end: str) -> Transcoded:
    r"""Write `path` to `target` as UTF-8, followed by `end`.

    Line ends of every kind become ``\n``, also inside quoted fields.

    Raises
    ------
    CustomerlabError
        An unknown encoding, text that does not decode (with the byte and an encoding that
        would), a gzip that is cut off or damaged.
    """
    signs = _Signs(encoding)
    with _opened(path, where) as (raw, chunks), target.open("wb") as out:
        for chunk, text in _texts(chunks, path, encoding, where):
            signs.see(chunk, text)
            out.write(text.encode("utf-8"))
        out.write(end.encode("utf-8"))
        return Transcoded(raw.size, raw.sha.hexdigest(), signs.warnings(f"{where}: {path}"))


class _Signs:
    """Notices, as text goes by, what wrongly decoded text looks like."""

    def __init__(self, encoding: str) -> None:
        name = codecs.lookup(encoding).name
        self.encoding = encoding
        self.is_chinese = name in {"gb18030", "gbk", "gb2312", "hz"}
        self.is_western = name.startswith(("iso8859", "cp125"))
        self.utf8 = None if name.startswith("utf") else codecs.getincrementaldecoder("utf-8")()
        self.found: dict[str, int] = {}
        self.seen_other = False
        self.chinese = _Chinese()

    def see(self, chunk: bytes, text: str) -> None:
        self._count("NUL characters (is it utf-16?)", text.count("\0"))
        if text.isascii() and chunk.isascii():
            return
        self.seen_other = True
        self._count("the replacement character U+FFFD", text.count("\ufffd"))
        self._count("control characters (U+0080 to U+009F)", len(_C1.findall(text)))
        self._count('sequences such as "Ã¤" or "锟斤拷"', len(_MOJIBAKE.findall(text)))
        if self.is_western:
            self.chinese.see(chunk)
        elif self.is_chinese:
            self.chinese.see_text(text)
        if self.utf8:
            try:
                self.utf8.decode(chunk)
            except UnicodeDecodeError:
                self.utf8 = None

    def _count(self, sign: str, times: int) -> None:
        if times:
            self.found[sign] = self.found.get(sign, 0) + times

    def warnings(self, of: str) -> tuple[str, ...]:
        better = ""
        if self.seen_other and self.utf8 and not self.utf8.getstate()[0]:
            better = "utf-8"
        elif self.is_western and self.chinese.likely:
            better = "gb18030"
        elif self.is_chinese and self.chinese.seen and not self.chinese.likely:
            better = "latin-1"
        if better:
            return (
                f"{of} decodes as {self.encoding}, but reads like {better}: look at its texts, "
                f"and set encoding: {better} if they are wrong.",
            )
        return tuple(
            f"{of} decodes as {self.encoding}, but has {times:,} {sign}: some of its texts were "
            "probably decoded wrongly, here or before."
            for sign, times in self.found.items()
        )


class _Chinese:
    """Whether bytes read as GB18030 give common Chinese characters."""

    def __init__(self) -> None:
        self.decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("gb18030")()
        self.seen = self.common = 0

    def see(self, chunk: bytes, final: bool = False) -> None:
        if self.decoder:
            try:
                self.see_text(self.decoder.decode(chunk, final))
            except UnicodeDecodeError:
                self.decoder = None

    def see_text(self, text: str) -> None:
        if self.seen < CHUNK and not text.isascii():
            other = "".join(_NOT_ASCII.findall(text))
            self.seen += len(other)
            # the characters of the oldest standard are those that people use; western letters
            # read as GB18030 fall outside it
            self.common += len(other.encode("gb2312", "ignore")) // 2

    @property
    def likely(self) -> bool:
        return self.decoder is not None and self.seen > 0 and self.common >= 0.8 * self.seen


def guess_encoding(path: Path, where: str) -> str:
    """Return an encoding in which the whole of `path` decodes: utf-8, gb18030, latin-1, utf-16."""
    utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    chinese = _Chinese()
    with _opened(path, where) as (_, chunks):
        for number, chunk in enumerate(chunks):
            marked = [name for bom, name in _BOMS.items() if chunk.startswith(bom)]
            if number == 0 and marked:
                return marked[0]
            if utf8:
                try:
                    utf8.decode(chunk)
                except UnicodeDecodeError:
                    utf8 = None
            chinese.see(chunk)
    chinese.see(b"", final=True)
    if utf8 and not utf8.getstate()[0]:
        return "utf-8"
    return "gb18030" if chinese.likely else "latin-1"
