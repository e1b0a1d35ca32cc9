// An ordinary program that does its worst: random system calls, jumps into the trampoline, scribbles on the thread page, native
// kernel calls. Whatever happens, only the process that does it may come to harm, and its parent sees it end like a Linux process.
//
//   fuzz calls COUNT SEED    so many system calls, by processes with 4 threads
//   fuzz jumps STEP SEED     a process for every STEPth byte of the trampoline, entered with random registers
//   fuzz page COUNT SEED     processes of which one thread writes at random on the pages of the others while those make calls
//   fuzz native COUNT SEED   kernel calls and floods of messages from the trampoline's own text
//
// The same seed makes the same calls; on a machine that counts instructions they come out in the same order too.
#define _GNU_SOURCE
#include "random.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, CALLS_OF_A_PROCESS = 2000, PAGE = 4096, ARENA_PAGES = 32, HIGHEST_DESCRIPTOR = 40, USER = 1000 };

// What a process and its keeper share: what the keeper sees of how it goes on. Wild writes may hit it.
struct shared {
    volatile uint64_t calls[THREADS];
    volatile int tid[THREADS];
    volatile uint64_t last[THREADS][7];
};
static struct shared *shared;

// How many calls were made the keeper believes only what comes through a pipe, told now and then by each thread. No wild write gets there: what
// bears the seal was sent by the function below. A player that has lost the pipe is believed what it said before.
enum { REPORTS = 1000, EVERY = 20 };
struct report {
    uint64_t seal, thread, calls;
};
static uint64_t seal;
static int reports = -1;

static void tell(uint64_t thread, uint64_t calls) {
    struct report report = {seal, thread, calls};
    (void)!write(REPORTS, &report, sizeof report);
}

#define ONE_OF(array) ((array)[below(sizeof(array) / sizeof *(array))])

// ---- Where things are. ----
static char *arena;       // read-write, then nothing
static char *constant;    // one page that can only be read, then nothing
static uint64_t trampoline, own_page[THREADS];
static int page_count;

static void find_own_pages(void) {
    char line[512];
    page_count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        uint64_t start = strtoull(line, NULL, 16);
        if (strstr(line, "[trampoline]"))
            trampoline = start;
        if (strstr(line, "[thread]") && page_count < THREADS)
            own_page[page_count++] = start;
    }
    if (maps)
        fclose(maps);
}

// ---- Arguments. ----
static const char *const paths[] = {
    "a", "b", "c", "d", "d/a", "d/b", "d/e/f", ".", "..", "/", "", "a/b", "link", "loop", "fifo", "socket", "/proc/self/maps",
    "/proc/self/stat", "/proc/self/exe", "/proc/self/fd/3", "/proc/self/mem", "/proc/self/task", "/proc/meminfo", "/proc/1/stat", "/proc/self/root/tmp", "/dev/null",
    "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/tty", "/dev/pts/0", "/dev/fd/0", "/dev/shm/x", "/dev/console", "/tmp",
    "/bin/busybox", "/etc/passwd", "user.name", "tmpfs", "proc", "//d//e///f/./../..", "d/../../../../proc/self/cwd/a",
};
static const uint64_t edges[] = {
    0, 1, 2, 3, 4, 7, 8, 12, 16, 24, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 1024, 4095, 4096, 4097, 8192, 65535, 65536, 1 << 20, 0x7fffffff,
    0x80000000, 0xffffffff, 0x100000000, 1ul << 40, 0x7ffffffff000, 0x7fffffffefff, 0x800000000000, 0xffff800000000000, 1ul << 63, -1ul, -2ul, -4096ul, -8ul,
    -100ul /* AT_FDCWD */, 0x7fffffffffffffff,
};
static uint64_t own_process, own_thread_id[THREADS];

