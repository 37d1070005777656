# SPDX-License-Identifier: BSD-3-Clause
"""QUIC Initial packets of version 1 made ones of version 2 (RFC 9001, RFC 9369).

The keys of Initials follow from the connection id that the client chose first, so anybody can open them and seal them
anew. Handshake packets cannot be opened: their header says the other version, their sealed part stays.
"""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

V1, V2 = 0x00000001, 0x6B3343CF
SALTS = {
    V1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
}
LABELS = {V1: b"quic ", V2: b"quicv2 "}
# Long header packet types: 0-RTT and so on are one further in version 2.
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = range(4)


def hkdf_label(secret, label, n):
    info = struct.pack("!HB", n, 6 + len(label)) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:n]


class Keys:
    def __init__(self, version, dcid, is_client):
        initial = hmac.new(SALTS[version], dcid, hashlib.sha256).digest()
        secret = hkdf_label(initial, b"client in" if is_client else b"server in", 32)
        self.aead = AESGCM(hkdf_label(secret, LABELS[version] + b"key", 16))
        self.iv = hkdf_label(secret, LABELS[version] + b"iv", 12)
        self.hp = hkdf_label(secret, LABELS[version] + b"hp", 16)

    def mask(self, sample):
        encryptor = Cipher(algorithms.AES(self.hp), modes.ECB()).encryptor()
        return encryptor.update(sample)[:5]

    def nonce(self, number):
        return bytes(a ^ b for a, b in zip(self.iv, number.to_bytes(12, "big")))


def varint(data, at):
    n = 1 << (data[at] >> 6)
    return int.from_bytes(data[at : at + n], "big") & ((1 << (8 * n - 2)) - 1), at + n


class Rewriter:
    """Of one connection, from its first datagram on."""

    def __init__(self):
        self.dcid = None  # the one the keys follow from

    def datagram(self, data, is_client):
        result, at = b"", 0
        while at < len(data):
            if not data[at] & 0x80:  # a short header says no version; it is the last packet
                return result + data[at:]
            packet, at = self._packet(data, at, is_client)
            result += packet
        return result

    def _packet(self, data, begin, is_client):
        first, version = struct.unpack_from("!BI", data, begin)
        if version != V1:
            raise ValueError(f"expected QUIC version 1, found {version:#x}")
        at = begin + 5
        dcid = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        at += 1 + data[at]
        kind = first >> 4 & 3
        if kind == RETRY:
            raise ValueError("a Retry cannot be made one of version 2 here")
        if kind == INITIAL:
            if self.dcid is None:
                self.dcid = dcid
            n, at = varint(data, at)
            at += n
        length, at = varint(data, at)
        end = at + length
        head = bytearray(data[begin:at])
        head[0] = first & 0xCF | (kind + 1) % 4 << 4
        struct.pack_into("!I", head, 1, V2)
        if kind != INITIAL:
            return bytes(head) + data[at:end], end
        return self._reseal(data[begin:end], at - begin, head, is_client), end

    def _reseal(self, packet, at, head, is_client):
        keys = Keys(V1, self.dcid, is_client)
        mask = keys.mask(packet[at + 4 : at + 20])
        clear = bytearray(packet)
        clear[0] ^= mask[0] & 15
        n = (clear[0] & 3) + 1
        for i in range(n):
            clear[at + i] ^= mask[1 + i]
        number = int.from_bytes(clear[at : at + n], "big")
        body = keys.aead.decrypt(keys.nonce(number), bytes(clear[at + n :]), bytes(clear[: at + n]))
        keys = Keys(V2, self.dcid, is_client)
        head[0] = head[0] & 0xF0 | clear[0] & 15
        head += clear[at : at + n]
        sealed = keys.aead.encrypt(keys.nonce(number), body, bytes(head))
        mask = keys.mask(sealed[4 - n : 20 - n])
        head[0] ^= mask[0] & 15
        for i in range(n):
            head[at + i] ^= mask[1 + i]
        return bytes(head) + sealed
