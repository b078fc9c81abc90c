#!/usr/bin/env python3
"""Reads a Holdfast repository without Holdfast: lists, restores and verifies.

An independent implementation of docs/repository-format.md (numbers in brackets are its sections), to prove that the document is
enough and that backups can be read without the program that made them. It only ever reads the repository.

Needs Python 3.9 or later and two packages:   pip install cryptography zstandard
(passphrases need cryptography 44 or later; key files work with older ones)

    read-repository.py REPOSITORY --key-file FILE list
    read-repository.py REPOSITORY --key-file FILE restore SNAPSHOT --target FOLDER
    read-repository.py REPOSITORY --passphrase-file FILE verify

Ends with 0, or 1 (it cannot go on), 4 (damage), 12 (the key does not open the repository).
"""

import argparse
import base64
import hashlib
import hmac
import json
import math
import os
import re
import stat
import struct
import sys
import unicodedata
import zlib
from collections import OrderedDict
from pathlib import Path

try:
    import zstandard
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives import hashes, padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as missing:
    sys.exit(f"{missing}. Install what is missing: pip install cryptography zstandard")

VERSION = 1
LARGEST_FRAME = 33554432
LARGEST_OBJECT = 536870912
DEEPEST_LIST = 8
KINDS = {"snapshot": 1, "index": 2, "condemned": 3, "resolution": 4, "done": 5, "trash": 6, "update": 7, "session": 8, "keyring": 9}


class Damaged(Exception):
    """Bytes are not those that were written."""


class Unsupported(Exception):
    """Written by a newer program. Nothing is wrong with it."""


class WrongKey(Exception):
    """No slot opens with what was given."""


# ---------------------------------------------------------------- CBOR [1]