// Something that a call may want to find behind a pointer.
static uint64_t structure(void) {
    uint64_t *words = (uint64_t *)(arena + below(ARENA_PAGES * PAGE - 1024) / 8 * 8);
    uint32_t *halves = (uint32_t *)words;
    switch (below(12)) {
    case 0: // times
        for (int i = 0; i < 4; i++)
            words[i] = i % 2 ? below(2000000) : one_in(8) ? any() : 0ul;
        break;
    case 1: // vectors
        for (int i = 0; i < 16; i += 2) {
            words[i] = (uint64_t)arena + below(ARENA_PAGES * PAGE + 64);
            words[i + 1] = one_in(4) ? ONE_OF(edges) : below(9000);
        }
        break;
    case 2: // a signal set, small words
        for (int i = 0; i < 16; i++)
            words[i] = one_in(2) ? 1ul << below(64) : below(64);
        break;
    case 3: // descriptors and events
        for (int i = 0; i < 32; i += 2) {
            halves[i] = below(HIGHEST_DESCRIPTOR);
            halves[i + 1] = any() & 0x3f;
        }
        break;
    case 4: { // a socket's name
        struct sockaddr_un *name = (void *)words;
        memset(name, 0, sizeof *name);
        name->sun_family = one_in(6) ? below(20) : AF_UNIX;
        snprintf(name->sun_path + below(2), 40, "%s", one_in(2) ? "socket" : ONE_OF(paths));
        break;
    }
    case 5: { // a message with descriptors
        struct msghdr *message = (void *)words;
        struct cmsghdr *control = (void *)(words + 16);
        message->msg_name = one_in(2) ? NULL : (void *)(words + 40);
        message->msg_namelen = below(130);
        message->msg_iov = (void *)(words + 12);
        message->msg_iovlen = one_in(6) ? ONE_OF(edges) : below(3);
        words[12] = (uint64_t)arena + below(ARENA_PAGES * PAGE);
        words[13] = below(5000);
        message->msg_control = one_in(3) ? NULL : control;
        message->msg_controllen = one_in(5) ? ONE_OF(edges) : 16 + 4 * below(6);
        message->msg_flags = 0;
        control->cmsg_len = one_in(5) ? any() : 16 + 4 * below(5);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = 1 + below(2);
        for (int i = 0; i < 8; i++)
            ((int *)(control + 1))[i] = below(HIGHEST_DESCRIPTOR);
        break;
    }
    case 6: // an itimerspec or flock
        memset(words, 0, 64);
        halves[0] = below(4);
        words[1] = below(100000);
        words[2] = one_in(3) ? any() : below(4096);
        words[3] = below(100000);
        break;
    case 7: // sigaction
        words[0] = below(3);
        words[1] = (any() & 0xdc000007) | 0x04000000;
        words[2] = below(4096);
        words[3] = one_in(2) ? any() : 0;
        break;
    case 8: // pointers
        for (int i = 0; i < 15; i++)
            words[i] = (uint64_t)arena + below(ARENA_PAGES * PAGE);
        words[below(16)] = 0;
        break;
    case 9: { // a path
        strcpy((char *)words, ONE_OF(paths));
        break;
    }
    case 10: // clone_args
        memset(words, 0, 88);
        words[0] = one_in(2) ? any() : 0;
        words[4] = below(70);
        words[below(11)] = ONE_OF(edges);
        break;
    default:
        for (int i = 0; i < 16; i++)
            words[i] = any();
    }
    return (uint64_t)words;
}

