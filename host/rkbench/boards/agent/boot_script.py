"""The short script that fetches the agent and runs it, on a board that has nothing but Python.

It travels as an argument of the first command, and speaks lines that start with `rkbench-boot`: `need`
(send me the zipapp) or `error KIND TEXT`.

    CACHE/agents/<sha256>.pyz              the zipapp, as it was sent
    CACHE/agents/<sha256>.<cpython-311>.zip  its modules, compiled by the Python of that name

Python compiles the modules of a zip anew in every process, which takes longer than the rest of a start on
a board; hence the second file. Its first line is the digest of the rest. Both are read and verified at each
start: what a power cut or a rotten disk has damaged is fetched or compiled again, and what another user
can have written is never run.
"""

from __future__ import annotations

from rkbench_agent.wire.words import BOOT_MARK, SILENCE_LIMIT_S

#: Valid for Python 2.7 too, which has to answer that it is too old. No single quotes: it is shell-quoted.
BOOT = r"""
import sys
sys.path[:] = [entry for entry in sys.path if entry]
def fail(kind, text):
    sys.stdout.write("MARKerror %s %s\n" % (kind, text))
    sys.stdout.flush()
    sys.exit(3)
if sys.version_info < (3, 8):
    fail("python_too_old", "%s is Python %d.%d" % ((sys.executable,) + tuple(sys.version_info[:2])))
import errno, hashlib, os, runpy, select, stat, zlib
digest, size = sys.argv[1], int(sys.argv[2])
cache = os.path.realpath(os.path.expanduser(sys.argv[3]))
agents = os.path.join(cache, "agents")
path = os.path.join(agents, digest + ".pyz")
compiled = os.path.join(agents, "%s.%s.zip" % (digest, sys.implementation.cache_tag))
limit_s = float(os.environ.get("RKBENCH_SILENCE_LIMIT_S") or SILENCE)
os.umask(os.umask(0o077) | 0o022)
trusted = {0, os.geteuid()}
if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdigit():
    trusted.add(int(os.environ["SUDO_UID"]))
def strangers(found):
    by_group = found.st_mode & stat.S_IWGRP and found.st_gid not in trusted
    return found.st_uid not in trusted or found.st_mode & stat.S_IWOTH or by_group
def refuse_strangers():
    place = cache
    while place != os.path.dirname(place):
        place = os.path.dirname(place)
        if os.path.exists(place) and os.stat(place).st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            fail("unsafe", place + " can be written by anybody")
    rooms = ("agents", "objects", "incoming", "exporter")
    for place in [cache] + [os.path.join(cache, name) for name in rooms]:
        if os.path.lexists(place):
            found = os.lstat(place)
            if not stat.S_ISDIR(found.st_mode):
                fail("unsafe", place + " is no folder")
            if found.st_uid not in trusted:
                fail("unsafe", "%s belongs to another user (%d)" % (place, found.st_uid))
            if strangers(found):
                fail("unsafe", place + " can be written by other users")
def read(place):
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or strangers(found):
            raise OSError(errno.EPERM, "not a file of this user alone")
        if found.st_size > 1 << 24:
            raise OSError(errno.EFBIG, "larger than any agent")
        return stream.read()
def write(place, data):
    partial = "%s.%d" % (place, os.getpid())
    try:
        if os.path.lexists(partial):
            os.unlink(partial)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(descriptor)
        os.rename(partial, place)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
def sha256(data):
    return hashlib.sha256(data).hexdigest()
def is_intact():
    try:
        return sha256(read(path)) == digest
    except OSError:
        return False
def fetch():
    if not os.access(agents, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    sys.stdout.write("MARKneed\n")
    sys.stdout.flush()
    data = b""
    while len(data) < size:
        if not select.select([0], [], [], limit_s)[0]:
            fail("stalled", "the agent did not arrive: nothing came for %g s" % limit_s)
        chunk = os.read(0, size - len(data))
        if not chunk:
            fail("cut", "the agent did not arrive")
        data += chunk
    try:
        data = zlib.decompress(data)
    except zlib.error:
        fail("damaged", "the agent arrived damaged")
    if sha256(data) != digest:
        fail("damaged", "the agent arrived damaged")
    write(path, data)
def is_compiled():
    try:
        head, _, rest = read(compiled).partition(b"\n")
        return sha256(rest).encode() == head
    except OSError:
        return False
def build():
    import importlib.util, io, marshal, zipfile
    header = importlib.util.MAGIC_NUMBER + b"\1" + bytes(11)
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as sources, zipfile.ZipFile(packed, "w") as target:
        for name in sources.namelist():
            code = compile(sources.read(name), path + "/" + name, "exec", 0, True)
            target.writestr(zipfile.ZipInfo(name + "c"), header + marshal.dumps(code))
    data = packed.getvalue()
    write(compiled, sha256(data).encode() + b"\n" + data)
try:
    refuse_strangers()
    os.makedirs(agents, 0o700, exist_ok=True)
    refuse_strangers()
    if not is_intact():
        fetch()
except OSError as error:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    fail("no_space" if full else "read_only", "%s: %s" % (cache, error.strerror))
try:
    if not is_compiled():
        build()
    os.utime(path)
    place = compiled
except (OSError, SyntaxError, ValueError):
    place = compiled if is_compiled() else path
sys.argv[:] = [place] + sys.argv[4:]
runpy.run_path(place, run_name="__main__")
""".replace("MARK", BOOT_MARK).replace("or SILENCE", f"or {SILENCE_LIMIT_S}")