class CborReader:
    """The part of RFC 8949 that the format uses: definite lengths, no tags."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise Damaged("CBOR ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def head(self):
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info, info
        if info > 27:
            raise Damaged("CBOR of indefinite length")
        return major, info, int.from_bytes(self.take(1 << (info - 24)), "big")

    def item(self, depth=0):
        if depth > 200:
            raise Damaged("CBOR is nested too deep")
        major, info, value = self.head()
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return bytes(self.take(value))
        if major == 3:
            try:
                return str(self.take(value), "utf-8")
            except UnicodeDecodeError as error:
                raise Damaged("CBOR text is not UTF-8") from error
        if major == 4:
            return [self.item(depth + 1) for _ in range(value)]
        if major == 5:
            return self.map(value, depth)
        if major == 7:
            return self.simple(info, value)
        raise Damaged("CBOR with a tag")

    def map(self, count, depth):
        found = {}
        for _ in range(count):
            key = self.item(depth + 1)
            if not isinstance(key, str) or key in found:
                raise Damaged("a CBOR map has a key twice, or one that is no text")
            found[key] = self.item(depth + 1)
        return found

    def simple(self, info, value):
        if info in (20, 21, 22):
            return {20: False, 21: True, 22: None}[info]
        if info in (25, 26, 27):
            layout = {25: ">e", 26: ">f", 27: ">d"}[info]
            number = struct.unpack(layout, value.to_bytes(struct.calcsize(layout), "big"))[0]
            if math.isfinite(number):
                return number
        raise Damaged("a CBOR value that the format does not have")


def cbor(data):
    reader = CborReader(data)
    value = reader.item()
    if reader.at != len(data):
        raise Damaged("bytes are left over after CBOR")
    return value


def cbor_sequence(data):
    reader = CborReader(data)
    while reader.at < len(data):
        yield reader.item()


def record(data, name):
    """A CBOR map with a version that we know [16]."""
    value = cbor(data)
    if not isinstance(value, dict):
        raise Damaged(f"{name} holds no map")
    if isinstance(value.get("version"), int) and value["version"] > VERSION:
        raise Unsupported(f"{name} was written by a newer program")
    if value.get("version") != VERSION:
        raise Damaged(f"{name} says no version")
    return value


# ---------------------------------------------------------------- keys, ciphers, codecs [5] [6]


def hkdf(secret, salt, info, length):
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info.encode("ascii")).derive(secret)


def hmac_sha256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def open_record(cipher, data_key, salt, purpose, ordinal, aad, sealed):
    nonce = bytes(8) + struct.pack(">I", ordinal)
    if cipher == 0:
        return sealed
    if cipher == 1:
        try:
            return AESGCM(hkdf(data_key, salt, purpose + " aes-256-gcm", 32)).decrypt(nonce, bytes(sealed), aad)
        except (InvalidTag, ValueError) as error:
            raise Damaged("a record does not open") from error
    if cipher == 2:
        if len(sealed) < 16 + 16 + 32:
            raise Damaged("a record is too short")
        body, given = sealed[:-32], sealed[-32:]
        mac = hmac_sha256(hkdf(data_key, salt, purpose + " aes-256-cbc hmac-sha-256", 32), aad + nonce + body)
        if not hmac.compare_digest(mac, bytes(given)):
            raise Damaged("a record does not open")
        key = hkdf(data_key, salt, purpose + " aes-256-cbc", 32)
        decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(body[:16]))).decryptor()
        unpadder = padding.PKCS7(128).unpadder()
        try:
            return unpadder.update(decryptor.update(bytes(body[16:])) + decryptor.finalize()) + unpadder.finalize()
        except ValueError as error:
            raise Damaged("a record is padded wrongly") from error
    raise Unsupported(f"cipher {cipher} is not known")


def decode(codec, data, length):
    """Never makes more than one byte over `length`."""
    try:
        if codec == 0:
            plain = bytes(data)
        elif codec == 1:
            plain = zlib.decompressobj(31).decompress(bytes(data), length + 1)
        elif codec == 2:
            plain = read_exactly(zstandard.ZstdDecompressor().stream_reader(bytes(data)), length + 1)
        else:
            raise Unsupported(f"codec {codec} is not known")
    except (zlib.error, zstandard.ZstdError) as error:
        raise Damaged("what is compressed does not decompress") from error
    if len(plain) != length:
        raise Damaged("what is compressed has another length than recorded")
    return plain


def read_exactly(stream, count):
    parts = []
    while count > 0:
        part = stream.read(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def read_key_file(path):
    for line in Path(path).read_text("utf-8").splitlines():
        if line.startswith("holdfast-key-1:"):
            _, encoded, checksum = line.strip().split(":")
            secret = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            if len(secret) == 32 and hashlib.sha256(secret).hexdigest()[:8] == checksum:
                return secret
    raise WrongKey(f"{path} is no whole Holdfast key file")


class Credentials:
    def __init__(self, key_files, passphrase_files):
        self.secrets = [read_key_file(path) for path in key_files]
        self.passphrases = [Path(path).read_text("utf-8").splitlines()[0] for path in passphrase_files]

    def wrapping_keys(self, slot):
        parameters = slot["parameters"]
        if slot["kind"] == "keyfile":
            for secret in self.secrets:
                yield hkdf(secret, base64.b64decode(parameters["salt"]), "holdfast key file slot", 32)
        if slot["kind"] == "passphrase" and parameters.get("algorithm") == "argon2id":
            for passphrase in self.passphrases:
                yield argon2id(passphrase, parameters)


def argon2id(passphrase, parameters):
    memory, passes, lanes = parameters["memoryKiB"], parameters["passes"], parameters["parallelism"]
    if memory > 4194304 or passes > 64 or lanes > 64:
        raise Damaged("a key slot asks for more memory or time than any that Holdfast makes")
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    except ImportError:
        sys.exit("Passphrases need a newer package: pip install --upgrade cryptography. Or give --key-file.")
    salt = base64.b64decode(parameters["salt"])
    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    return kdf.derive(unicodedata.normalize("NFKC", passphrase).encode("utf-8"))


def unwrap(slot, repository_id, key):
    sealed = base64.b64decode(slot["wrapped"])
    if len(sealed) != 60:
        return None
    fields = [slot[name] for name in ("version", "id", "kind", "label", "createdAt", "generation")]
    parameters = {name: slot["parameters"][name] for name in sorted(slot["parameters"])}
    aad = json.dumps([repository_id, *fields, parameters], separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], aad)
    except InvalidTag:
        return None


# ---------------------------------------------------------------- the repository


class Repository:
    def __init__(self, folder, credentials):
        self.folder = Path(folder)
        if not (self.folder / "config").is_file():
            sys.exit(f"There is no repository at {folder}.")
        self.config_bytes = self.read("config")
        self.config = self.check_config()
        self.id = self.config["repositoryId"]
        self.warnings = []
        self.open_keyring(credentials)
        self.read_collection_state()
        self.allow_damaged = False
        self.losses = []
        self.chunks = None
        self.frames = OrderedDict()

    # Objects [2]

    def read(self, name):
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError as error:
            raise Damaged(f"{name} is missing") from error

    def names(self, prefix):
        start = self.folder / prefix
        return sorted(str(path.relative_to(self.folder)) for path in start.rglob("*") if path.is_file()) if start.is_dir() else []

    # [4] [16]

    def check_config(self):
        try:
            config = json.loads(self.config_bytes.decode("utf-8"))
        except ValueError as error:
            raise Damaged("config is no JSON") from error
        if config.get("format") != "holdfast-repository":
            raise Damaged("config is not that of a Holdfast repository")
        if config["formatVersion"] > VERSION:
            raise Unsupported(f"the repository has format {config['formatVersion']}")
        if config["features"]["incompatibleRead"]:
            raise Unsupported(f"the repository uses {', '.join(config['features']['incompatibleRead'])}")
        return config

    # [5] [8]

    def open_keyring(self, credentials):
        rings = sorted(name for name in self.names("keyring"))
        if not rings:
            raise Damaged("the repository has no keyring")
        name = rings[-1]
        ring = self.open_newest_keyring(credentials, name)
        if ring["configHash"] != hashlib.sha256(self.config_bytes).digest():
            raise Damaged("config is not the one that the repository was made with")
        self.id_key = ring["idKey"]
        self.data_keys = {each["epoch"]: each["dataKey"] for each in ring["epochs"]}

    def open_newest_keyring(self, credentials, name):
        failure = None
        for master in self.master_keys(credentials, int(name.rpartition("/")[2])):
            try:
                return record(self.open_object(self.read(name), name, "keyring", lambda _epoch: master), name)
            except Damaged as error:
                failure = error
        if failure is not None:
            raise failure
        raise WrongKey("none of the repository's key slots opens with what was given")

    def master_keys(self, credentials, generation):
        slots = []
        for name in self.names("keys"):
            try:
                slot = json.loads(self.read(name).decode("utf-8"))
                if slot["version"] == VERSION:
                    slots.append(slot)
                else:
                    self.warnings.append(f"{name} was written by a newer program")
            except (ValueError, KeyError, TypeError):
                self.warnings.append(f"{name} is damaged")
        for slot in slots:
            if slot["generation"] != generation:
                continue
            for key in credentials.wrapping_keys(slot):
                master = unwrap(slot, self.id, key)
                if master is not None:
                    yield master

    def data_key(self, epoch):
        if epoch not in self.data_keys:
            raise Damaged(f"the keyring has no epoch {epoch}; were keys rotated meanwhile?")
        return self.data_keys[epoch]

    # [7]

    def open_object(self, data, name, kind, data_key=None, bound_name=None):
        if len(data) < 64 or data[:4] != b"HFSO":
            raise Damaged(f"{name} is no sealed object")
        if data[4] > VERSION:
            raise Unsupported(f"{name} was written by a newer program")
        if data[5] != KINDS[kind] or data[8:24].hex() != self.id:
            raise Damaged(f"{name} is another object than its name says")
        cipher, salt, codec = data[6], data[24:56], data[56]
        key = (data_key or self.data_key)(data[7])
        length = struct.unpack(">I", data[60:64])[0]
        if length > LARGEST_OBJECT:
            raise Damaged(f"{name} claims to be too long")
        aad = data[:64] + (name if bound_name is None else bound_name).encode("ascii")
        sealed = data[64:]
        try:
            if cipher == 0:
                sealed, given = sealed[:-32], sealed[-32:]
                mac = hmac_sha256(hkdf(key, salt, "holdfast plain object hmac-sha-256", 32), aad + sealed)
                if not hmac.compare_digest(mac, given):
                    raise Damaged("its HMAC differs")
            return decode(codec, open_record(cipher, key, salt, "holdfast object", 0, aad, sealed), length)
        except Damaged as error:
            raise Damaged(f"{name} is damaged: {error}") from error

    # [15]

    def read_collection_state(self):
        self.seal = 0
        self.sealed_commits = set()
        for name in self.names("gc"):
            match = re.fullmatch(r"gc/(\d{10})/resolution", name)
            if match and int(match[1]) > self.seal:
                resolution = record(self.open_object(self.read(name), name, "resolution"), name)
                if resolution["outcome"] == "sealed":
                    self.seal, self.sealed_commits = int(match[1]), set(resolution["snapshots"])

    # [13]

    def snapshots(self):
        forgotten = {name.split("/")[1] for name in self.names("trash")}
        given = set()
        for name in self.names("snapshots"):
            commit = name.split("/")[1]
            if commit not in forgotten:
                snapshot = self.snapshot(commit)
                if snapshot is not None and snapshot["backup"]["id"] not in given:
                    given.add(snapshot["backup"]["id"])
                    yield snapshot

    def snapshot(self, commit):
        """None where it does not count."""
        name = f"snapshots/{commit}"
        snapshot = record(self.open_object(self.read(name), name, "snapshot"), name)
        if snapshot["backup"]["id"] != re.sub(r"\.[0-9a-f]{16}$", "", commit):
            raise Damaged(f"{name} describes another backup")
        if snapshot["base"] < self.seal and commit not in self.sealed_commits:
            return None
        updates = self.names(f"updates/{commit}")
        if updates:
            update = record(self.open_object(self.read(updates[-1]), updates[-1], "update"), updates[-1])
            snapshot["backup"].pop("expiresAt", None)
            for field in ("held", "expiresAt", "metadata", "status"):
                if field in update:
                    snapshot["backup"][field] = update[field]
        return snapshot

    # [11]

    def load_index(self):
        self.chunks = {}
        bad = {bytes.fromhex(name.split("/")[1]) for name in self.names("bad")}
        for name in self.names("index"):
            data = self.read(name)
            if hashlib.sha256(data).hexdigest() != name.split("/")[1]:
                raise Damaged(f"{name} is not what its name says")
            plain = self.open_object(data, name, "index", bound_name="")
            if len(plain) < 4:
                raise Damaged(f"{name} is too short")
            end = 4 + struct.unpack(">I", plain[:4])[0]
            header = record(plain[4:end], name)
            if len(plain) != end + 52 * header["rows"]:
                raise Damaged(f"{name} has not the rows that it says")
            for at in range(end, len(plain), 52):
                pack, *place = struct.unpack(">IIIII", plain[at + 32 : at + 52])
                if pack >= len(header["packs"]):
                    raise Damaged(f"{name} has a row outside of its packs")
                known = self.chunks.get(plain[at : at + 32])
                if known is None or known[0]["id"] in bad:
                    self.chunks[plain[at : at + 32]] = (header["packs"][pack], *place)

    # [9] [10]

    def chunk(self, identifier):
        if self.chunks is None:
            self.load_index()
        if identifier not in self.chunks:
            raise Damaged(f"chunk {identifier.hex()} is in no pack that the index knows")
        pack, offset, length, start, size = self.chunks[identifier]
        body = self.frame_body(pack, offset, length)
        plain = body[start : start + size]
        if len(plain) != size or hmac_sha256(self.id_key, plain) != identifier:
            raise Damaged(f"chunk {identifier.hex()} in {pack_name(pack['id'])} is not what its id says")
        return plain

    def frame_body(self, pack, offset, length):
        key = (pack["id"], offset)
        if key not in self.frames:
            with open(self.folder / pack_name(pack["id"]), "rb") as file:
                file.seek(offset)
                data = file.read(length)
            self.frames[key] = self.open_frame(pack_name(pack["id"]), pack["header"], data)[1]
            while len(self.frames) > 32:
                self.frames.popitem(last=False)
        return self.frames[key]

    def open_pack_record(self, name, header, data, magic):
        if header[:4] != b"HFPK" or header[8:24].hex() != self.id or header[5] not in (1, 2):
            raise Damaged(f"{name} has no pack's header")
        if header[4] > VERSION:
            raise Unsupported(f"{name} was written by a newer program")
        if len(data) < 12 or data[:4] != magic or struct.unpack(">I", data[8:12])[0] != len(data) - 12:
            raise Damaged(f"{name}: a record does not begin where it should")
        ordinal = struct.unpack(">I", data[4:8])[0]
        if (ordinal == 0xFFFFFFFF) != (magic == b"HFFT"):
            raise Damaged(f"{name}: a record has an impossible ordinal")
        try:
            return open_record(header[6], self.data_key(header[7]), header[24:56], "holdfast pack", ordinal, header + data[:8], data[12:])
        except Damaged as error:
            raise Damaged(f"{name} is damaged: {error}") from error

    def open_frame(self, name, header, data):
        """The frame's chunks as (id, length), and its decoded body."""
        plain = self.open_pack_record(name, header, data, b"HFFR")
        if len(plain) < 8:
            raise Damaged(f"{name}: a frame is too short")
        codec, _zero, count, length = struct.unpack(">BBHI", plain[:8])
        end = 8 + 36 * count
        chunks = [(plain[at : at + 32], struct.unpack(">I", plain[at + 32 : at + 36])[0]) for at in range(8, min(end, len(plain) - 35), 36)]
        if len(chunks) != count or sum(size for _, size in chunks) != length or length > LARGEST_FRAME:
            raise Damaged(f"{name}: a frame's table does not add up")
        return chunks, decode(codec, plain[end:], length)

    def check_pack(self, name):
        """Reads every chunk of a pack. Returns their number."""
        data = self.read(name)
        if hashlib.sha256(data).hexdigest() != name.rsplit("/", 1)[1]:
            raise Damaged(f"{name} has not the SHA-256 that it is named after")
        if len(data) < 80 or data[-4:] != b"HFPE":
            raise Damaged(f"{name} has no trailer")
        footer_length, frame_count = struct.unpack(">II", data[-16:-8])
        header, start = data[:64], len(data) - 16 - footer_length
        if start < 64:
            raise Damaged(f"{name}: the trailer points outside")
        footer = self.open_pack_record(name, header, data[start:-16], b"HFFT")
        count, at, found, expected = struct.unpack(">I", footer[:4])[0], 4, 0, 64
        if count != frame_count:
            raise Damaged(f"{name}: footer and trailer differ")
        for _ in range(count):
            offset, length, chunk_count = struct.unpack(">III", footer[at : at + 12])
            at += 12
            listed = [(footer[each : each + 32], struct.unpack(">I", footer[each + 32 : each + 36])[0]) for each in range(at, at + 36 * chunk_count, 36)]
            at += 36 * chunk_count
            chunks, body = self.open_frame(name, header, data[offset : offset + length])
            if offset != expected or chunks != listed:
                raise Damaged(f"{name}: footer and frames differ")
            expected, position = offset + length, 0
            for identifier, size in chunks:
                if hmac_sha256(self.id_key, body[position : position + size]) != identifier:
                    raise Damaged(f"{name}: chunk {identifier.hex()} is not what its id says")
                position += size
                found += 1
        if at != len(footer) or expected != start:
            raise Damaged(f"{name}: footer and frames differ")
        return found

    # [12]

    def segments(self, content):
        if "segments" in content:
            yield from self.listed(content["segments"])
        elif "pages" in content:
            yield from self.paged(content["pages"], content.get("depth"))
        else:
            raise Damaged("a content has neither bytes nor chunks")

    def paged(self, pages, depth):
        if not isinstance(depth, int) or not 1 <= depth <= DEEPEST_LIST:
            raise Damaged("a list of chunks is nested too deep")
        for identifier, length in self.listed(pages):
            if identifier is None:
                raise Damaged("a page is a hole")
            below = list(self.listed(cbor(self.chunk(identifier))))
            if sum(each for _, each in below) != length:
                raise Damaged("a page holds another length than recorded")
            if depth == 1:
                yield from below
            else:
                yield from self.paged(below, depth - 1)

    def listed(self, segments):
        for segment in segments:
            if not isinstance(segment, list) or len(segment) != 2 or not isinstance(segment[1], int) or segment[1] < 0:
                raise Damaged("a list of chunks is malformed")
            if segment[0] is not None and (not isinstance(segment[0], bytes) or len(segment[0]) != 32):
                raise Damaged("a list of chunks is malformed")
            yield segment

    def pieces(self, content):
        """A content's bytes in order; a hole is a number."""
        if "inline" in content:
            yield content["inline"]
            return
        for offset, length in content.get("missing", []):
            self.lose(f"{content.get('path', b'the content')!r}: bytes {offset} to {offset + length - 1} are lost")
        for identifier, length in self.segments(content):
            if identifier is None:
                yield length
                continue
            plain = self.chunk(identifier)
            if len(plain) != length:
                raise Damaged(f"chunk {identifier.hex()} has another length than its list says")
            yield plain

    def lose(self, what):
        """For what a repair recorded as lost [18]."""
        if not self.allow_damaged:
            raise Damaged(f"{what}. Give --allow-damaged to get the rest")
        self.losses.append(what)

    def entries(self, snapshot):
        for first, until, _count in snapshot["root"].get("lost", []):
            self.lose(f"all from {first!r} to {'the end' if until is None else repr(until)} is lost")
        index = b"".join(piece if isinstance(piece, bytes) else bytes(piece) for piece in self.pieces(snapshot["root"]))
        previous = None
        for first, page, length, count in cbor_sequence(index):
            plain = self.chunk(page)
            entries = list(cbor_sequence(plain))
            if len(plain) != length or len(entries) != count or entries[0]["path"] != first:
                raise Damaged("a tree's page is not what the tree's index says")
            for entry in entries:
                key = sort_key(entry["path"])
                if previous is not None and key <= previous:
                    raise Damaged("a tree is out of order")
                previous = key
                yield entry


