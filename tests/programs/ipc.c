// System V's shared memory, semaphores and message queues: keys, permissions, waiting, undoing, and what is told of them.
#include "expect.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
enum { PAGE = 4096 };
union semun { int value; struct semid_ds *status; unsigned short *values; struct seminfo *limits; };

static int end_of(pid_t pid) {
    int status;
    expect(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
// A key that nobody else has, hopefully.
static key_t own_key(int which) { return 0x43000000 + (getpid() << 4) + which; }
// Whether a file below /proc/sysvipc lists this id.
static int is_listed(const char *path, int id) {
    char line[300];
    int found = 0, key, listed;
    FILE *file = fopen(path, "r");
    expect(file != NULL);
    while (fgets(line, sizeof line, file))
        found += sscanf(line, "%d %d", &key, &listed) == 2 && listed == id;
    fclose(file);
    return found;
}

static void memory(void) {
    key_t key = own_key(1);
    expect(shmget(key, PAGE, 0) == -1 && errno == ENOENT && shmget(key, 0, IPC_CREAT | 0600) == -1 && errno == EINVAL);
    int id = shmget(key, 2 * PAGE + 1, IPC_CREAT | IPC_EXCL | 0640);
    expect(id >= 0 && shmget(key, 1, 0) == id && shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600) == -1 && errno == EEXIST);
    expect(shmget(key, 4 * PAGE, 0) == -1 && errno == EINVAL);
    struct shmid_ds status;
    expect(shmctl(id, IPC_STAT, &status) == 0 && status.shm_segsz == 2 * PAGE + 1 && status.shm_nattch == 0);
    expect(status.shm_perm.__key == key && (status.shm_perm.mode & 0777) == 0640 && status.shm_cpid == getpid() && status.shm_perm.uid == geteuid());
    char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
    expect(one != (void *)-1 && two != (void *)-1 && one != two);
    strcpy(one + PAGE, "shared");
    expect(strcmp(two + PAGE, "shared") == 0 && one[2 * PAGE + 10] == 0);
    expect(shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 2 && status.shm_lpid == getpid() && status.shm_atime > 0);
    expect(mprotect(two, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    expect(shmdt(two) == 0 && shmdt(two) == -1 && errno == EINVAL && shmdt(one + PAGE) == -1 && errno == EINVAL);
    // At an address, rounded down, in place of something.
    char *room = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(shmat(id, room, 0) == (void *)-1 && errno == EINVAL && shmat(id, room + 1, SHM_REMAP) == (void *)-1 && errno == EINVAL);
    expect(shmat(id, room + PAGE + 5, SHM_RND | SHM_REMAP) == room + PAGE && strcmp(room + 2 * PAGE, "shared") == 0);
    expect(munmap(room + PAGE, PAGE) == 0 && shmdt(room + PAGE) == 0 && munmap(room, 8 * PAGE) == 0);
    expect(shmat(id, room + 7, SHM_RND | SHM_EXEC) == room && shmdt(room) == 0);
    // A child has it, too, and it outlives its removal as long as somebody does.
    int gate[2];
    expect(pipe(gate) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        expect(read(gate[0], &byte, 1) == 1 && strcmp(one + PAGE, "shared") == 0);
        strcpy(one, "child");
        _exit(3);
    }
    expect(shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 2);
    expect(shmctl(id, SHM_LOCK, NULL) == 0 && shmctl(id, IPC_STAT, &status) == 0 && (status.shm_perm.mode & SHM_LOCKED));
    expect(shmctl(id, SHM_UNLOCK, NULL) == 0);
    status.shm_perm.mode = 0600;
    expect(shmctl(id, IPC_SET, &status) == 0 && shmctl(id, IPC_STAT, &status) == 0 && (status.shm_perm.mode & 0777) == 0600 && status.shm_ctime > 0);
    expect(is_listed("/proc/sysvipc/shm", id));
    expect(shmctl(id, IPC_RMID, NULL) == 0 && shmget(key, 1, 0) == -1 && errno == ENOENT);
    expect(shmctl(id, IPC_STAT, &status) == 0 && (status.shm_perm.mode & SHM_DEST) && status.shm_perm.__key == IPC_PRIVATE);
    expect(write(gate[1], "x", 1) == 1 && end_of(pid) == 3 && strcmp(one, "child") == 0);
    expect(shmdt(one) == 0 && shmctl(id, IPC_STAT, &status) == -1 && (errno == EINVAL || errno == EIDRM));
    expect(shmctl(-1, IPC_STAT, &status) == -1 && errno == EINVAL && !is_listed("/proc/sysvipc/shm", id));

    struct shminfo limits;
    struct shm_info use;
    id = shmget(IPC_PRIVATE, PAGE, 0600);
    int highest = shmctl(0, IPC_INFO, (void *)&limits);
    expect(highest >= 0 && limits.shmmin == 1 && limits.shmmni > 0 && shmctl(0, SHM_INFO, (void *)&use) == highest && use.used_ids > 0 && use.shm_tot > 0);
    int found = 0, any = 0;
    for (int i = 0; i <= highest; i++) {
        found += shmctl(i, SHM_STAT, &status) == id;
        any += shmctl(i, SHM_STAT_ANY, &status) == id;
    }
    expect(found == 1 && any == 1 && shmctl(id, IPC_RMID, NULL) == 0 && shmctl(0, 99, NULL) == -1 && errno == EINVAL);
    printf("memory\n");
}

static int set;
static int step(int index, int change, int flags) {
    struct sembuf operation = {index, change, flags};
    return semop(set, &operation, 1);
}
static int value(int index) { return semctl(set, index, GETVAL); }
static void *wait_for_two(void *result) {
    struct sembuf both[2] = {{0, -1, 0}, {1, -2, 0}};
    *(int *)result = semop(set, both, 2) == 0 ? 1 : -errno;
    return NULL;
}
static void *wait_for_zero(void *result) {
    *(int *)result = step(2, 0, 0) == 0 ? 1 : -errno;
    return NULL;
}
static void wake(int signal) { (void)signal; }
// Signals come until one has found it waiting, which it then says.
static void interrupt(pid_t pid, int told) {
    struct pollfd entry = {told, POLLIN, 0};
    do
        expect(kill(pid, SIGUSR1) == 0);
    while (poll(&entry, 1, 10) == 0);
}

static void semaphores(void) {
    key_t key = own_key(2);
    expect(semget(key, 3, 0) == -1 && errno == ENOENT && semget(key, 0, IPC_CREAT | 0600) == -1 && errno == EINVAL);
    set = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);
    expect(set >= 0 && semget(key, 0, 0) == set && semget(key, 4, 0) == -1 && errno == EINVAL && is_listed("/proc/sysvipc/sem", set));
    unsigned short values[3] = {5, 6, 7}, got[3];
    expect(semctl(set, 0, SETALL, (union semun){.values = values}) == 0 && semctl(set, 0, GETALL, (union semun){.values = got}) == 0 && memcmp(values, got, 6) == 0);
    expect(semctl(set, 1, SETVAL, (union semun){.value = 0}) == 0 && value(0) == 5 && value(1) == 0 && value(2) == 7 && semctl(set, 0, GETPID) == getpid());
    expect(semctl(set, 3, GETVAL) == -1 && errno == EINVAL && semctl(set, 0, SETVAL, (union semun){.value = 40000}) == -1 && errno == ERANGE);
    expect(step(0, -5, 0) == 0 && value(0) == 0 && step(0, -1, IPC_NOWAIT) == -1 && errno == EAGAIN && step(0, 0, 0) == 0);
    expect(step(2, 0, IPC_NOWAIT) == -1 && errno == EAGAIN && step(9, 1, 0) == -1 && errno == EFBIG && step(2, 32767, 0) == -1 && errno == ERANGE);
    struct sembuf many[2] = {{0, 3, 0}, {1, -1, IPC_NOWAIT}};
    expect(semop(set, many, 2) == -1 && errno == EAGAIN && value(0) == 0);
    expect(semop(set, many, 0) == -1 && errno == EINVAL && semop(set, many, 501) == -1 && errno == E2BIG && semop(set, (void *)16, 1) == -1 && errno == EFAULT);

    // Two who wait: one for two at once, one for none.
    pthread_t one, two;
    int first = 0, second = 0;
    expect(pthread_create(&one, NULL, wait_for_two, &first) == 0 && pthread_create(&two, NULL, wait_for_zero, &second) == 0);
    while (semctl(set, 0, GETNCNT) != 1 || semctl(set, 2, GETZCNT) != 1)
        sched_yield();
    expect(step(0, 1, 0) == 0 && step(1, 1, 0) == 0);
    while (semctl(set, 1, GETNCNT) != 1)
        sched_yield();
    expect(first == 0 && value(0) == 1 && step(1, 1, 0) == 0 && pthread_join(one, NULL) == 0 && first == 1 && value(0) == 0 && value(1) == 0);
    expect(second == 0 && step(2, -7, 0) == 0 && pthread_join(two, NULL) == 0 && second == 1);

    // Undone at the end, unless somebody has set a value since.
    pid_t pid = fork();
    if (pid == 0) {
        expect(step(0, 4, SEM_UNDO) == 0 && step(1, 2, SEM_UNDO) == 0 && step(1, 1, 0) == 0);
        expect(semctl(set, 0, SETVAL, (union semun){.value = 9}) == 0);
        _exit(4);
    }
    expect(end_of(pid) == 4 && value(0) == 9 && value(1) == 1 && semctl(set, 1, GETPID) == pid);
    expect(step(1, 3, SEM_UNDO) == 0 && syscall(SYS_unshare, 0x40000 /* CLONE_SYSVSEM */) == 0 && value(1) == 1);

    struct timespec brief = {0, 20000000}, wrong = {0, -1};
    struct sembuf much = {0, -10, 0};
    expect(semtimedop(set, &much, 1, &brief) == -1 && errno == EAGAIN && semtimedop(set, &much, 1, &wrong) == -1 && errno == EINVAL);
    much.sem_op = -9;
    expect(semtimedop(set, &much, 1, &brief) == 0 && value(0) == 0);
    // A signal ends the wait, whatever its handler is; so does removal.
    struct sigaction action = {.sa_handler = wake, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    int told[2];
    expect(pipe(told) == 0);
    pid = fork();
    if (pid == 0) {
        expect(step(0, -1, 0) == -1 && errno == EINTR && signal(SIGUSR1, SIG_IGN) != SIG_ERR && write(told[1], "x", 1) == 1);
        _exit(step(0, -1, 0) == -1 && errno == EIDRM ? 5 : 6);
    }
    interrupt(pid, told[0]);
    while (semctl(set, 0, GETNCNT) != 1)
        sched_yield();
    struct semid_ds status;
    expect(semctl(set, 0, IPC_STAT, (union semun){.status = &status}) == 0 && status.sem_nsems == 3 && status.sem_otime > 0 && status.sem_ctime > 0);
    status.sem_perm.mode = 0640;
    expect(semctl(set, 0, IPC_SET, (union semun){.status = &status}) == 0 && semctl(set, 0, IPC_STAT, (union semun){.status = &status}) == 0 && status.sem_perm.mode == 0640);
    struct seminfo limits;
    int highest = semctl(0, 0, IPC_INFO, (union semun){.limits = &limits}), found = 0, any = 0;
    expect(highest >= 0 && limits.semvmx == 32767 && limits.semopm == 500 && semctl(0, 0, SEM_INFO, (union semun){.limits = &limits}) == highest && limits.semusz > 0 && limits.semaem >= 3);
    for (int i = 0; i <= highest; i++) {
        found += semctl(i, 0, SEM_STAT, (union semun){.status = &status}) == set;
        any += semctl(i, 0, SEM_STAT_ANY, (union semun){.status = &status}) == set;
    }
    expect(found == 1 && any == 1 && semctl(set, 0, IPC_RMID) == 0 && end_of(pid) == 5);
    expect(step(0, 1, 0) == -1 && (errno == EINVAL || errno == EIDRM));
    printf("semaphores\n");
}

static struct { long type; char text[9000]; } message;
static int queue;
static int put(long type, const char *text, int flags) {
    message.type = type;
    strcpy(message.text, text);
    return msgsnd(queue, &message, strlen(text) + 1, flags);
}
static int take(long type, const char *text, int flags) {
    long length = msgrcv(queue, &message, sizeof message.text, type, flags);
    return length == (long)strlen(text) + 1 && strcmp(message.text, text) == 0;
}

static void messages(void) {
    key_t key = own_key(3);
    expect(msgget(key, 0600) == -1 && errno == ENOENT);
    queue = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
    expect(queue >= 0 && msgget(key, 0600) == queue && msgget(key, IPC_CREAT | IPC_EXCL | 0600) == -1 && errno == EEXIST && is_listed("/proc/sysvipc/msg", queue));
    expect(put(0, "x", 0) == -1 && errno == EINVAL && msgsnd(queue, &message, 8193, 0) == -1 && errno == EINVAL);
    expect(put(5, "five", 0) == 0 && put(3, "three", 0) == 0 && put(5, "again", 0) == 0 && put(9, "nine", 0) == 0);
    struct msqid_ds status;
    expect(msgctl(queue, IPC_STAT, &status) == 0 && status.msg_qnum == 4 && status.__msg_cbytes == 22 && status.msg_qbytes == 16384 && status.msg_lspid == getpid() && status.msg_stime > 0);
    expect(take(9, "nine", 0) && message.type == 9 && take(-4, "three", 0) && message.type == 3 && take(5, "five", 0));
    expect(msgrcv(queue, &message, 100, 7, IPC_NOWAIT) == -1 && errno == ENOMSG && msgrcv(queue, &message, 2, 0, 0) == -1 && errno == E2BIG);
    expect(msgrcv(queue, &message, 2, 0, MSG_NOERROR) == 2 && message.type == 5 && memcmp(message.text, "ag", 2) == 0);
    expect(put(1, "one", 0) == 0 && put(2, "two", 0) == 0 && take(1, "two", MSG_EXCEPT) && take(0, "one", 0));
    // A full queue makes senders wait, an empty one receivers.
    memset(message.text, 'x', 8192);
    message.type = 1;
    expect(msgsnd(queue, &message, 8192, 0) == 0 && msgsnd(queue, &message, 8192, 0) == 0 && msgsnd(queue, &message, 1, IPC_NOWAIT) == -1 && errno == EAGAIN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(put(4, "late", 0) == 0 && msgrcv(queue, &message, 100, 77, 0) == 4 && message.text[0] == 'o' ? 6 : 7);
    usleep(20000);
    expect(msgrcv(queue, &message, 8192, 0, 0) == 8192 && msgrcv(queue, &message, 8192, 1, 0) == 8192 && take(4, "late", 0));
    expect(put(77, "oh!", 0) == 0 && end_of(pid) == 6);
    // Shorter queues, signals, removal.
    expect(msgctl(queue, IPC_STAT, &status) == 0 && status.msg_qnum == 0 && status.msg_lrpid == pid && status.msg_rtime > 0);
    status.msg_qbytes = 10;
    expect(msgctl(queue, IPC_SET, &status) == 0 && put(1, "12345678901", IPC_NOWAIT) == -1 && errno == EAGAIN && put(1, "123456789", IPC_NOWAIT) == 0 && take(0, "123456789", 0));
    int told[2];
    expect(pipe(told) == 0);
    pid = fork();
    if (pid == 0) {
        expect(msgrcv(queue, &message, 100, 0, 0) == -1 && errno == EINTR && signal(SIGUSR1, SIG_IGN) != SIG_ERR && write(told[1], "x", 1) == 1);
        _exit(msgrcv(queue, &message, 100, 0, 0) == -1 && (errno == EIDRM || errno == EINVAL) ? 8 : 9);
    }
    interrupt(pid, told[0]);
    struct msginfo limits;
    int highest = msgctl(0, IPC_INFO, (void *)&limits), found = 0, any = 0;
    expect(highest >= 0 && limits.msgmax == 8192 && limits.msgmnb == 16384 && msgctl(0, MSG_INFO, (void *)&limits) == highest && limits.msgpool > 0);
    for (int i = 0; i <= highest; i++) {
        found += msgctl(i, MSG_STAT, &status) == queue;
        any += msgctl(i, MSG_STAT_ANY, &status) == queue;
    }
    expect(found == 1 && any == 1 && msgctl(queue, IPC_RMID, NULL) == 0 && end_of(pid) == 8 && msgsnd(queue, &message, 1, 0) == -1 && (errno == EINVAL || errno == EIDRM));
    printf("messages\n");
}

int main(void) {
    memory();
    semaphores();
    messages();
    return 0;
}
