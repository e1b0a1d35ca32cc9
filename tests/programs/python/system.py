"""What a Python program asks of a system: processes, threads, signals, files, maps, pipes, sockets. Every part prints what it found."""

import errno
import fcntl
import json
import mmap
import os
import queue
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time


def part(function):
    print("==", function.__name__.replace("_", " "), flush=True)
    function()


@part
def regular_expressions_and_json():
    text = open("words.txt").read()
    counts = {}
    for word in re.findall(r"^\w+$", text, re.M):
        counts[word] = counts.get(word, 0) + 1
    encoded = json.dumps(counts, sort_keys=True, indent=1)
    assert json.loads(encoded) == counts
    print(encoded)
    print(re.sub(r"(?P<a>[aeiou])(?P<b>[a-z])", r"\g<b>\g<a>", "a kernel of chestnut"))


@part
def subprocesses():
    done = subprocess.run(["sort", "-u", "words.txt"], capture_output=True, text=True)
    print(done.returncode, done.stdout.split())
    done = subprocess.run("cat; echo err >&2; exit 3", shell=True, input=b"through\n", capture_output=True)
    print(done)
    try:
        subprocess.run(["sleep", "20"], timeout=0.3)
    except subprocess.TimeoutExpired as error:
        print("timeout", round(error.timeout, 1))
    first = subprocess.Popen(["seq", "1", "2000"], stdout=subprocess.PIPE)
    second = subprocess.Popen(["tail", "-n", "1"], stdin=first.stdout, stdout=subprocess.PIPE)
    first.stdout.close()
    print(second.communicate()[0], first.wait(), second.returncode)
    try:
        subprocess.run(["/no/such/program"])
    except FileNotFoundError as error:
        print(error)
    killed = subprocess.Popen(["sleep", "30"])
    killed.kill()
    print(killed.wait())
    environment = subprocess.check_output(["env"], env={"ONLY": "this", "PATH": os.environ["PATH"]}, text=True)
    print([line for line in environment.split("\n") if line.startswith("ONLY")])
    print(subprocess.check_output("echo $PWD | wc -l", shell=True, cwd="/"))


@part
def threads():
    tasks, results = queue.Queue(), []
    lock, barrier, event = threading.Lock(), threading.Barrier(5), threading.Event()

    def worker():
        barrier.wait()
        while (task := tasks.get()) is not None:
            with lock:
                results.append((task, task**3))
        event.wait()

    crew = [threading.Thread(target=worker) for _ in range(4)]
    for thread in crew:
        thread.start()
    barrier.wait()
    for task in range(100):
        tasks.put(task)
    for _ in crew:
        tasks.put(None)
    event.set()
    for thread in crew:
        thread.join()
    print(len(results), sum(cube for _, cube in results), sorted(results)[-1], threading.active_count())
    condition, turn, order = threading.Condition(), [0], []

    def in_turn(number):
        for round in range(5):
            with condition:
                condition.wait_for(lambda: turn[0] % 3 == number)
                order.append(number)
                turn[0] += 1
                condition.notify_all()

    crew = [threading.Thread(target=in_turn, args=(number,)) for number in range(3)]
    [thread.start() for thread in crew]
    [thread.join(10) for thread in crew]
    print("".join(map(str, order)))


@part
def forks_and_pipes():
    reader, writer = os.pipe()
    children = []
    for number in range(5):
        child = os.fork()
        if child == 0:
            os.write(writer, struct.pack("ii", number, number * number))
            os._exit(number + 10)
        children.append(child)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        print(sorted(struct.iter_unpack("ii", source.read())))
    for child in children:
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), end=" ")
    print()
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    try:
        os.wait()
    except ChildProcessError as error:
        print(error.errno == errno.ECHILD)


@part
def signals():
    seen = []
    for number in (signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: seen.append(signal.Signals(number).name))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    while "SIGALRM" not in seen:
        signal.pause()
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    print(seen)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.kill(os.getpid(), signal.SIGUSR2)
    print(signal.sigpending(), signal.sigwait({signal.SIGUSR2}), signal.sigtimedwait({signal.SIGUSR2}, 0.01))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    old = signal.set_wakeup_fd(writer)
    os.kill(os.getpid(), signal.SIGUSR1)
    print(os.read(reader, 1) == bytes([signal.SIGUSR1]), signal.set_wakeup_fd(old) == writer)


@part
def files_and_maps():
    with tempfile.TemporaryDirectory(dir=".") as folder:
        name = os.path.join(folder, "map")
        with open(name, "wb+") as file:
            file.truncate(100000)
            with mmap.mmap(file.fileno(), 0) as memory:
                memory[70000:70005] = b"hello"
                memory.flush()
                print(memory.find(b"ll"), len(memory))
            file.seek(70000)
            print(file.read(5))
        os.rename(name, name + "2")
        os.symlink("map2", os.path.join(folder, "link"))
        print(sorted(os.listdir(folder)), os.stat(os.path.join(folder, "link")).st_size, os.path.islink(name))
        with os.scandir(folder) as entries:
            print(sorted((entry.name, entry.is_file(), entry.is_symlink()) for entry in entries))
    with tempfile.TemporaryFile() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(file, fcntl.LOCK_EX, 10)
        print(os.fstat(file.fileno()).st_nlink, fcntl.fcntl(file, fcntl.F_GETFD))
    shared = mmap.mmap(-1, 4096)
    if os.fork() == 0:
        shared[0:4] = b"fork"
        os._exit(0)
    os.wait()
    print(shared[0:4], os.path.exists(folder))
    for attempt in (lambda: os.open("none", os.O_RDONLY), lambda: os.mkdir("dir"), lambda: os.rmdir("dir"), lambda: os.open("dir", os.O_WRONLY)):
        try:
            attempt()
        except OSError as error:
            print(error)


@part
def sockets():
    def serve(listener):
        for _ in range(3):
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                for line in stream:
                    stream.write(line.upper())
                    stream.flush()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        listener.listen()
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        for number in range(3):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect("s")
                client.sendall(b"line %d\n" % number)
                print(client.recv(100))
        server.join()
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    socket.send_fds(one, [b"descriptor"], [0, os.open("numbers.txt", os.O_RDONLY)])
    data, (_, passed), _, _ = socket.recv_fds(two, 100, 4)
    print(data, os.read(passed, 7))
    one.setblocking(False)
    try:
        one.recv(1)
    except BlockingIOError as error:
        print(error)


@part
def waiting_for_many():
    pipes = [os.pipe() for _ in range(5)]
    poll, epoll = select.poll(), select.epoll()
    for reader, _ in pipes:
        poll.register(reader, select.POLLIN)
        epoll.register(reader, select.EPOLLIN)
    print(select.select([reader for reader, _ in pipes], [pipes[0][1]], [], 0)[1] == [pipes[0][1]], poll.poll(10), epoll.poll(0.01))
    os.write(pipes[3][1], b"x")
    os.close(pipes[1][1])
    names = {reader: index for index, (reader, _) in enumerate(pipes)}
    print(sorted((names[number], event) for number, event in poll.poll()))
    print(sorted((names[number], event) for number, event in epoll.poll()))
    begin = time.monotonic()
    time.sleep(0.05)
    print(time.monotonic() - begin >= 0.05)


print("the end")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGTERM)
