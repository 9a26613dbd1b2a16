"""Bytes of a stream to pieces of uncompressed text, in bounded memory, with what comes before damage."""

import re
import zlib
from collections.abc import Generator, Iterator
from typing import Protocol, cast

from isal import igzip_lib, isal_zlib

PIECE = 1 << 17  # bytes of text at a time; with larger ones, records leave the processor's cache before they are used
CUT_OFF = "gzip: cut off"
DAMAGED = "gzip: damaged"
TRAILING = "gzip: other data after the end"

_READ = 1 << 17
_STEP_IN = 1 << 13  # steps that stay within the processor's cache are the fastest
_STEP_OUT = 1 << 16
_STEP_AGAIN = 1 << 10
_KEPT = 1 << 22  # bytes of a member, as it is stored, that are kept to be read again if they are damaged
_GZIP = b"\x1f\x8b"
_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
_GZIP_OF_ANY_WINDOW = 31
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DAMAGE = cast("type[Exception]", igzip_lib.IsalError)  # the type stub declares an instance


class SupportsRead(Protocol):
    """A binary stream, opened elsewhere."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class Text:
    """The uncompressed text of a stream: plain or gzip (any number of members, padded with zeros), without a BOM.

    `fault` says why a compressed stream ended too early, as soon as `read` has given what came before.
    """

    def __init__(self, stream: SupportsRead) -> None:
        self.fault: str | None = None
        self._blocks = _blocks(stream)
        start = _at_least(len(_BYTE_ORDER_MARK), self._blocks)
        steps = self._unzipped(start) if start.startswith(_GZIP) else self._plain(start)
        self._start = _at_least(len(_BYTE_ORDER_MARK), steps).removeprefix(_BYTE_ORDER_MARK)
        self._steps = steps

    def read(self, before: bytes = b"") -> bytes:
        """`before` and the next piece of at least PIECE bytes, in one copy; less at the end, then only `before`."""
        pieces, self._start = [before, self._start], b""
        size = len(pieces[1])
        while size < PIECE and (step := next(self._steps, None)) is not None:
            pieces.append(step)
            size += len(step)
        return b"".join(pieces)

    def _plain(self, start: bytes) -> Iterator[bytes]:
        yield start
        yield from self._blocks

    def _unzipped(self, data: bytes) -> Iterator[bytes]:
        while data:
            if data.startswith(_GZIP):
                data = yield from self._member(data)
            else:
                data = self._next_member(TRAILING, data)
            data = data.lstrip(b"\0")
            while len(data) < len(_GZIP) and (more := next(self._blocks, b"")):
                data = (data + more).lstrip(b"\0")

    def _member(self, data: bytes) -> Generator[bytes, None, bytes]:
        """The text of one member; returns the bytes after it, or those of the next one if it is damaged."""
        member = isal_zlib.decompressobj(_GZIP_OF_ANY_WINDOW)
        block, step = memoryview(data), b""
        kept, size, given = [data], len(data), 0
        try:
            while not member.eof:
                if not step:
                    if not block:
                        stored = next(self._blocks, b"")
                        kept = [*kept, stored] if size <= _KEPT else [stored]
                        size += len(stored)
                        block = memoryview(stored)
                    step, block = bytes(block[:_STEP_IN]), block[_STEP_IN:]
                text = member.decompress(step, _STEP_OUT)
                given += len(text)
                yield text
                if not step and not text:
                    return self._next_member(CUT_OFF, b"".join(kept))
                step = member.unconsumed_tail
        except _DAMAGE:
            stored = b"".join(kept)
            if size <= _KEPT:
                yield from _before_damage(stored, given)
            return self._next_member(DAMAGED, stored)
        return member.unused_data + bytes(block)

    def _next_member(self, fault: str, data: bytes) -> bytes:
        """Note a fault, and find where another member seems to start after the start of `data`."""
        self.fault = self.fault or fault
        start = 1
        while not (found := _MEMBER.search(data, start)):
            more = next(self._blocks, b"")
            if not more:
                return b""
            data, start = data[-3:] + more, 0
        return data[found.start() :]


def _before_damage(member: bytes, given: int) -> Iterator[bytes]:
    """The text of a damaged member from its byte `given` on, to the last byte before the damage."""
    decompressor = zlib.decompressobj(_GZIP_OF_ANY_WINDOW)
    for start in range(0, len(member), _STEP_AGAIN):
        step = member[start : start + _STEP_AGAIN]
        earlier = decompressor.copy()
        try:
            text = decompressor.decompress(step)
        except zlib.error:
            yield from _one_by_one(earlier, step, given)
            return
        yield text[given:]
        given = max(0, given - len(text))


def _one_by_one(decompressor: "zlib._Decompress", step: bytes, given: int) -> Iterator[bytes]:
    """The text of a step that is damaged, without the bytes that were given; a failed call gives none of its own."""
    text = bytearray()
    try:
        for byte in step:
            text += decompressor.decompress(bytes((byte,)))
    except zlib.error:
        yield bytes(text[given:])


def _blocks(stream: SupportsRead) -> Iterator[bytes]:
    while block := stream.read(_READ):
        yield block


def _at_least(size: int, steps: Iterator[bytes]) -> bytes:
    data = b""
    while len(data) < size and (step := next(steps, None)) is not None:
        data += step
    return data
