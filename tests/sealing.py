"""A bundle that a test has changed, sealed anew."""

import json

from loyalty.scoring import MANIFEST, checksums, manifest_checksum


def seal(folder):
    """Bring the checksums in a bundle's manifest, and its own, up to date."""
    manifest = folder / MANIFEST
    kept = json.loads(manifest.read_text(encoding="utf-8"))
    kept["files"] = checksums(folder)
    manifest.write_text(json.dumps(kept | {"checksum": manifest_checksum(kept)}), encoding="utf-8")
