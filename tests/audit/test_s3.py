"""An export in a bucket is read as one on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.audit.runs import found, run, two_patients, write_ndjson
from tests.conftest import missing


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        missing("needs moto[server]")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("exports")
    yield "s3://exports"
    server.stop()


def test_an_export_in_a_bucket_gives_the_same_findings(bucket: str, tmp_path: Path) -> None:
    local = write_ndjson(tmp_path / "in", two_patients())
    packed = write_ndjson(tmp_path / "packed", two_patients(), compress=True)
    fs = fsspec.filesystem("s3")
    fs.put(str(local / "Patient.ndjson"), "exports/march/Patient.ndjson")
    for file in packed.iterdir():
        if not file.name.startswith("Patient"):
            fs.put(str(file), f"exports/march/{file.name}")
    run(f"{bucket}/march", tmp_path / "out")
    assert found(tmp_path / "out") == {"anna": ["A-02"], "bela": []}
