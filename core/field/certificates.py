"""The authority of one site's broker: it signs the broker's and every client's certificate, and takes them back.

Keys are elliptic (P-256), chains are one step long. Private keys leave this module once, towards their owner.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.kernel.errors import BadInputError

AUTHORITY_DAYS = 3650
SERVER_DAYS = 825
CLIENT_DAYS = 1825
MAX_COMMON_NAME_CHARS = 64
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate, decoded."""
        return x509.load_pem_x509_certificate(self.certificate_pem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One certificate that no longer counts."""

    serial: int
    revoked_at: datetime


def make_authority(name: str, now: datetime) -> Pair:
    """Make the certificate that signs all others.

    Args:
        name: What people see in the certificate, e.g. "Watchfloor city".
        now: Start of its validity; it ends `AUTHORITY_DAYS` later.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    usage = _usage(may_sign=True)
    certificate = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def issue_server(authority: Pair, hosts: Sequence[str], now: datetime, days: int = SERVER_DAYS) -> Pair:
    """Sign a broker's certificate.

    Args:
        authority: Of `make_authority`.
        hosts: Every name and address under which clients reach the broker.
        now: Start of its validity.
        days: Length of its validity.

    Raises:
        BadInputError: No host is named, or one cannot stand in a certificate.
    """
    if not hosts:
        raise BadInputError("A broker's certificate needs at least one host.", hint="Name it with --host.")
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    return _issue(authority, hosts[0][:MAX_COMMON_NAME_CHARS], ExtendedKeyUsageOID.SERVER_AUTH, names, now, days)


def issue_client(authority: Pair, user: str, now: datetime, days: int = CLIENT_DAYS) -> Pair:
    """Sign a client's certificate; the broker takes its common name `user` as the user name.

    Raises:
        BadInputError: The name is longer than a certificate allows.
    """
    if len(user) > MAX_COMMON_NAME_CHARS:
        raise BadInputError(
            f"The name {user!r} is longer than the {MAX_COMMON_NAME_CHARS} characters a certificate can hold.",
            hint="Shorten the device's group or name.",
        )
    names = x509.SubjectAlternativeName([x509.DNSName(user)])
    return _issue(authority, user, ExtendedKeyUsageOID.CLIENT_AUTH, names, now, days)


def revocation_list(authority: Pair, revoked: Sequence[Revoked], now: datetime) -> bytes:
    """Return the list of certificates that no longer count, PEM.

    It lasts as long as the authority: a list that ran out would lock out every client at once, at 3 a.m.
    """
    issuer = authority.certificate
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(now - _CLOCKS_DIFFER)
        .next_update(issuer.not_valid_after_utc)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
        .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
    )
    for entry in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.revoked_at).build()
        )
    signed = builder.sign(_key_of(authority), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def days_left(certificate_pem: bytes, now: datetime) -> float:
    """Return for how many days a certificate still counts; negative where it has run out."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    return (certificate.not_valid_after_utc - now).total_seconds() / 86_400.0


def ends_at(certificate_pem: bytes) -> datetime:
    """Return until when a certificate counts."""
    return x509.load_pem_x509_certificate(certificate_pem).not_valid_after_utc


def hosts_of(certificate_pem: bytes) -> tuple[str, ...]:
    """Return the hosts that a server's certificate names."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )


def _issue(
    authority: Pair,
    name: str,
    purpose: x509.ObjectIdentifier,
    names: x509.SubjectAlternativeName,
    now: datetime,
    days: int,
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    certificate = (
        _builder(_name(name), issuer.subject, key.public_key(), now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(may_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
        .sign(_key_of(authority), hashes.SHA256())
    )
    return _pair(certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, may_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=may_sign,
        crl_sign=may_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not host.isascii() or not host or any(character in host for character in " /:@#\n") or len(host) > 253:
        raise BadInputError(
            f"The host {host[:80]!r} cannot stand in a certificate.",
            hint="Use a name such as broker.example.org, or an address, without a port.",
        )
    return x509.DNSName(host)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_of(authority: Pair) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(authority.key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadInputError("The authority's key is of another kind than those made here.")
    return key


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
