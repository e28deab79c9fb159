"""An API server as a process of its own, for tests: `python serving.py FOLDER [PORT]`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
import yaml

from swell.api.crds import definitions
from swell.api.meta import Obj, rfc3339
from swell.local.admission import Admission
from swell.local.apiserver.failures import bad_request
from swell.local.apiserver.http import serve_https
from swell.local.apiserver.kubeconfig import write_kubeconfig
from swell.local.apiserver.podlogs import LogOptions
from swell.local.apiserver.server import ApiServer, bootstrap
from swell.local.apiserver.store import open_store

WIDGETS = Path(__file__).with_name("widgets.yaml")


class Logs:
    """Three old lines and one new per container; a follower gets two more, a tenth of a second apart."""

    async def read(self, pod: Obj, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        if options.previous:
            raise bad_request(
                f'previous terminated container "{container}" in pod "{pod["metadata"]["name"]}" not found'
            )
        lines = [(float(at), f"{container} {at}") for at in (1, 2, 3)] + [(4e9, f"{container} now")]
        if options.since_s is not None:
            lines = [line for line in lines if line[0] >= options.since_s]
        if options.tail_lines is not None:
            lines = lines[len(lines) - options.tail_lines :] if options.tail_lines else []
        for at, text in lines:
            stamp = f"{rfc3339(at)} " if options.timestamps else ""
            yield f"{stamp}{text}\n".encode()
        if options.follow:
            for text in ("later", "last"):
                await asyncio.sleep(0.1)
                yield f"{container} {text}\n".encode()


async def main(folder: Path, port: int) -> None:
    server = ApiServer(open_store(folder / "cluster.db"), admit=Admission())
    bootstrap(server, [yaml.safe_load(WIDGETS.read_text()), *definitions()], ["default"])
    https = await serve_https(server, host="127.0.0.1", port=port, pki=folder / "pki", logs=Logs())
    write_kubeconfig(folder / "kubeconfig", server=https.url, pki=folder / "pki")
    print(https.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
