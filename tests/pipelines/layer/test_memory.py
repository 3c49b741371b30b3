"""A layer of gigabytes is packed in constant memory."""

import json
import subprocess
import sys

PROGRAM = """
import hashlib, json, re, sys
open("/proc/self/clear_refs", "w").write("5")  # or the peak would be that of the process that this one was forked from (proc(5))
from pipelines.core.layer.change import canonical
from pipelines.core.layer.compress import Gzip
from pipelines.core.layer.entries import Entry, Kind
from pipelines.core.layer.index import index
from pipelines.core.layer.write import heading, written

class Sparse:
    '''A tar of COUNT files of SIZE zeros, of which only the headers exist.'''
    def __init__(self):
        entry = Entry(Kind.FILE, size=SIZE)
        self.parts = [(heading(f"opt/lib/{n:05}", entry, 5), SIZE) for n in range(COUNT)] + [(bytes(1024), 0)]
        self.stride = 512 + SIZE
        self.at = 0
    def seek(self, at):
        self.at = at
        return at
    def read(self, size):
        part, offset = divmod(self.at, self.stride)
        if part >= len(self.parts):
            return b""
        head, zeros = self.parts[part]
        found = head[offset:offset + size] if offset < len(head) else bytes(min(size, len(head) + zeros - offset))
        self.at += len(found)
        return found

class Counted:
    size = 0
    def write(self, data):
        self.size += len(data)

SIZE, COUNT = 1 << 20, 640
raw = Sparse()
layers = canonical(index(raw), {f"usr/share/{n:06}": Entry(Kind.FILE, digest=bytes(32)) for n in range(100_000)}, 5)
out = Counted()
said = [written(layer, raw, Gzip(out)) for layer in layers]
rss = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(json.dumps({"size": said[0].size, "layers": len(said), "items": len(layers[0].items), "out": out.size, "mib": rss / 1024}))
"""


def test_640_mib_over_a_parent_of_a_hundred_thousand_files_take_less_than_200():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said["size"] > 640 << 20
    assert (said["layers"], said["items"]) == (1, 642)
    assert said["mib"] < 200
