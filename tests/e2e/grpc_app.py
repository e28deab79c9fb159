"""A gRPC app: echoes calls of every kind over plain bytes, and counts those in flight."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

instance = uuid.uuid4().hex


class Echo(grpc.GenericRpcHandler):
    def service(self, call: Any) -> Any:
        kinds = {
            "/echo/Say": grpc.unary_unary_rpc_method_handler(self.say),
            "/echo/Chat": grpc.stream_stream_rpc_method_handler(self.chat),
        }
        return kinds.get(call.method)

    async def say(self, request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("instance", instance),))
        await asyncio.sleep(float(os.environ.get("CALL_S", "0")))
        return request

    async def chat(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request


async def main() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    await server.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.create_task(server.stop(20)))
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
