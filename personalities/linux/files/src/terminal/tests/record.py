"""Notes how Linux's terminals behave, for observed.rs: python3 record.py SEED COUNT > observed.txt

Each row: c_iflag, c_oflag, c_lflag, VMIN, the keys typed (hexadecimal), the echo ("-" for none), and the results of reads of 64
bytes ("eof" for an empty one, "again" where a read would wait). Run it on a quiet machine: the echo is read after 10 ms.
"""

import fcntl
import os
import pty
import random
import sys
import termios as t
import time

IUCLC, OLCUC, IUTF8 = 0o1000, 0o2, 0o40000
INPUT = [t.ICRNL, t.INLCR, t.IGNCR, t.ISTRIP, t.IXON, t.IXANY, t.IMAXBEL, t.PARMRK, IUTF8, IUCLC]
OUTPUT = [t.OPOST, t.ONLCR, t.OCRNL, t.ONOCR, t.ONLRET, t.TAB3, OLCUC]
LOCAL = [t.ECHO, t.ECHOE, t.ECHOK, t.ECHOKE, t.ECHOCTL, t.ECHOPRT, t.ECHONL, t.IEXTEN, t.NOFLSH]
KEYS = b"ab c_.,1\t\n\r\x7f\x7f\x15\x17\x04\x16\x12\x01\x1b\x19\xc3\xa9\xe2\x82\xac\x08\xff\x00X"


def read(descriptor, most):
    try:
        return os.read(descriptor, most)
    except BlockingIOError:
        return None


def observe(input_flags, output_flags, local_flags, minimum, keys):
    outside, inside = pty.openpty()
    settings = t.tcgetattr(inside)
    settings[0], settings[1], settings[3] = input_flags, output_flags, local_flags
    settings[6][t.VMIN], settings[6][t.VTIME], settings[6][t.VEOL] = minimum, 0, b"\x19"
    t.tcsetattr(inside, t.TCSANOW, settings)
    for descriptor in (outside, inside):
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_RDWR | os.O_NONBLOCK)
    os.write(outside, keys)
    time.sleep(0.01)
    echo = b""
    while part := read(outside, 4096):
        echo += part
    reads = []
    while len(reads) < 40:
        part = read(inside, 64)
        reads.append("again" if part is None else part.hex() or "eof")
        if part is None or (not part and not local_flags & t.ICANON):
            break
    os.close(inside)
    os.close(outside)
    return echo.hex() or "-", ",".join(reads)


def vary(flags, candidates):
    for candidate in candidates:
        if random.random() < 0.12:
            flags ^= candidate
    return flags


def main(seed, count):
    random.seed(seed)
    for _ in range(count):
        input_flags = vary(t.ICRNL | t.IXON, INPUT)
        output_flags = vary(t.OPOST | t.ONLCR, OUTPUT)
        local_flags = vary(t.ICANON | t.ECHO | t.ECHOE | t.ECHOK | t.ECHOKE | t.ECHOCTL | t.IEXTEN, LOCAL)
        if random.random() < 0.2:
            local_flags ^= t.ICANON
        keys = bytes(random.choice(KEYS) for _ in range(random.randint(1, 24)))
        if random.random() < 0.5:
            keys += b"\n"
        if not output_flags & t.OPOST:
            # Columns, and so the erasing of tabs, mean nothing then.
            keys = keys.replace(b"\t", b" ")
        minimum = random.choice([0, 1, 1, 3])
        echo, reads = observe(input_flags, output_flags, local_flags, minimum, keys)
        print(input_flags, output_flags, local_flags, minimum, keys.hex(), echo, reads)


main(int(sys.argv[1]), int(sys.argv[2]))
