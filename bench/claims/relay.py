"""A relay of TCP connections that delivers every octet a fixed time later: the distance between a POP and its centre.

One thread, in order, without a limit of bandwidth. It acknowledges for the far side, so it is honest about delay only:
cuts and losses are tests/lab's.
"""
import asyncio
import threading


class Relay:
    """Listens on 127.0.0.1 while it is open; `delay_s` (one way) may change at any time."""

    def __init__(self, target_port, delay_s=0.0):
        self.target_port = target_port
        self.delay_s = delay_s
        self.port = None
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait()

    def close(self):
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop)
        self.thread.join()

    async def _stop(self):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.loop.stop()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._accepted, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()

    async def _accepted(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            queue = asyncio.Queue()
            asyncio.ensure_future(self._read(source, queue))
            asyncio.ensure_future(self._deliver(queue, target))

    async def _read(self, source, queue):
        octets = b"more"
        while octets:
            try:
                octets = await source.read(65_536)
            except ConnectionError:
                octets = b""
            await queue.put((self.loop.time() + self.delay_s, octets))

    async def _deliver(self, queue, target):
        while True:
            due, octets = await queue.get()
            await asyncio.sleep(max(0.0, due - self.loop.time()))
            if not octets:
                return target.close()
            try:
                target.write(octets)
                await target.drain()
            except ConnectionError:
                return None
