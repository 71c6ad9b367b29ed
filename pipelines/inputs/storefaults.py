"""What to do when a store or server does not give what was asked of it, from the words in which GDAL tells that."""

from __future__ import annotations

from typing import Final

from pipelines.inputs import reach

_ABSENT: Final = ("key does not exist", "nosuchkey", "does not exist in the file system", "code: 404", "code 404")
_NO_BUCKET: Final = ("bucket does not exist", "nosuchbucket")
_UNKNOWN: Final = (
    "not defined",
    "no valid aws credentials",
    "no credentials",
    "credentials not filled",
    "unable to locate credentials",
)
_REFUSED: Final = (
    "access denied", "accessdenied", "forbidden", "invalidaccesskeyid", "signature", "expired", "code: 403", "code 403",
    "code: 401", "code 401", "authorization", "permanentredirect", "security token", "access key id",
)  # fmt: skip
_AWAY: Final = (
    "curl error", "could not connect", "failed to connect", "resolve host", "timed out", "too slow", "timeout",
    "code: 0", "code: 5", "code 5",
)  # fmt: skip
_S3: Final = ("s3://", "/vsis3/", "/vsis3_streaming/")
_KEYS: Final = "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def advice(name: str, said: str) -> str:
    """What to do, for an input that is not on this disk; blank for one that is, or when nothing is known.

    name : as GDAL or the user calls it; said : GDAL's own words.
    """
    if not reach.is_remote(name):
        return ""
    words, s3 = said.lower(), name.startswith(_S3)
    if any(w in words for w in _NO_BUCKET):
        return "there is no such bucket at this endpoint; check its name" + (" and AWS_S3_ENDPOINT" if s3 else "")
    if any(w in words for w in _ABSENT):
        return "there is no such object in the store; check its name, and in S3 that you may read it"
    if any(w in words for w in _UNKNOWN):
        public = "for a public bucket AWS_NO_SIGN_REQUEST=YES"
        return f"give credentials: {_KEYS}; {public}" if s3 else "give the credentials of the store, as GDAL takes them"
    if any(w in words for w in _REFUSED):
        asked = f"the credentials ({_KEYS}), the region (AWS_REGION) and the endpoint (AWS_S3_ENDPOINT)"
        return f"the store refuses to give it; check {asked if s3 else 'the credentials, and that you may read it'}"
    if any(w in words for w in _AWAY):
        asked = "the endpoint (AWS_S3_ENDPOINT, AWS_HTTPS, AWS_VIRTUAL_HOSTING) and the region (AWS_REGION)"
        return f"the store cannot be reached; check the network{', ' + asked if s3 else ' and the address'}"
    return ""


def advice_on_reading(name: str, said: str) -> str:
    """The same for a raster that was opened before: of its pixels GDAL says no more than that they could not be read."""
    if known := advice(name, said):
        return known
    return (
        "see that the store can be reached and the object is still there; the same command goes on"
        if reach.is_remote(name)
        else ""
    )
