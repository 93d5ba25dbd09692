"""TLS with a broker: whoever answers has to be the one that the URL names, or it hears neither password nor message.

Left to itself kombu believes any certificate of a `rediss` server, and py-amqp, of an `amqps` one, any that a known
authority has issued, for whatever name.
"""

from __future__ import annotations

from urllib.parse import urlsplit


def verified(url: str) -> tuple[str, dict[str, str] | None]:
    """The URL to use instead, and what to give Celery as `broker_use_ssl` and kombu as `ssl`.

    The authorities are those of the system, or the ones in the file that SSL_CERT_FILE names.
    """
    parts = urlsplit(url)
    if parts.scheme == "rediss" and "ssl_cert_reqs=" not in url:
        return url + ("&" if "?" in url else "?") + "ssl_cert_reqs=required", None
    if parts.scheme == "amqps":
        return url, {"server_hostname": parts.hostname or "localhost"}
    return url, None