static uint64_t pointer(void) {
    switch (below(16)) {
    case 0: return (uint64_t)arena + ARENA_PAGES * PAGE - below(40);  // straddles the end
    case 1: return (uint64_t)constant + below(PAGE);
    case 2: return (uint64_t)constant + PAGE - below(40);
    case 3: return 0;
    case 4: return ONE_OF(edges);
    case 5: return trampoline + below(PAGE);
    case 6: return page_count ? ONE_OF(own_page) + below(PAGE) : 0;
    case 7: return (uint64_t)arena + below(ARENA_PAGES * PAGE);
    default: return structure();
    }
}
static uint64_t path(void) {
    if (one_in(10))
        return pointer();
    char *place = arena + below(ARENA_PAGES * PAGE - 6000);
    if (one_in(30)) {
        int length = 100 + below(5000);
        memset(place, 'x', length);
        for (int i = 0; i < length; i += 1 + below(300))
            place[i] = '/';
        place[length] = 0;
        return (uint64_t)place;
    }
    return (uint64_t)ONE_OF(paths);
}
static uint64_t descriptor(void) {
    if (one_in(12))
        return one_in(2) ? -100 : ONE_OF(edges);
    return below(HIGHEST_DESCRIPTOR);
}
static uint64_t length(void) { return one_in(4) ? ONE_OF(edges) : below(10000); }
static uint64_t bits(void) {
    uint64_t value = 0;
    for (int i = below(4); i > 0; i--)
        value |= 1ul << below(one_in(6) ? 64 : 24);
    return value;
}
static uint64_t number(void) { return one_in(4) ? ONE_OF(edges) : below(one_in(2) ? 16 : 256); }
static uint64_t process(void) { return one_in(3) ? own_process : one_in(3) ? ONE_OF(own_thread_id) : one_in(3) ? ONE_OF(edges) : below(12); }
static uint64_t whatever(void) {
    switch (below(8)) {
    case 0: return any();
    case 1: return ONE_OF(edges);
    case 2: return pointer();
    case 3: return descriptor();
    case 4: return path();
    case 5: return bits();
    case 6: return number();
    default: return process();
    }
}

// What a call expects: d descriptor, p pointer, s path, l length, f flags, n number, i process or thread, a page address.
struct known {
    int number;
    const char *arguments;
};
static const struct known known[] = {
    {0, "dpl"}, {1, "dpl"}, {2, "sfn"}, {3, "d"}, {4, "sp"}, {5, "dp"}, {6, "sp"}, {7, "pnn"}, {8, "dln"}, {9, "alnfdl"}, {10, "aln"}, {11, "al"}, {12, "a"},
    {13, "npp8"}, {14, "npp8"}, {16, "dnp"}, {17, "dpll"}, {18, "dpll"}, {19, "dpn"}, {20, "dpn"}, {21, "sn"}, {22, "p"}, {23, "npppp"}, {25, "allfa"}, {26, "aln"},
    {27, "alp"}, {28, "aln"}, {29, "nlf"}, {30, "naf"}, {31, "nnp"}, {32, "d"}, {33, "dd"}, {35, "pp"}, {36, "np"}, {37, "n"}, {38, "npp"}, {40, "ddpl"}, {41, "nfn"}, {42, "dpn"},
    {43, "dpp"}, {44, "dplfpn"}, {45, "dplfpp"}, {46, "dpf"}, {47, "dpf"}, {48, "dn"}, {49, "dpn"}, {50, "dn"}, {51, "dpp"}, {52, "dpp"}, {53, "nfnp"},
    {54, "dnnpn"}, {55, "dnnpp"}, {56, "fpppp"}, {57, ""}, {58, ""}, {59, "spp"}, {61, "ipfp"}, {62, "in"}, {63, "p"}, {72, "dnp"}, {72, "dnn"}, {73, "dn"}, {74, "d"}, {76, "sl"}, {77, "dl"},
    {78, "dpl"}, {79, "pl"}, {80, "s"}, {81, "d"}, {82, "ss"}, {83, "sn"}, {84, "s"}, {85, "sn"}, {86, "ss"}, {87, "s"}, {88, "ss"}, {89, "spl"}, {90, "sn"}, {91, "dn"},
    {92, "snn"}, {93, "dnn"}, {95, "n"}, {97, "np"}, {98, "np"}, {99, "p"}, {109, "ii"}, {112, ""}, {115, "np"}, {116, "np"}, {121, "i"}, {124, "i"}, {125, "pp"}, {126, "pp"}, {127, "p8"},
    {128, "ppp8"}, {129, "inp"}, {130, "p8"}, {131, "pp"}, {133, "snn"}, {137, "sp"}, {138, "dp"}, {149, "al"}, {150, "al"}, {157, "nnnnn"}, {157, "npppp"}, {158, "np"}, {160, "np"}, {161, "s"}, {165, "sssfp"},
    {166, "sf"}, {186, ""}, {187, "dll"}, {188, "sppnf"}, {191, "sppn"}, {200, "in"}, {202, "pnnppn"}, {203, "ilp"}, {204, "ilp"}, {213, "n"}, {217, "dpl"}, {218, "p"}, {221, "dlln"}, {222, "npp"},
    {223, "nfpp"}, {224, "np"}, {225, "n"}, {226, "n"}, {228, "np"}, {229, "np"}, {230, "nfpp"}, {232, "dpnn"}, {233, "dndp"}, {234, "iin"}, {235, "sp"}, {247, "nipfp"}, {253, ""}, {254, "dsf"}, {255, "dn"},
    {257, "dsfn"}, {258, "dsn"}, {259, "dsnn"}, {260, "dsnnf"}, {262, "dspf"}, {263, "dsf"}, {264, "dsds"}, {265, "dsdsf"}, {266, "sds"}, {267, "dspl"}, {268, "dsn"}, {269, "dsn"}, {270, "nppppp"},
    {271, "pnpp8"}, {273, "pl"}, {274, "ipp"}, {275, "dpdplf"}, {276, "ddlf"}, {277, "dllf"}, {278, "dpnf"}, {280, "dspf"}, {281, "dpnnp8"}, {282, "dp8"}, {283, "nf"}, {284, "n"}, {285, "dnll"}, {286, "dfpp"},
    {287, "dp"}, {288, "dppf"}, {289, "dp8f"}, {290, "nf"}, {291, "f"}, {292, "ddf"}, {293, "pf"}, {294, "f"}, {295, "dpnl"}, {296, "dpnl"}, {297, "iinp"}, {299, "dpnfp"}, {302, "inpp"}, {307, "dpnf"}, {309, "pp"},
    {310, "ipnpnf"}, {311, "ipnpnf"}, {314, "ipf"}, {316, "dsdsf"}, {318, "plf"}, {319, "sf"}, {322, "dsppf"}, {324, "nfn"}, {326, "dpdplf"}, {327, "dpnlnf"}, {328, "dpnlnf"}, {332, "dsfnp"}, {334, "pnfn"},
    {424, "dnpf"}, {434, "if"}, {435, "pn"}, {436, "ddf"}, {437, "dspl"}, {438, "dnf"}, {439, "dsnf"}, {441, "dpnpp"}, {449, "pnfpn"}, {452, "dsnf"},
};

