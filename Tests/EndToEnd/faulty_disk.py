"""A disk that fails on command, by a library that is loaded into the hub: it works anywhere, without any rights."""

import errno
import pathlib
import subprocess

SOURCE = pathlib.Path(__file__).with_name("faulty_disk.c")


class FaultyDisk:
    """One hub's disk. Pass `environment` to the hub; `fail` and `heal` take effect at its next call."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self._library = directory / "faulty_disk.so"
        self._control = directory / "faulty_disk"
        self._control.write_text("")
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-o", self._library, SOURCE], check=True, capture_output=True)

    @property
    def environment(self):
        return {"LD_PRELOAD": str(self._library), "FAULTY_DISK": str(self._control)}

    def fail(self, operation, name, after=0):
        """From now on `operation` (read, write, sync) fails with the error of this name, but for the first `after`."""
        self._set(f"{operation} {getattr(errno, name)} {after}")

    def hang(self, operation):
        """From now on `operation` does not return, until something else is set."""
        self._set(f"{operation} 0 0")

    def heal(self):
        self._set("")

    def _set(self, line):
        # A whole line or none: the hub reads it at any moment.
        draft = self._control.with_suffix(".new")
        draft.write_text(line)
        draft.replace(self._control)
