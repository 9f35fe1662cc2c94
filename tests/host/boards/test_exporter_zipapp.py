"""The exporter's zipapp: its prometheus-client is the one that came with rkbench, whatever the host has."""

from __future__ import annotations

import hashlib
import io
import zipfile

from rkbench.boards.exporter.zipapp import CLIENT_WHEEL, build_exporter


def test_the_bundled_client_is_the_wheel_of_the_package_index() -> None:
    assert hashlib.sha256(CLIENT_WHEEL.read_bytes()).hexdigest() == (
        "594b45c410d6f4f8888940fe80b5cc2521b305a1fafe1c58609ef715a001f301"
    )


def test_the_exporter_holds_that_client_with_its_licence() -> None:
    with zipfile.ZipFile(io.BytesIO(build_exporter().data)) as zipapp, zipfile.ZipFile(CLIENT_WHEEL) as wheel:
        held = {name for name in zipapp.namelist() if name.startswith("prometheus_client")}
        assert {"prometheus_client/registry.py", "prometheus_client-0.21.1.dist-info/LICENSE"} <= held
        assert not [name for name in held if zipapp.read(name) != wheel.read(name)]
