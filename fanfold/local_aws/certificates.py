"""The TLS of the local AWS: an authority and a server certificate, made anew whenever it is started."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY = "authority.pem"

VALID = dt.timedelta(days=800)
"""Longer than a local AWS is up. Apple's systems take no server certificate of more than 825 days."""


class Certificates:
    """A certificate authority of one local AWS, and the server certificate that it signed for loopback, as
    files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.certificate, self.key = (
            folder / name for name in (AUTHORITY, "server.pem", "server.key")
        )
        authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fanfold local AWS authority")])
        server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fanfold local AWS")])
        now = dt.datetime.now(dt.UTC)

        def builder(
            name: x509.Name, key: ec.EllipticCurvePrivateKey, is_authority: bool
        ) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .subject_name(name)
                .issuer_name(authority_name)
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - dt.timedelta(hours=1))
                .not_valid_after(now + VALID)
                .add_extension(x509.BasicConstraints(is_authority, path_length=None), critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
                    critical=False,
                )
            )

        authority = builder(authority_name, authority_key, True).add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        loopback = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        server = builder(server_name, server_key, False).add_extension(
            x509.SubjectAlternativeName(loopback), critical=False
        )
        pem = serialization.Encoding.PEM
        self.authority.write_bytes(authority.sign(authority_key, hashes.SHA256()).public_bytes(pem))
        self.certificate.write_bytes(server.sign(authority_key, hashes.SHA256()).public_bytes(pem))
        self.key.touch(mode=0o600)
        self.key.write_bytes(
            server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
