"""What a hub's loops ask of their C library, counted by a library that is loaded into it: exact, without any rights."""

import collections
import mmap
import pathlib
import struct
import subprocess

SOURCE = pathlib.Path(__file__).with_name("call_counter.c")
# In the order of call_counter.c.
NAMES = ("allocations", "frees", "sends", "receives", "waits", "controls", "reads", "writes", "rings")

Calls = collections.namedtuple("Calls", NAMES)


class CallCounter:
    """One hub's calls. Pass `environment` to the hub; the counts may be read at any moment."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self._library = directory / "call_counter.so"
        self._counts = directory / "call_counts"
        self._counts.write_bytes(bytes(8 * len(NAMES)))
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-o", self._library, SOURCE], check=True, capture_output=True)
        with open(self._counts, "rb") as file:
            self._area = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)

    @property
    def environment(self):
        return {"LD_PRELOAD": str(self._library), "CALL_COUNTS": str(self._counts)}

    @property
    def calls(self):
        """So far."""
        return Calls(*struct.unpack(f"={len(NAMES)}Q", self._area))
