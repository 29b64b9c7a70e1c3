"""What an operator may type as the address of a camera; checked while typing, without asking the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from core.cameras.address import clean_address
from core.kernel.errors import BadInputError
from core.media.model import EDGE, NETWORK_SCHEMES
from core.media.parameters import NO_SCHEME, WRITE_SCHEME, holds_bare_login
from core.media.webcam import WEBCAM, webcam_address

EXAMPLES = "rtsp://10.0.0.5/stream1, a file path, webcam:0, edge: (posted to the node) or synthetic:NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressCheck:
    """What is to be said about an address.

    Attributes:
        sentence: Empty where it can be tested.
        plain: The address without a user and a password that were typed into it.
        username, password: Taken out of the address; empty where there were none.
    """

    sentence: str = ""
    plain: str = ""
    username: str = ""
    password: str = ""

    @property
    def is_usable(self) -> bool:
        """It can be tested."""
        return not self.sentence


def check_address(text: str) -> AddressCheck:
    """Check an address and take a password out of it: addresses are shown and logged, passwords never."""
    address = text.strip()
    if not address:
        return AddressCheck(sentence=f"An address is needed: {EXAMPLES}.")
    kind, colon, rest = address.partition(":")
    webcam = webcam_address(address)
    if webcam is not None:
        return AddressCheck(plain=webcam)
    if holds_bare_login(address):
        return AddressCheck(sentence=f"{NO_SCHEME} {WRITE_SCHEME}")
    if colon and kind.lower() == WEBCAM:
        return AddressCheck(sentence="A webcam is named by its number, for example webcam:0.")
    if colon and kind.lower() == EDGE:
        return AddressCheck(plain=f"{EDGE}:")
    if colon and kind.lower() in ("synthetic", "demo"):
        return AddressCheck(plain=address) if rest else AddressCheck(sentence=f"Name the scene: {kind.lower()}:NAME.")
    if "://" in address:
        return _check_url(address)
    if colon and kind.lower() == "file":
        return AddressCheck(plain=address) if rest.strip("/") else AddressCheck(sentence="Name the file: file:PATH.")
    if colon and len(kind) > 1:
        return AddressCheck(sentence=f"{kind!r} is not a kind of source. Use {EXAMPLES}.")
    has_folder = "/" in address or "\\" in address
    if not has_folder and (not PurePath(address).suffix or address.replace(".", "").isdecimal()):
        return AddressCheck(sentence=f"This is neither an address nor a video file. Use {EXAMPLES}.")
    return AddressCheck(plain=address)


def _check_url(address: str) -> AddressCheck:
    scheme = address.partition(":")[0]
    if scheme.lower() == "file":
        path = address.removeprefix(f"{scheme}://").partition("/")[2]
        return AddressCheck(plain=address) if path.strip("/") else AddressCheck(sentence="Name the file.")
    if scheme.lower() not in NETWORK_SCHEMES:
        return AddressCheck(sentence=f"{scheme}:// is not a kind of source. Use {EXAMPLES}.")
    if any(blank in address for blank in " \t"):
        return AddressCheck(sentence="An address has no blanks; write %20 for one.")
    try:
        found = clean_address(address)
    except BadInputError as error:
        return AddressCheck(sentence=f"{error.message} {error.hint}")
    return AddressCheck(plain=found.address, username=found.username, password=found.password)
