"""Which addresses may be fetched from: http and https, and no machine that the world can't reach anyway.

A list of addresses is foreign text. Left alone it could make this machine ask its own printer, router or cloud for
things; so every URL, every redirect and every address that a name stands for is looked at before anything is sent.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urljoin, urlsplit  # splits texts; nothing is opened here

from sleevenotes.errors import CoverError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_BEGINS = re.compile(r"https?://", re.IGNORECASE)
_AUTHORITY = re.compile(r"(https?://)([^/?#]*)(.*)", re.IGNORECASE)
_RAW = "surrogateescape"  # bytes of a redirect that are no UTF-8 are sent as they came
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"http": 80, "https": 443}


class Forbidden(CoverError):
    """An address that is not fetched from, whoever names it."""


def is_url(text: str) -> bool:
    """Return whether a cell is meant as the address of a cover.

    Examples
    --------
    >>> is_url("https://example.org/a.jpg"), is_url("rock/a.jpg")
    (True, False)
    """
    return _BEGINS.match(text) is not None


def is_foreign(text: str) -> bool:
    """Return whether a cell is an address of another kind, such as `ftp://…` or `file://…`."""
    return _SCHEME.match(text) is not None and not is_url(text)


def checked(url: str, *, allow_private: bool = False) -> str:
    """Return a URL as it is asked for, if it may be fetched as far as its text tells.

    It stays letter by letter as it is, without its fragment. Only spaces and letters outside ASCII, which no request
    can hold, are percent-encoded, and a host's name is written in ASCII.

    Raises
    ------
    Forbidden
        If it is not http or https, has no host, holds a password, or names a private address literally.

    Examples
    --------
    >>> checked("https://example.org/signed/a%27b.jpg?key=c%2Fd#top")
    'https://example.org/signed/a%27b.jpg?key=c%2Fd'
    >>> checked("https://bücher.example/große Namen.jpg")
    'https://xn--bcher-kva.example/gro%C3%9Fe%20Namen.jpg'
    >>> checked("file:///etc/passwd")
    Traceback (most recent call last):
    sleevenotes.collect.addresses.Forbidden: file:///etc/passwd: leads to 'file'. Only http and https are followed.
    """
    expected = "an address such as https://example.org/cover.jpg"
    if any(sign != " " and (sign.isspace() or ord(sign) < 32 or ord(sign) == 127) for sign in url):
        raise Forbidden(url, "no address, as it holds a line break, a tab or the like", expected)
    try:
        sent = _in_ascii(url.partition("#")[0])
        parts = urlsplit(sent)
        host, _ = parts.hostname, parts.port
    except ValueError as cause:
        raise Forbidden(url, f"no address ({cause})", expected) from cause
    if parts.scheme.lower() not in PORTS:
        raise Forbidden(url, f"leads to '{parts.scheme or url[:20]}'", "Only http and https are followed")
    if not host:
        raise Forbidden(url, "no address", expected)
    if parts.username is not None or parts.password is not None:
        raise Forbidden(url, "holds a name or password", cure="Leave it out: it would stand in the dataset")
    try:
        literal = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # a name: whoever resolves it looks at what it stands for
        return sent
    refuse(url, literal, allow_private=allow_private)
    return sent


def _in_ascii(url: str) -> str:
    """Return a URL in ASCII: its host by IDNA, spaces and other letters percent-encoded, and nothing else changed."""
    found = _AUTHORITY.match(url)
    if found is None:
        return url
    begin, host, rest = found.groups()
    if " " in host or "\\" in host:
        raise ValueError("a space or a backslash in the name of its host")
    if not host.isascii():
        name, colon, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
        host = name.encode("idna").decode("ascii") + colon + port
    quoted = (
        sign if sign.isascii() and sign != " " else "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", _RAW))
        for sign in rest
    )
    return begin + host + "".join(quoted)


def refuse(where: str, address: IPAddress, *, allow_private: bool) -> None:
    """Raise `Forbidden` where an address is not one of the public net."""
    kind = "" if allow_private else not_public(address)
    if kind:
        cure = "For a server of your own, add `--allow-private`"
        raise Forbidden(where, f"leads to {address}, which is {kind}", "a public address", cure)


def not_public(address: IPAddress) -> str:
    """Return what keeps an address from being public, or an empty string.

    IPv6 addresses that carry an IPv4 address (mapped, 6to4, Teredo, NAT64) are judged by that one.

    Examples
    --------
    >>> kinds = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "224.0.0.1", "0.0.0.0", "8.8.8.8", "2002:7f00:1::"]
    >>> [not_public(ipaddress.ip_address(text)) for text in kinds]
    ['loopback', 'private', 'link-local', 'multicast', 'unspecified', '', 'loopback']
    """
    carried: list[IPAddress | None] = []
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo[1] if address.teredo else None
        nat64 = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        carried = [address.ipv4_mapped, address.sixtofour, teredo, nat64]
    inner = next((each for each in carried if each is not None), None)
    if inner is not None:
        return not_public(inner)
    for kind in ("unspecified", "loopback", "link_local", "multicast"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-")
    if address.is_private:
        return "private"
    if address.is_reserved or not address.is_global:
        return "reserved"
    return "site-local" if getattr(address, "is_site_local", False) else ""


def host_of(url: str) -> str:
    """Return scheme, host and port, which is what robots.txt and limits go by.

    Examples
    --------
    >>> host_of("HTTPS://Example.org/a.jpg"), host_of("http://[2001:db8::1]:8080/")
    ('https://example.org:443', 'http://[2001:db8::1]:8080')
    """
    parts = urlsplit(url)
    scheme, name = parts.scheme.lower(), parts.hostname or ""
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{parts.port or PORTS.get(scheme, 0)}"


def path_of(url: str) -> str:
    """Return path and query, which is what the rules of robots.txt are about.

    Examples
    --------
    >>> path_of("https://example.org/a/b.jpg?size=300")
    '/a/b.jpg?size=300'
    """
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def name_in(url: str) -> str:
    """Return the last part of a URL's path, by which its cover can be called.

    Examples
    --------
    >>> name_in("https://example.org/covers/abba.jpg?size=300"), name_in("https://example.org/")
    ('abba.jpg', 'example.org')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return "cover"
    return parts.path.rstrip("/").rpartition("/")[2] or parts.netloc or "cover"


def joined(url: str, target: str) -> str:
    """Return where a redirect leads; a whole URL stays as it is, letter by letter.

    Raises
    ------
    Forbidden
        If that is no address.

    Examples
    --------
    >>> joined("https://example.org/a/b", "c%2Fd"), joined("https://example.org/a", "http://other.example/%7Ee/./f")
    ('https://example.org/a/c%2Fd', 'http://other.example/%7Ee/./f')
    """
    if _BEGINS.match(target):
        return target
    try:
        return urljoin(url, target)
    except ValueError as cause:
        raise Forbidden(url, f"leads to '{target[:80]}', which is no address ({cause})") from cause
