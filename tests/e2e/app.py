"""The app of the end-to-end tests: shows what reached it, and can be slow, stream, upgrade and die."""

from __future__ import annotations

import asyncio
import os
import uuid

from aiohttp import WSMsgType, web

instance = uuid.uuid4().hex
in_flight = 0
in_flight_max = 0
go_on = asyncio.Event()


@web.middleware
async def counting(request: web.Request, handler: object) -> web.StreamResponse:
    global in_flight, in_flight_max
    in_flight += 1
    in_flight_max = max(in_flight_max, in_flight)
    try:
        return await handler(request)  # type: ignore[operator,no-any-return]
    finally:
        in_flight -= 1


async def show(request: web.Request) -> web.Response:
    if note := request.query.get("note"):
        with open(os.environ["NOTES"], "a") as notes:
            print(note, file=notes)
    await asyncio.sleep(float(request.query.get("sleep_ms", "0")) / 1000)
    # Whoever lets go is another process, and knows no pod by its address.
    while (held := request.query.get("until")) and not os.path.exists(held):
        await asyncio.sleep(0.01)
    return web.json_response(
        {
            "instance": instance,
            "pid": os.getpid(),
            "version": os.environ.get("VERSION", ""),
            "revision": os.environ.get("K_REVISION", ""),
            "service": os.environ.get("K_SERVICE", ""),
            "host": request.host,
            "path": request.path_qs,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "in_flight_max": in_flight_max,
        }
    )


async def echo(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "application/octet-stream"
    await response.prepare(request)
    async for chunk in request.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


async def size(request: web.Request) -> web.Response:
    return web.json_response({"bytes": sum([len(chunk) async for chunk in request.content.iter_any()])})


async def parts(request: web.Request) -> web.StreamResponse:
    """GET sends a first part; a POST meanwhile has it send the second."""
    if request.method == "POST":
        go_on.set()
        return web.Response()
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first")
    await go_on.wait()
    await response.write(b"second")
    return response


async def socket(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(instance if message.data == "instance" else message.data.upper())
    return ws


async def die(request: web.Request) -> web.Response:
    os._exit(137)


async def make() -> web.Application:
    await asyncio.sleep(float(os.environ.get("START_DELAY_MS", "0")) / 1000)
    app = web.Application(middlewares=[counting], client_max_size=1 << 30)
    app.router.add_route("*", "/echo", echo)
    app.router.add_get("/ws", socket)
    app.router.add_post("/size", size)
    app.router.add_route("*", "/parts", parts)
    app.router.add_post("/die", die)
    app.router.add_route("*", "/{path:.*}", show)
    return app


if __name__ == "__main__":
    print("app starts", os.environ.get("VERSION", ""), flush=True)
    web.run_app(make(), host="127.0.0.1", port=int(os.environ["PORT"]), print=None, shutdown_timeout=20)