def pack_name(identifier):
    return f"packs/{identifier.hex()[:2]}/{identifier.hex()}"


def sort_key(path):
    """`/` sorts before every other byte."""
    return [-1 if byte == 0x2F else byte for byte in path]


# ---------------------------------------------------------------- restoring


class Restorer:
    """Writes a tree into a new folder. Nothing leaves it: components are checked, and parents must be folders, not links."""

    def __init__(self, repository, target):
        self.repository = repository
        self.target = os.fsencode(target)
        self.folders, self.links, self.warnings = [], {}, []
        self.count = 0

    def tree(self, snapshot):
        for entry in self.repository.entries(snapshot):
            self.entry(entry)
            self.count += 1
        for path, entry in reversed(self.folders):
            self.metadata(path, entry)

    def entry(self, entry):
        components = entry["path"].split(b"/")
        if any(each in (b"", b".", b"..") or b"\0" in each for each in components):
            raise Damaged(f"the path {entry['path']!r} cannot be restored")
        parent = self.target
        for component in components[:-1]:
            parent = os.path.join(parent, component)
            if not os.path.lexists(parent):
                os.mkdir(parent, 0o700)
            elif not stat.S_ISDIR(os.lstat(parent).st_mode):
                raise Damaged(f"{entry['path']!r} lies below something that is no folder")
        path = os.path.join(parent, components[-1])
        if entry["type"] == "directory":
            os.mkdir(path, 0o700)
            self.folders.append((path, entry))
        elif entry.get("link") in self.links:
            os.link(self.links[entry["link"]], path, follow_symlinks=False)
        elif self.make(path, entry):
            if "link" in entry:
                self.links[entry["link"]] = path
            self.metadata(path, entry)

    def make(self, path, entry):
        kind = entry["type"]
        try:
            if kind == "file":
                self.file(path, entry)
            elif kind == "symlink":
                os.symlink(entry["target"], path)
            elif kind == "fifo":
                os.mkfifo(path, 0o600)
            elif kind in ("character-device", "block-device"):
                bits = stat.S_IFCHR if kind == "character-device" else stat.S_IFBLK
                os.mknod(path, bits | 0o600, os.makedev(entry["major"], entry["minor"]))
            else:
                self.warnings.append(f"{entry['path']!r}: a {kind} is not restored")
                return False
        except PermissionError:
            self.warnings.append(f"{entry['path']!r}: not permitted to make a {kind}")
            return False
        return True

    def file(self, path, entry):
        with open(path, "xb") as file:
            length = write_content(self.repository, entry, file)
            file.truncate(length)
        if length != entry["size"]:
            raise Damaged(f"{entry['path']!r} has {length} bytes where {entry['size']} were recorded")

    def metadata(self, path, entry):
        try:
            os.chown(path, entry["uid"], entry["gid"], follow_symlinks=False)
        except PermissionError:
            self.warnings.append(f"{entry['path']!r}: not permitted to set its owner")
        if entry["type"] != "symlink":
            os.chmod(path, entry["mode"])
        for name, value in entry.get("xattrs", []):
            try:
                os.setxattr(path, name, value, follow_symlinks=False)
            except OSError as error:
                self.warnings.append(f"{entry['path']!r}: extended attribute {name!r}: {error.strerror}")
        os.utime(path, ns=(entry["mtime"], entry["mtime"]), follow_symlinks=False)


