// Damaged programs: mutations of a small valid ELF file, and of scripts. Executing one runs it, is refused with an error that execve(2)
// knows, or ends the process by a signal; nothing else happens, and nobody else notices.
//
//   elves COUNT SEED
#include "expect.h"
#include "random.h"
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SEGMENTS = 5, SIZE = 8192, RUNS = 7, REFUSED = 100 };
static const uint64_t BASE = 0x400000;

// exit_group(7), with a look at its zeroed memory.
static const unsigned char code[] = {0x8b, 0x04, 0x25, 0x00, 0x10, 0x60, 0x00, 0x8d, 0x78, RUNS, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b};

static void make_valid(unsigned char *file, int dynamic, int interpreter) {
    memset(file, 0, SIZE);
    Elf64_Ehdr *header = (void *)file;
    memcpy(header->e_ident, ELFMAG, SELFMAG);
    header->e_ident[EI_CLASS] = ELFCLASS64;
    header->e_ident[EI_DATA] = ELFDATA2LSB;
    header->e_ident[EI_VERSION] = EV_CURRENT;
    header->e_type = dynamic ? ET_DYN : ET_EXEC;
    header->e_machine = EM_X86_64;
    header->e_version = EV_CURRENT;
    header->e_phoff = sizeof *header;
    header->e_ehsize = sizeof *header;
    header->e_phentsize = sizeof(Elf64_Phdr);
    header->e_phnum = SEGMENTS;
    uint64_t base = dynamic ? 0 : BASE;
    header->e_entry = base + 0x1000;
    Elf64_Phdr *segments = (void *)(file + sizeof *header);
    segments[0] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0, base, base, SIZE, SIZE, 4096};
    segments[1] = (Elf64_Phdr){PT_LOAD, PF_R | PF_W, 0, base + 0x200000, base + 0x200000, 16, 0x3000, 4096};
    segments[2] = (Elf64_Phdr){PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16};
    segments[3] = (Elf64_Phdr){PT_TLS, PF_R, 0x100, base + 0x100, base + 0x100, 16, 32, 16};
    segments[4] = (Elf64_Phdr){interpreter ? PT_INTERP : PT_NULL, PF_R, 0x800, base + 0x800, base + 0x800, 11, 11, 1};
    strcpy((char *)file + 0x800, "/tmp/elf.so");
    if (interpreter)
        segments[4].p_filesz = segments[4].p_memsz = 12;
    memcpy(file + 0x1000, code, sizeof code);
    // A file that may lie anywhere looks at nothing.
    if (dynamic)
        memcpy(file + 0x1000, (unsigned char[]){0x31, 0xc0, 0x90, 0x90, 0x90, 0x90, 0x90}, 7);
}

static const uint64_t edges[] = {
    0, 1, 2, 3, 6, 7, 55, 56, 57, 63, 64, 65, 4095, 4096, 4097, 8191, 8192, 0x10000, 0x3fffff, 0x400000, 0x401000, 0x600000, 0x7fffffff, 0x80000000, 0xffffffff, 1ul << 32, 1ul << 40,
    0x7fffffffe000, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0xffff800000000000, 0x7fffffffffffffff, 1ul << 63, -4096ul, -4095ul, -8ul, -1ul,
};

static size_t mutate(unsigned char *file) {
    size_t headers = sizeof(Elf64_Ehdr) + SEGMENTS * sizeof(Elf64_Phdr);
    for (int i = 1 + below(4); i > 0; i--) {
        size_t at = below(headers);
        switch (below(6)) {
        case 0: file[at] ^= 1 << below(8); break;
        case 1: file[at] = any(); break;
        case 2: {
            uint64_t value = edges[below(sizeof edges / sizeof *edges)];
            memcpy(file + (at & -8ul), &value, 8);
            break;
        }
        case 3: {
            uint32_t value = edges[below(sizeof edges / sizeof *edges)];
            memcpy(file + (at & -4ul), &value, 4);
            break;
        }
        case 4: {
            uint16_t value = any();
            memcpy(file + (at & -2ul), &value, 2);
            break;
        }
        case 5: {
            // One segment as another, or as far as another.
            Elf64_Phdr *segments = (void *)(file + sizeof(Elf64_Ehdr));
            Elf64_Phdr *one = &segments[below(SEGMENTS)];
            const Elf64_Phdr *other = &segments[below(SEGMENTS)];
            if (below(2))
                *one = *other;
            else
                ((uint64_t *)one)[1 + below(6)] = edges[below(sizeof edges / sizeof *edges)];
            break;
        }
        }
    }
    return below(4) ? SIZE : below(SIZE);
}

