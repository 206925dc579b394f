"""Where a webhook may be sent: https, and public addresses alone, so that nobody reaches our own network through us.

The wall is `open_public`: aiohttp calls it with the very address that it is about to connect to, whatever the URL said
and the name resolved to. What `refusal` says of a URL is for the user's sake, before anything is sent.
"""

import ipaddress
import socket
from typing import Any

import aiohttp
from voicera import Settings
from yarl import URL

from voicera_webhooks.settings import WebhooksSettings

NOT_PUBLIC = "not a public address"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# The registries of special addresses (IANA; RFC 6890), whatever this version of Python knows of them.
NOT_PUBLIC_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; some clouds keep their metadata here
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's own server, seen from its machines only
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # all that IANA has given out for hosts: the rest is refused
NOT_PUBLIC_V6 = [
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, which carries an IPv4 address, and other protocols' own
        "2001:db8::/32",
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",
    )
]
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address


class NotPublic(OSError):
    """A connection to an address that is not public was refused."""

    def __init__(self) -> None:
        super().__init__(NOT_PUBLIC)


def is_public(text: str) -> bool:
    """True for the address of a host on the public internet; one that carries an IPv4 address is judged by that."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in NAT64:
            address = ipaddress.IPv4Address(address.packed[-4:])
        else:
            return address in GLOBAL_V6 and not any(address in network for network in NOT_PUBLIC_V6)
    return not any(address in network for network in NOT_PUBLIC_V4)


def open_public(where: Any) -> socket.socket:
    """Make the socket for a connection; raises NotPublic for an address that must not be reached."""
    family, kind, protocol, _, address = where
    if family not in (socket.AF_INET, socket.AF_INET6) or not is_public(str(address[0])):
        raise NotPublic
    return socket.socket(family, kind, protocol)


def connector(settings: Settings) -> aiohttp.TCPConnector:
    """What opens the connections of all deliveries."""
    ours = settings.of(WebhooksSettings)
    return aiohttp.TCPConnector(
        socket_factory=None if ours.webhooks_allow_private else open_public, limit=ours.webhooks_at_once
    )


def refusal(text: str, settings: Settings) -> str | None:
    """Say why a URL cannot be a webhook's, None if it can.

    It is read by the parser that will send to it, so that the two never take it differently.
    """
    ours = settings.of(WebhooksSettings)
    try:
        url = URL(text)
        host, port = url.host, url.port
    except ValueError:
        return "is not a URL"
    if url.scheme != "https" and not (ours.webhooks_allow_http and url.scheme == "http"):
        return "must begin with https://"
    if not host or url.user is not None or url.password is not None or "\\" in text:
        return "must name a host, without a user or password"
    if port not in (80, 443) and not 1024 <= (port or 0) <= 65535:
        return "must have the port 443 or one above 1023"
    if not ours.webhooks_allow_private and not _may_be_public(host):
        return f"must be a public address; {host} is {NOT_PUBLIC}"
    return None


def _may_be_public(host: str) -> bool:
    """False for an address that is not public, and for the names of this machine; other names only DNS can tell."""
    try:
        return is_public(host)
    except ValueError:
        name = host.rstrip(".").lower()
        return name != "localhost" and not name.endswith((".localhost", ".local", ".internal"))
