"""Which passwords and names are allowed, and how passwords are hashed."""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.kernel.errors import BadInputError

MIN_LENGTH = 10
MAX_LENGTH = 256
MAX_NAME_LENGTH = 64
MIN_DIFFERENT = 4

# The commonest passwords of ten characters and more, and what people type when a control room asks for one.
_COMMON_TEXT = """
1234567890 12345678910 0123456789 0987654321 123456789a a123456789 qwertyuiop qwertzuiop azertyuiop
qwerty1234 qwerty12345 qwerty123456 1q2w3e4r5t 1qaz2wsx3edc 1qaz2wsx3e q1w2e3r4t5 zaq12wsxcde3 abcdefghij
abcd1234567 password12 password123 password1234 password12345 passwort123 passw0rd123 p@ssw0rd12 p@ssword123
letmein123 letmein1234 welcome123 welcome1234 iloveyou12 iloveyou123 changeme123 changemenow administrator
administrator1 admin12345 admin123456 adminadmin supervisor supervisor1 operator12 operator123 watchfloor
watchfloor1 watchfloor123 controlroom controlroom1 superman123 football123 baseball123 sunshine123
princess123 monkey12345 dragon12345 secret12345 default123 test123456 testtest12 testtesttest rootroot123
michael1234 trustno1trustno1
"""
COMMON = frozenset(_COMMON_TEXT.split())


def name_key(name: str) -> str:
    """Return the form in which two names are the same person: width and case do not matter."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def check_name(name: str) -> str:
    """Return the name as it is kept.

    Raises:
        BadInputError: Empty, too long or with characters that cannot be seen.
    """
    cleaned = unicodedata.normalize("NFKC", name).strip()
    if not cleaned or len(cleaned) > MAX_NAME_LENGTH or not cleaned.isprintable():
        raise BadInputError(
            "This user name cannot be used.", hint=f"Use 1 to {MAX_NAME_LENGTH} letters, digits and signs."
        )
    if name_key(cleaned) == "system":
        raise BadInputError('The name "system" belongs to the program itself.', hint="Choose another name.")
    return cleaned


def check_password(password: str, *, name: str) -> None:
    """Refuse what is guessed first.

    Raises:
        BadInputError: With the rule that was broken.
    """
    plain = normalized(password).casefold()
    if len(plain) < MIN_LENGTH:
        raise BadInputError(
            f"The password is too short: it has {len(plain)} characters.", hint=f"Use at least {MIN_LENGTH}."
        )
    if len(plain) > MAX_LENGTH:
        raise BadInputError("The password is too long.", hint=f"Use at most {MAX_LENGTH} characters.")
    key = name_key(name)
    if plain == key or (len(key) >= MIN_DIFFERENT and key in plain and len(plain) - len(key) < MIN_DIFFERENT):
        raise BadInputError("The password is almost the user name.", hint="Choose one that others cannot guess.")
    if plain in COMMON or len(set(plain)) < MIN_DIFFERENT:
        raise BadInputError(
            "This password is one of those that are tried first.", hint="Choose three or four words of your own."
        )


def normalized(password: str) -> str:
    """Return one form for what looks the same on every keyboard (RFC 8265, OpaqueString: NFC)."""
    return unicodedata.normalize("NFC", password)


def hash_password(hasher: PasswordHasher, password: str) -> str:
    """Return the Argon2id hash; takes tens of milliseconds and 64 MiB, so call it off the loop."""
    return hasher.hash(normalized(password))


def is_password(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
    """Tell whether the password is the hashed one; takes as long as `hash_password`."""
    try:
        return hasher.verify(password_hash, normalized(password)[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
