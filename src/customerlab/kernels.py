"""A kernel that takes its ports itself, so that nobody can take them before it does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import secure_write
from traitlets import Bool, Float

#: Seconds between two looks whether the kernel has its ports.
_LOOK_EVERY = 0.05


class KernelNotStarted(Exception):
    """The kernel ended, or took too long, before the first cell; the text says which."""


class OwnPortsManager(AsyncKernelManager):
    """Starts a kernel that finds its own ports and writes them where it read the rest.

    Jupyter's manager chooses ports that are free, and the kernel takes them when it is ready to.
    Of two that start side by side one may find a port taken by then: it dies, or hangs.
    """

    cache_ports = Bool(False, help="Nothing is chosen here.")
    start_timeout = Float(60, config=True, help="How many seconds a kernel may need to start.")

    def write_connection_file(self, **kwargs: Any) -> None:
        """Write what the kernel has to know; a port of 0 is for it to choose."""
        # a folder that is this user's alone: the kernel makes the file anew, and it has the keys
        self._folder = TemporaryDirectory(prefix="kernel-")
        self.connection_file = str(Path(self._folder.name) / "connection.json")
        about = {**self.get_connection_info(), "kernel_name": self.kernel_name, **kwargs}
        with secure_write(self.connection_file) as file:
            json.dump(about | {"key": self.session.key.decode()}, file)
        self._connection_file_written = True

    async def _async_launch_kernel(self, kernel_cmd: list[str], **kw: Any) -> None:
        """Launch the kernel and wait until it has its ports; Jupyter leaves this to subclasses."""
        await self.provisioner.launch_kernel(kernel_cmd, **kw)
        for _ in range(round(self.start_timeout / _LOOK_EVERY)):
            if self._learn_ports():
                return
            if await self.provisioner.poll() is not None:
                raise KernelNotStarted("the kernel ended before the first cell")
            await asyncio.sleep(_LOOK_EVERY)
        await self.provisioner.kill()
        raise KernelNotStarted(f"the kernel did not start within {self.start_timeout:.0f} seconds")

    async def _async_interrupt_kernel(self) -> None:
        """Leave out what Jupyter does first to a kernel that is to stop.

        Here it has nothing left to do by then, or is killed: to be interrupted, too, it would only
        complain of.
        """

    def _learn_ports(self) -> bool:
        """Say whether the kernel has written its ports, and keep them."""
        try:
            about = json.loads(Path(self.connection_file).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):  # the kernel is just writing it
            return False
        if not about["shell_port"]:
            return False
        self.load_connection_info(about)
        return True