def write_content(repository, content, file):
    length = 0
    for piece in repository.pieces(content):
        if isinstance(piece, int):
            file.seek(piece, os.SEEK_CUR)
            length += piece
        else:
            file.write(piece)
            length += len(piece)
    return length


# ---------------------------------------------------------------- commands


def list_snapshots(repository, arguments):
    for snapshot in repository.snapshots():
        backup, root = snapshot["backup"], snapshot["root"]
        if arguments.json:
            print(json.dumps({"backup": backup, "root": {"kind": root["kind"], "length": root["length"]}}, ensure_ascii=False))
        else:
            print(backup["id"], backup["createdAt"], backup["contentKind"], backup["size"], backup["resourceId"], sep="  ")


def restore(repository, arguments):
    snapshot = next((each for each in repository.snapshots() if each["backup"]["id"] == arguments.snapshot), None)
    if snapshot is None:
        sys.exit(f"There is no snapshot {arguments.snapshot}.")
    target = Path(arguments.target)
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        sys.exit(f"{target} is not empty. Name an empty or a new folder.")
    repository.allow_damaged = arguments.allow_damaged
    if snapshot["root"]["kind"] == "tree":
        restorer = Restorer(repository, target)
        restorer.tree(snapshot)
        for warning in restorer.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(f"{restorer.count} entries restored to {target}")
        return tell_losses(repository)
    delta = snapshot["serviceData"].get("stored") == "delta"
    file = target / (arguments.snapshot + (".delta.json" if delta else ".content"))
    with open(file, "xb") as output:
        output.truncate(write_content(repository, snapshot["root"], output))
    if delta:
        print(f"warning: this is a delta against {snapshot['serviceData']['baseId']}", file=sys.stderr)
    elif not repository.losses:
        check_sum(snapshot, file.read_bytes())
    print(f"restored to {file}")
    return tell_losses(repository)