static uint64_t argument(char kind) {
    if (one_in(25))
        return whatever();
    switch (kind) {
    case 'd': return descriptor();
    case 'p': return pointer();
    case 's': return path();
    case 'l': return length();
    case 'f': return bits();
    case 'n': return number();
    case 'i': return process();
    case '8': return 8;
    case 'a': return one_in(4) ? (uint64_t)arena + below(ARENA_PAGES) * PAGE : one_in(3) ? pointer() & -4096ul : one_in(2) ? 0 : 0x10000000 + below(64) * PAGE;
    }
    return 0;
}

static int ends_it(int number) { return number == SYS_exit || number == SYS_exit_group; }
// Memory of the program itself would be lost by chance in a few calls; the arena and what lies near it are enough to play with.
static int would_lose_the_program(const uint64_t *call) {
    uint64_t number = call[0] & 0xffffffff;
    if (number != SYS_munmap && number != SYS_mmap && number != SYS_mprotect && number != SYS_mremap && number != SYS_madvise)
        return 0;
    return call[2] > 1 << 20 && !one_in(50);
}

// A call. In a child that it makes, the end.
static long make(const uint64_t *call) {
    register uint64_t r10 __asm__("r10") = call[4];
    register uint64_t r8 __asm__("r8") = call[5];
    register uint64_t r9 __asm__("r9") = call[6];
    uint64_t result;
    uint64_t number = call[0];
    int copies = number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3;
    if (copies)
        __asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n mov $60, %%eax\n xor %%edi, %%edi\n syscall\n ud2\n 1:"
                         : "=a"(result) : "0"(number), "D"(call[1]), "S"(call[2]), "d"(call[3]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    else
        __asm__ volatile("syscall"
                         : "=a"(result) : "0"(number), "D"(call[1]), "S"(call[2]), "d"(call[3]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

static void random_call(uint64_t *call) {
    for (int i = 1; i < 7; i++)
        call[i] = whatever();
    if (one_in(2)) {
        const struct known *chosen = &ONE_OF(known);
        call[0] = chosen->number;
        for (int i = 0; chosen->arguments[i]; i++)
            call[i + 1] = argument(chosen->arguments[i]);
    } else {
        call[0] = one_in(20) ? any() : one_in(10) ? below(1024) : below(501);
    }
}

static void ignore(int signal) { (void)signal; }

static int calls_wanted;
static uint64_t seed_of_process;

static void *play(void *argument) {
    int index = (int)(uintptr_t)argument;
    state = seed_of_process * 4 + index;
    own_thread_id[index] = shared->tid[index] = syscall(SYS_gettid);
    uint64_t made = 0;
    for (int i = 0; i < calls_wanted / THREADS; i++) {
        uint64_t call[7];
        random_call(call);
        if (ends_it((int)call[0]) || would_lose_the_program(call))
            continue;
        // Returning from no signal takes the stack away, and all that can be learnt then is that the process dies.
        if ((int)call[0] == SYS_rt_sigreturn && !one_in(50))
            continue;
        for (int j = 0; j < 7; j++)
            shared->last[index][j] = call[j];
        shared->calls[index]++;
        make(call);
        if (++made % EVERY == 0)
            tell(index, made);
        if (one_in(200))
            sched_yield();
    }
    tell(index, made);
    return NULL;
}

// ---- A process that plays. ----
static void prepare(void) {
    arena = mmap(NULL, (ARENA_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    constant = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(arena + ARENA_PAGES * PAGE, PAGE, PROT_NONE);
    munmap(constant + PAGE, PAGE);
    own_process = getpid();
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    mkdir("d", 0777);
    mkdir("d/e", 0777);
    symlink("a", "link");
    symlink("loop", "loop");
    mkfifo("fifo", 0666);
    int fds[2];
    close(0);
    open("a", O_RDWR | O_CREAT, 0666);
    open("d", O_RDONLY | O_DIRECTORY);
    if (pipe2(fds, O_NONBLOCK) == 0)
        write(fds[1], "some bytes", 10);
    pipe(fds);
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
    socket(AF_UNIX, SOCK_STREAM, 0);
    syscall(SYS_eventfd2, 3, 0);
    syscall(SYS_epoll_create1, 0);
    syscall(SYS_timerfd_create, 1, 0);
    syscall(SYS_inotify_init1, 0);
    uint64_t set = 1 << 11;
    syscall(SYS_signalfd4, -1, &set, 8, 0);
    syscall(SYS_memfd_create, "memory", 0);
    open("/dev/zero", O_RDWR);
    open("/dev/null", O_RDWR);
    open("/dev/ptmx", O_RDWR | O_NOCTTY);
    open("/proc/self/status", O_RDONLY);
    open("/proc", O_RDONLY);
    dup(0);
    find_own_pages();
}

static void *scribble(void *argument) {
    (void)argument;
    state = ~seed_of_process;
    find_own_pages();
    for (int i = 0; i < 3000; i++) {
        if (page_count == 0)
            return NULL;
        uint64_t page = own_page[below(page_count)];
        uint64_t value = one_in(3) ? any() : one_in(2) ? ONE_OF(edges) : page + below(PAGE);
        *(volatile uint64_t *)(page + below(PAGE / 8) * 8) = value;
        if (one_in(4))
            sched_yield();
    }
    return NULL;
}

static void leave_root(void) {
    setsid();
    if (setgid(USER) != 0 || setuid(USER) != 0)
        _exit(98);
}

static void play_in_threads(int with_scribbler) {
    prepare();
    leave_root();
    pthread_t threads[THREADS];
    for (uintptr_t i = 1; i < THREADS; i++) {
        void *(*what)(void *) = with_scribbler && i == 1 ? scribble : play;
        if (pthread_create(&threads[i], NULL, what, (void *)i) != 0)
            _exit(97);
    }
    play((void *)0);
    for (int i = 1; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

// ---- Into the trampoline. ----
struct registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rsp, rip, rflags;
};
__attribute__((naked, noreturn)) static void go(struct registers *registers) {
    (void)registers;
    __asm__("push 136(%rdi); popfq\n"
            "mov 0(%rdi), %rax; mov 8(%rdi), %rbx; mov 16(%rdi), %rcx; mov 24(%rdi), %rdx; mov 32(%rdi), %rsi; mov 48(%rdi), %rbp\n"
            "mov 56(%rdi), %r8; mov 64(%rdi), %r9; mov 72(%rdi), %r10; mov 80(%rdi), %r11; mov 88(%rdi), %r12; mov 96(%rdi), %r13\n"
            "mov 104(%rdi), %r14; mov 112(%rdi), %r15; mov 120(%rdi), %rsp\n"
            // The address to go to is the only thing not in a register.
            "push 128(%rdi); mov 40(%rdi), %rdi; ret\n");
}

enum { STACK = 0x490 };

static void jump(int offset) {
    prepare();
    leave_root();
    struct itimerval soon = {{0, 20000}, {0, 20000}};
    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &soon, NULL);
    struct registers registers;
    uint64_t *words = (uint64_t *)&registers;
    for (unsigned i = 0; i < sizeof registers / 8; i++)
        words[i] = one_in(2) ? whatever() : below(20);
    uint64_t page = page_count ? own_page[0] : 0;
    // `ret` leaves RSP at what it was before the push.
    registers.rsp = page + STACK;
    if (one_in(3))
        registers.rsp = (uint64_t)arena + below(ARENA_PAGES * PAGE / 8 - 16) * 8 + 128;
    if (one_in(2))
        registers.r11 = page;
    if (one_in(2))
        registers.rdx = -below(35);
    if (one_in(2))
        registers.rdi = below(3);
    registers.rip = trampoline + offset;
    registers.rflags = 0x202;
    // Most of the time the page is as a call left it; else it is anything.
    if (one_in(3))
        for (int i = 0x400; i < 0x4f0; i += 8)
            if (one_in(2))
                *(volatile uint64_t *)(page + i) = whatever();
    go(&registers);
}

// The first `syscall` instruction of the text after which a program gets control back.
static uint64_t native_site(void) {
    for (int i = 0; i < PAGE - 8; i++) {
        const unsigned char *code = (const unsigned char *)trampoline + i;
        // syscall; shr rsi, 12
        if (code[0] == 0x0f && code[1] == 0x05 && code[2] == 0x48 && code[3] == 0xc1 && code[4] == 0xee)
            return (uint64_t)code;
    }
    return 0;
}

// A native kernel call of this thread, through the trampoline's own instruction, whose tail leads back here by what this puts into the page.
__attribute__((used)) uint64_t page_of_this, site;
__attribute__((naked)) static uint64_t native(const struct registers *registers) {
    (void)registers;
    __asm__("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
            "mov page_of_this(%rip), %r11\n"
            // The frame: rip, rsp, rflags, and what the tail loads.
            "lea 1f(%rip), %rax; mov %rax, 0x480(%r11)\n"
            "mov %rsp, 0x498(%r11)\n"
            "movq $0x202, 0x490(%r11)\n"
            "mov site(%rip), %rax; mov %rax, -16(%rsp)\n"
            "mov 24(%rdi), %rdx; mov 32(%rdi), %rsi; mov 56(%rdi), %r8; mov 64(%rdi), %r9; mov 72(%rdi), %r10; mov 88(%rdi), %r12\n"
            "mov 96(%rdi), %r13; mov 112(%rdi), %r15; mov 40(%rdi), %rdi\n"
            "lea 0x490(%r11), %rsp\n"
            "jmp *%rax\n"
            "1: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");
}

// Returns how many it made. Page and site are the only thread's: each process makes them alone.
static uint64_t native_calls(int count) {
    uint64_t made = 0;
    for (int i = 0; i < count; i++) {
        struct registers registers;
        uint64_t *words = (uint64_t *)&registers;
        for (unsigned j = 0; j < sizeof registers / 8; j++)
            words[j] = one_in(2) ? whatever() : below(20);
        // Numbers of all kernel calls, and of none. Waiting for ever is no fun.
        registers.rdx = one_in(12) ? any() : -(below(36));
        registers.rdi = one_in(4) ? whatever() : below(3);
        switch (below(4)) {
        case 0: registers.rsi = any(); break;
        case 1: registers.rsi = 0x101 << 12; break;
        default: registers.rsi = 0x100 << 12 | below(8);
        }
        registers.r15 = one_in(2) ? ONE_OF(known).number : below(512);
        if (ends_it((int)registers.r15))
            continue;
        shared->calls[0]++;
        native(&registers);
        if (++made % EVERY == 0)
            tell(0, made);
    }
    return made;
}

static void native_process(int kind) {
    prepare();
    leave_root();
    struct itimerval soon = {{0, 50000}, {0, 50000}};
    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &soon, NULL);
    page_of_this = page_count ? own_page[page_count - 1] : 0;
    site = native_site();
    if (site == 0 || page_of_this == 0)
        _exit(96);
    uint64_t made = kind == 0 ? native_calls(200) : 0;
    // A flood: sends and sends that don't wait, of one message.
    struct registers registers;
    memset(&registers, 0, sizeof registers);
    static const int numbers[] = {SYS_read, SYS_getpid, SYS_fork, SYS_execve, SYS_nanosleep, SYS_poll, SYS_exit, SYS_wait4, SYS_pause, 4000};
    registers.r15 = ONE_OF(numbers);
    registers.rdx = -5 - (int64_t)below(2);
    registers.rdi = 1;
    registers.rsi = one_in(3) ? any() & 0xfffffffffff7ff : 0x100 << 12 | 4;
    for (int i = 0; i < 2000; i++) {
        shared->calls[0]++;
        native(&registers);
        if (++made % EVERY == 0)
            tell(0, made);
    }
    _exit(0);
}

// ---- The keeper. ----
static uint64_t ends[256], total;

static void die(const char *why) {
    printf("FAILED: %s (errno %d)\n", why, errno);
    exit(99);
}

// The system still does what it should, for somebody who has harmed nobody.
static void check_system(void) {
    int fds[2], status;
    char bytes[16] = "";
    if (pipe(fds) != 0 || write(fds[1], "through a pipe", 15) != 15 || read(fds[0], bytes, 15) != 15 || strcmp(bytes, "through a pipe") != 0)
        die("a pipe");
    close(fds[0]);
    close(fds[1]);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpid() % 100);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != pid % 100)
        die("a child");
    int file = open("/tmp/check", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, "content", 7) != 7 || pread(file, bytes, 7, 0) != 7 || memcmp(bytes, "content", 7) != 0 || close(file) != 0)
        die("a file");
    if (unlink("/tmp/check") != 0)
        die("unlink");
}

// Waits for a player, and helps it out of calls that would wait for ever.
static void keep(pid_t pid, int patience) {
    uint64_t before[THREADS] = {0};
    int quiet = 0, status = 0;
    for (;;) {
        pid_t found = waitpid(pid, &status, WNOHANG);
        if (found == pid)
            break;
        if (found < 0 && errno != EINTR)
            die("waitpid");
        struct timespec moment = {0, 1000000};
        nanosleep(&moment, NULL);
        int moved = 0;
        for (int i = 0; i < THREADS; i++) {
            uint64_t now = shared->calls[i];
            if (now != before[i])
                moved = 1;
            else if (shared->tid[i])
                syscall(SYS_tgkill, pid, shared->tid[i], SIGUSR1);
            before[i] = now;
        }
        quiet = moved ? 0 : quiet + 1;
        if (quiet > patience)
            kill(pid, SIGKILL);
        if (quiet > patience + 5000)
            die("a killed process doesn't end");
    }
    ends[WIFSIGNALED(status) ? WTERMSIG(status) : 128 + (WEXITSTATUS(status) & 127)]++;
    uint64_t calls[THREADS] = {0};
    struct report report;
    while (read(reports, &report, sizeof report) == sizeof report)
        if (report.seal == seal && report.thread < THREADS && report.calls > calls[report.thread])
            calls[report.thread] = report.calls;
    for (int i = 0; i < THREADS; i++)
        total += calls[i];
}

static pid_t start(void) {
    memset(shared, 0, sizeof *shared);
    int ends_of_pipe[2];
    close(reports);
    if (pipe2(ends_of_pipe, O_NONBLOCK) != 0)
        die("pipe");
    reports = ends_of_pipe[0];
    uint64_t kept = state;
    state = ~state;
    seal = any();
    state = kept;
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid != 0)
        close(ends_of_pipe[1]);
    if (pid == 0) {
        if (dup2(ends_of_pipe[1], REPORTS) != REPORTS)
            _exit(95);
        close(ends_of_pipe[0]);
        close(ends_of_pipe[1]);
        // What it writes at random must not get into what is said of it.
        int nowhere = open("/dev/null", O_RDWR);
        dup2(nowhere, 1);
        dup2(nowhere, 2);
        // Nobody it makes outlives what it is allowed.
        struct rlimit limit = {2, 2};
        setrlimit(RLIMIT_CPU, &limit);
    }
    return pid;
}

// Whoever a player has left behind.
static void end_others(void) {
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    pid_t pid = fork();
    if (pid == 0) {
        setuid(USER);
        kill(-1, SIGKILL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

// Whatever it has left behind.
static void clean_up(void) {
    end_others();
    if (chdir("/tmp") != 0 || system("rm -rf /tmp/fuzz; mkdir -m 777 /tmp/fuzz") != 0 || chdir("/tmp/fuzz") != 0)
        die("cleaning up");
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    const char *what = argv[1];
    uint64_t count = strtoull(argv[2], NULL, 0), seed = strtoull(argv[3], NULL, 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
    printf("%s, seed %lu\n", what, seed);
    fflush(stdout);
    uint64_t processes = 0;
    if (strcmp(what, "jumps") == 0) {
        for (int offset = 0; offset < PAGE; offset += count) {
            state = seed_of_process = seed * 1000003 + offset;
            // Few of them come to make a file.
            if (processes % 16 == 0)
                clean_up();
            else
                end_others();
            pid_t pid = start();
            if (pid == 0)
                jump(offset);
            keep(pid, 40);
            processes++;
            if (offset % 64 == 0)
                check_system();
        }
    } else {
        while (total < count) {
            if (processes > count)
                die("the players make hardly any calls");
            state = seed_of_process = seed * 1000003 + processes;
            clean_up();
            calls_wanted = CALLS_OF_A_PROCESS;
            int kind = processes % 2;
            pid_t pid = start();
            if (pid == 0) {
                if (strcmp(what, "native") == 0)
                    native_process(kind);
                play_in_threads(strcmp(what, "page") == 0);
            }
            keep(pid, 20);
            processes++;
            check_system();
            if (getenv("FUZZ_VERBOSE"))
                fprintf(stderr, "process %lu: %lu calls\n", processes, total);
        }
    }
    clean_up();
    check_system();
    fprintf(stderr, "%lu calls by %lu processes\n", total, processes);
    for (int i = 0; i < 256; i++)
        if (ends[i])
            fprintf(stderr, "%s %d: %lu\n", i < 128 ? "signal" : "status", i % 128, ends[i]);
    printf("all is well\n");
    return 0;
}
