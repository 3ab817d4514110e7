# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""An ESP32-C3's loader at a pseudo terminal: the protocol of its ROM and of esptool's stub.

Written from esptool's documentation ("Serial Protocol"), against esptool as it is: it answers what
esptool asks, keeps a flash with a flash's rules, and breaks in the ways that boards do.
"""

import hashlib
import os
import select
import struct
import threading
import tty
import zlib
from collections.abc import Iterator

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
MEM_END, SYNC, WRITE_REG, READ_REG = 0x06, 0x08, 0x09, 0x0A
FLASH_BEGIN, FLASH_DATA = 0x02, 0x03
DEFL_BEGIN, DEFL_DATA, MD5, SECURITY, ERASE = 0x10, 0x11, 0x13, 0x14, 0xD0
SPI_CMD, SPI_W0 = 0x60002000, 0x60002058
FLASH_ID = 0x164020  # 4 MB
SECTOR = 4096
C3, S3 = 5, 9
FAULTS = ("silent", "wrong chip", "garbled", "mute", "vanishing", "bad flash", "refusing")


class FakeRom:
    """Answers at `port` until the `with` block ends.

    Args:
        fault: of FAULTS, or "".

    Attributes:
        port: path of the pseudo terminal.
        flash: 4 MB.
        erased: numbers of the sectors that were erased, in order.
        asked: commands, in order.
    """

    def __init__(self, fault: str = "") -> None:
        assert fault in ("", *FAULTS)
        self._fault = fault
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.flash = bytearray(b"\x55" * (4 << 20))
        self.erased: list[int] = []
        self.asked: list[int] = []
        self._is_stub = False
        self._inflate = zlib.decompressobj()
        self._at = self._end = 0
        self._erased_to = 0
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "FakeRom":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._stopped)
        self._thread.join()
        for fd in (self._stop, *([self._slave] if self._slave >= 0 else [])):
            os.close(fd)
        if self._master >= 0:
            os.close(self._master)

    def _serve(self) -> None:
        for packet in _packets(self._bytes()):
            if len(packet) >= 8 and packet[0] == 0 and self._fault != "silent":
                self._answer(packet)
            if self._master < 0:
                return

    def _bytes(self) -> Iterator[int]:
        while self._master >= 0:
            ready, _, _ = select.select([self._master, self._stop], [], [])
            if self._stop in ready:
                return
            yield from os.read(self._master, 4096)

    def _answer(self, packet: bytes) -> None:
        _, command, size, _ = struct.unpack_from("<BBHI", packet)
        body = packet[8 : 8 + size]
        self.asked.append(command)
        if command == SYNC:
            for _ in range(8):
                self._reply(command, value=0x20120707)
            return
        self._do(command, body)

    def _do(self, command: int, body: bytes) -> None:
        if command == READ_REG:
            self._reply(command, value=self._register(struct.unpack("<I", body)[0]))
        elif command == SECURITY:
            chip = S3 if self._fault == "wrong chip" else C3
            self._reply(command, struct.pack("<IB7BII", 0, 0, *[0] * 7, chip, 0))
        elif command == MEM_END:
            self._reply(command)
            self._is_stub = True
            self._send(b"OHAI")
        elif command == MD5:
            self._reply(command, self._md5(*struct.unpack_from("<II", body)))
        elif command == ERASE:
            self._erase(0, len(self.flash))
            self._reply(command)
        elif command in (FLASH_BEGIN, DEFL_BEGIN):
            self._begin(*struct.unpack_from("<IIII", body))
            self._reply(command, failed=self._fault == "refusing")
        elif command in (FLASH_DATA, DEFL_DATA):
            self._take(command, body)
        else:
            self._reply(command)

    def _register(self, address: int) -> int:
        return FLASH_ID if address == SPI_W0 else 0

    def _begin(self, size: int, _blocks: int, _block: int, offset: int) -> None:
        self._inflate = zlib.decompressobj()
        self._at, self._end, self._erased_to = offset, offset + size, offset // SECTOR * SECTOR

    def _take(self, command: int, body: bytes) -> None:
        """Take compressed data; a sector is erased before its first byte is written."""
        if self._fault == "mute":
            return
        if self._fault == "vanishing":
            os.close(self._master)
            os.close(self._slave)
            self._master = self._slave = -1
            return
        data = self._inflate.decompress(body[16:]) if command == DEFL_DATA else body[16:]
        while self._at + len(data) > self._erased_to:
            self._erase(self._erased_to, SECTOR)
            self._erased_to += SECTOR
        for byte in data[: self._end - self._at]:  # the last block is filled up
            self.flash[self._at] &= byte
            self._at += 1
        if self._fault == "bad flash":
            self.flash[self._at - 1] ^= 1
        self._reply(command)

    def _erase(self, offset: int, size: int) -> None:
        self.erased += range(offset // SECTOR, (offset + size) // SECTOR)
        self.flash[offset : offset + size] = b"\xff" * size

    def _md5(self, offset: int, size: int) -> bytes:
        digest = hashlib.md5(self.flash[offset : offset + size])
        return digest.digest() if self._is_stub else digest.hexdigest().encode()

    def _reply(
        self, command: int, data: bytes = b"", value: int = 0, *, failed: bool = False
    ) -> None:
        status = (b"\x01\x05" if failed else b"\x00\x00") + (b"" if self._is_stub else b"\x00\x00")
        body = data + status
        packet = struct.pack("<BBHI", 1, command, len(body), value) + body
        self._send(packet, garble=self._fault == "garbled" and command == MD5)

    def _send(self, packet: bytes, *, garble: bool = False) -> None:
        escaped = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        frame = bytes([END]) + escaped + bytes([END])
        if garble:
            frame = bytes(byte ^ 0x2A for byte in frame)
        os.write(self._master, frame)


def _packets(stream: Iterator[int]) -> Iterator[bytes]:
    """Take SLIP apart (RFC 1055)."""
    packet, escaped = bytearray(), False
    for byte in stream:
        if escaped:
            packet.append({ESC_END: END, ESC_ESC: ESC}[byte])
            escaped = False
        elif byte == ESC:
            escaped = True
        elif byte == END:
            if packet:
                yield bytes(packet)
            packet = bytearray()
        else:
            packet.append(byte)
