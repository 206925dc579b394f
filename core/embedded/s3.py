"""One signed S3 request, as bytes: enough to make a bucket and to prove that it can be used.

An S3 client library would cost the supervisor as much memory as everything else in it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

SIGNED_HEADERS = "host;x-amz-content-sha256;x-amz-date"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs requests to which host (`address:port`) and region."""

    host: str
    access_key_id: str
    secret_access_key: str
    region: str = "us-east-1"

    def request(self, method: str, path: str, body: bytes = b"", now: datetime | None = None) -> bytes:
        """Return the whole HTTP request, signed with AWS Signature Version 4; `path` is not yet percent-encoded."""
        path = quote(path, safe="/-_.~")
        time = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = f"host:{self.host}\nx-amz-content-sha256:{digest}\nx-amz-date:{time}\n"
        canonical = f"{method}\n{path}\n\n{headers}\n{SIGNED_HEADERS}\n{digest}"
        scope = f"{time[:8]}/{self.region}/s3/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret_access_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"x-amz-content-sha256: {digest}\r\nx-amz-date: {time}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={self.access_key_id}/{scope}, "
            f"SignedHeaders={SIGNED_HEADERS}, Signature={signature}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode() + body


def status(answer: bytes) -> int:
    """Return the status of an HTTP answer, 0 if it is none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