static size_t make_script(char *file) {
    static const char *const lines[] = {"#!", "#! ", "#!/tmp/script", "#!/tmp", "#!/bin/busybox", "#!\n", "#!/bin/sh -c exit 7", "#!/bin/busybox true extra words", "#!/no/such", "# !", "#!/dev/null", "#!/proc/self/exe", "#!\t/tmp/script\t-x"};
    size_t length = sprintf(file, "%s\n", lines[below(sizeof lines / sizeof *lines)]);
    for (int i = below(3); i > 0; i--)
        file[below(length)] = any();
    if (below(4) == 0)
        for (int i = below(5000); i > 0; i--)
            file[length++] = below(3) ? 'a' : any();
    return length;
}

static void put(const char *path, const void *bytes, size_t length) {
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    expect(fd >= 0);
    expect(write(fd, bytes, length) == (ssize_t)length);
    expect(close(fd) == 0);
}

// What became of it: its status word, or that it was refused, and why.
static int execute(const char *path, int *why) {
    int fds[2], error = 0, status;
    expect(pipe(fds) == 0);
    pid_t pid = fork();
    expect(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        fcntl(fds[1], F_SETFD, FD_CLOEXEC);
        struct rlimit nothing = {1, 1};
        setrlimit(RLIMIT_CPU, &nothing);
        struct itimerval soon = {{0, 0}, {2, 0}};
        setitimer(ITIMER_REAL, &soon, NULL);
        dup2(open("/dev/null", O_RDWR), 1);
        dup2(1, 2);
        dup2(1, 0);
        execl(path, path, "argument", (char *)NULL);
        error = errno;
        (void)!write(fds[1], &error, sizeof error);
        _exit(REFUSED);
    }
    close(fds[1]);
    *why = 0;
    (void)!read(fds[0], why, sizeof *why);
    close(fds[0]);
    expect(waitpid(pid, &status, 0) == pid);
    return status;
}

int main(int argc, char **argv) {
    expect(argc == 3);
    int count = atoi(argv[1]);
    static unsigned char file[SIZE * 2];
    static const int fine[] = {ENOEXEC, ENOENT, EACCES, ENOMEM, EINVAL, ELOOP, ENOTDIR, EISDIR, EIO, ELIBBAD, E2BIG, ENAMETOOLONG, EFAULT, EPERM, ETXTBSY};
    int ran = 0, refused = 0, killed = 0, other = 0, why;
    umask(022);
    make_valid(file, 1, 0);
    put("/tmp/elf.so", file, SIZE);
    for (int kind = 0; kind < 4; kind++) {
        make_valid(file, kind & 1, kind >> 1);
        put("/tmp/elf", file, SIZE);
        int status = execute("/tmp/elf", &why);
        expect(WIFEXITED(status));
        expect(WEXITSTATUS(status) == RUNS);
    }
    printf("the valid ones run\n");
    for (int i = 0; i < count; i++) {
        state = strtoull(argv[2], NULL, 0) * 1000003 + i;
        const char *path = "/tmp/elf";
        if (below(8) == 0) {
            path = "/tmp/script";
            put(path, file, make_script((char *)file));
        } else if (below(8) == 0) {
            // A whole program whose interpreter is damaged.
            make_valid(file, 1, 0);
            put("/tmp/elf.so", file, mutate(file));
            make_valid(file, below(2), 1);
            put(path, file, SIZE);
        } else {
            make_valid(file, below(2), below(3) == 0);
            put(path, file, mutate(file));
            if (below(16) == 0) {
                make_valid(file, 1, 0);
                put("/tmp/elf.so", file, SIZE);
            }
        }
        int status = execute(path, &why);
        if (WIFSIGNALED(status)) {
            killed++;
        } else if (why != 0) {
            int known = 0;
            for (unsigned j = 0; j < sizeof fine / sizeof *fine; j++)
                known |= why == fine[j];
            if (!known) {
                printf("file %d: errno %d\n", i, why);
                return 1;
            }
            refused++;
        } else if (WEXITSTATUS(status) == RUNS) {
            ran++;
        } else {
            // Whatever its start became: code of another place, or a script's program.
            other++;
        }
    }
    make_valid(file, 0, 0);
    put("/tmp/elf", file, SIZE);
    int status = execute("/tmp/elf", &why);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == RUNS);
    unlink("/tmp/elf");
    unlink("/tmp/elf.so");
    unlink("/tmp/script");
    fprintf(stderr, "%d ran, %d refused, %d killed, %d ended otherwise\n", ran, refused, killed, other);
    printf("%d damaged files, all is well\n", count);
    return 0;
}
