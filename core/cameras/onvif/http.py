"""One HTTP request to a camera: everything it may do to us is bounded by one deadline and one size."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import io
import re
import secrets
import ssl
from dataclasses import dataclass
from email.message import Message
from urllib.parse import SplitResult, urlsplit
from urllib.request import parse_http_list, parse_keqv_list

from core.kernel.errors import BadInputError, UnavailableError

MAX_HEAD_BYTES = 32 * 1024
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    content: bytes


def http_parts(address: str) -> SplitResult:
    """Take an HTTP address apart.

    Raises:
        BadInputError: It is none, or holds a user.
    """
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or "@" in parts.netloc or not address.isprintable() or " " in address:
        raise BadInputError("This is no ONVIF address.", hint="Write http://HOST/onvif/device_service, without a user.")
    return parts


def target_of(parts: SplitResult) -> str:
    """Return what stands behind the host."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def post(parts: SplitResult, content: bytes, headers: dict[str, str], *, timeout_s: float) -> Answer:
    """Send one request and return the answer, whole.

    Raises:
        UnavailableError: Nobody answers, or not in time.
        BadInputError: What answers is no HTTP, too large, or shows a certificate that is not trusted.
    """
    host = parts.netloc
    try:
        async with asyncio.timeout(timeout_s):
            return await _post(parts, content, headers)
    except ssl.SSLCertVerificationError as error:
        raise BadInputError(
            f"{host} shows a certificate that this machine does not trust.",
            hint="Use http:// (the password is not sent in clear), or install the camera's certificate.",
        ) from error
    except TimeoutError as error:
        raise UnavailableError(
            f"{host} did not answer within {timeout_s:g} s.", hint="Check power, cable and address."
        ) from error
    except asyncio.IncompleteReadError as error:
        raise UnavailableError(f"{host} hung up in the middle of its answer.", hint="Try again.") from error
    except (http.client.HTTPException, ValueError) as error:
        raise BadInputError(
            f"{host} answers with something that is no HTTP.", hint="Check the port of the address."
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"{host} cannot be reached ({error.strerror or type(error).__name__}).",
            hint="Check power, cable and address, and that ONVIF is switched on.",
        ) from error


async def _post(parts: SplitResult, content: bytes, headers: dict[str, str]) -> Answer:
    assert parts.hostname is not None
    is_secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or (443 if is_secure else 80),
        ssl=ssl.create_default_context() if is_secure else None,
        limit=MAX_HEAD_BYTES,
    )
    try:
        lines = [f"POST {target_of(parts)} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(content)}", "", ""]
        writer.write("\r\n".join(lines).encode() + content)
        with contextlib.suppress(ConnectionError):
            # A camera that refuses may hang up before it has read everything; what it says is still there.
            await writer.drain()
        return await _read_answer(reader)
    finally:
        writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as error:
            raise http.client.HTTPException("the head is too large") from error
        first, _, rest = head.partition(b"\r\n")
        match = re.match(rb"HTTP/1\.[01] (\d{3})", first)
        if match is None:
            raise http.client.HTTPException("no status")
        status = int(match[1])
        if status >= 200:
            break
    headers = http.client.parse_headers(io.BytesIO(rest))
    if status == 204:
        return Answer(status=status, headers=headers, content=b"")
    return Answer(status=status, headers=headers, content=await _read_content(reader, headers))


async def _read_content(reader: asyncio.StreamReader, headers: Message) -> bytes:
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        return await _read_chunks(reader)
    length = headers.get("Content-Length")
    if length is not None:
        if int(length) > MAX_BYTES:
            raise http.client.HTTPException("too large")
        return await reader.readexactly(int(length))
    content = await reader.read(MAX_BYTES + 1)
    while chunk := await reader.read(MAX_BYTES + 1 - len(content)):
        content += chunk
    if len(content) > MAX_BYTES:
        raise http.client.HTTPException("too large")
    return content


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while True:
        line = await reader.readuntil(b"\n")
        size = int(line.partition(b";")[0], 16)
        if size < 0 or len(found) + size > MAX_BYTES:
            raise http.client.HTTPException("too large")
        if size == 0:
            return bytes(found)
        found += await reader.readexactly(size)
        await reader.readexactly(2)


def best_challenge(headers: Message) -> dict[str, str] | None:
    """Return the strongest digest challenge we can answer, names in lower case.

    Basic is never answered: it would send the password itself.
    """
    found = []
    for header in headers.get_all("WWW-Authenticate") or []:
        # Some cameras put several challenges into one header.
        for text in re.findall(r"Digest\s+((?:[\w-]+=(?:\"[^\"]*\"|[^\s,]+)(?:,\s*)?)+)", header, re.IGNORECASE):
            try:
                challenge = {key.lower(): value for key, value in parse_keqv_list(parse_http_list(text)).items()}
            except ValueError:
                continue
            if challenge.get("algorithm", "MD5").upper().removesuffix("-SESS") in ("MD5", "SHA-256"):
                found.append(challenge)
    return max(found, key=lambda one: one.get("algorithm", "MD5").upper().startswith("SHA"), default=None)


def digest_answer(
    challenge: dict[str, str], username: str, password: str, *, target: str, n_uses: int, method: str = "POST"
) -> str:
    """Return the `Authorization` header for a digest challenge; `n_uses` counts the uses of its nonce from 1.

    Source: RFC 7616; MD5 and SHA-256, without qop or with qop=auth.
    """
    algorithm = challenge.get("algorithm", "MD5")
    make = hashlib.sha256 if algorithm.upper().startswith("SHA-256") else hashlib.md5

    def hashed(text: str) -> str:
        return make(text.encode()).hexdigest()

    realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")
    cnonce, count = secrets.token_hex(8), f"{n_uses:08x}"
    secret = hashed(f"{username}:{realm}:{password}")
    if algorithm.lower().endswith("-sess"):
        secret = hashed(f"{secret}:{nonce}:{cnonce}")
    asked = hashed(f"{method}:{target}")
    parts = {"username": username, "realm": realm, "nonce": nonce, "uri": target}
    if "qop" in challenge:
        parts["response"] = hashed(f"{secret}:{nonce}:{count}:{cnonce}:auth:{asked}")
        parts["cnonce"] = cnonce
    else:
        parts["response"] = hashed(f"{secret}:{nonce}:{asked}")
    if "opaque" in challenge:
        parts["opaque"] = challenge["opaque"]
    quoted = [f'{name}="{_quotable(value)}"' for name, value in parts.items()]
    plain = [f"algorithm={algorithm}"] if "algorithm" in challenge else []
    if "qop" in challenge:
        plain += ["qop=auth", f"nc={count}"]
    return "Digest " + ", ".join([*quoted, *plain])


def _quotable(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "")
