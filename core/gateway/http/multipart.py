"""The picture in a form: `multipart/form-data` with one file, as browsers and curl send it (RFC 7578, RFC 2046)."""

from __future__ import annotations

from email.message import Message

from core.kernel.errors import BadInputError

KIND = "multipart/form-data"
MAX_PARTS = 16
_WAY_OUT = "Post the JPEG itself with Content-Type: image/jpeg, or a form with one file."


def picture_of(body: bytes, content_type: str) -> bytes:
    """Return the JPEG of a body: the body itself, or the first file of a form.

    Raises:
        BadInputError: The form cannot be read, or holds no picture.
    """
    header = Message()
    header["content-type"] = content_type or "image/jpeg"
    if header.get_content_type() != KIND:
        return body
    boundary = header.get_boundary()
    if not boundary or len(boundary) > 70 or not boundary.isascii():
        raise BadInputError("The form does not say where its parts begin.", hint=_WAY_OUT)
    mark = b"--" + boundary.encode("ascii")
    parts = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise BadInputError("The form is cut off: its last part does not end.", hint=_WAY_OUT)
    if len(parts) > MAX_PARTS + 2:
        raise BadInputError(f"The form has more than {MAX_PARTS} parts.", hint=_WAY_OUT)
    for part in parts[1:-1]:
        head, found, content = part.partition(b"\r\n\r\n")
        if found and (b"filename=" in head.lower() or content.startswith(b"\xff\xd8\xff")):
            return content
    raise BadInputError("The form holds no picture.", hint=_WAY_OUT)