def tell_losses(repository):
    for loss in repository.losses:
        print(f"lost: {loss}", file=sys.stderr)
    return 4 if repository.losses else 0


def check_sum(snapshot, content):
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != snapshot["backup"]["checksum"]:
        raise Damaged(f"{snapshot['backup']['id']} has not the checksum that was recorded")


def verify(repository, _arguments):
    findings, packs, chunks = list(repository.warnings), 0, 0
    for name in repository.names("packs"):
        try:
            chunks += repository.check_pack(name)
            packs += 1
        except (Damaged, struct.error) as error:
            findings.append(str(error))
    snapshots = 0
    for snapshot in repository.snapshots():
        try:
            verify_snapshot(repository, snapshot)
            snapshots += 1
        except Damaged as error:
            findings.append(f"{snapshot['backup']['id']}: {error}")
    for finding in findings:
        print(finding, file=sys.stderr)
    print(f"{snapshots} snapshots, {packs} packs and {chunks} chunks are as they were written; {len(findings)} findings")
    return 4 if findings else 0


def verify_snapshot(repository, snapshot):
    if snapshot["root"]["kind"] == "tree":
        entries = 0
        for entry in repository.entries(snapshot):
            entries += 1
            if entry["type"] == "file":
                length = sum(piece if isinstance(piece, int) else len(piece) for piece in repository.pieces(entry))
                if length != entry["size"]:
                    raise Damaged(f"{entry['path']!r} has {length} bytes where {entry['size']} were recorded")
        if entries != snapshot["root"]["entries"]:
            raise Damaged("the tree has another number of entries than recorded")
        return
    digest, length = hashlib.sha256(), 0
    for piece in repository.pieces(snapshot["root"]):
        data = bytes(piece) if isinstance(piece, int) else piece
        digest.update(data)
        length += len(data)
    if length != snapshot["root"]["length"]:
        raise Damaged("the content has another length than recorded")
    if snapshot["serviceData"].get("stored") != "delta" and f"sha256:{digest.hexdigest()}" != snapshot["backup"]["checksum"]:
        raise Damaged("the content has not the checksum that was recorded")


def main():
    parser = argparse.ArgumentParser(description="Reads a Holdfast repository without Holdfast.")
    parser.add_argument("repository", help="the repository's folder")
    parser.add_argument("--key-file", action="append", default=[])
    parser.add_argument("--passphrase-file", action="append", default=[], help="its first line is the passphrase")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="all snapshots that count")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    restoring = commands.add_parser("restore", help="one snapshot into an empty folder")
    restoring.add_argument("snapshot")
    restoring.add_argument("--target", required=True)
    restoring.add_argument("--allow-damaged", action="store_true", help="zeros for bytes that a repair recorded as lost")
    commands.add_parser("verify", help="every pack, chunk and snapshot")
    arguments = parser.parse_args()
    if not arguments.key_file and not arguments.passphrase_file:
        parser.error("give --key-file or --passphrase-file")
    try:
        repository = Repository(arguments.repository, Credentials(arguments.key_file, arguments.passphrase_file))
        return {"list": list_snapshots, "restore": restore, "verify": verify}[arguments.command](repository, arguments) or 0
    except WrongKey as error:
        print(f"{error}", file=sys.stderr)
        return 12
    except Unsupported as error:
        print(f"{error}. Nothing is wrong with it: use a newer reader.", file=sys.stderr)
        return 1
    except Damaged as error:
        print(f"{error}", file=sys.stderr)
        return 4


if __name__ == "__main__":
    sys.exit(main())
