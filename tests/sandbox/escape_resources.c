/* escape_resources.c - attacks: memory, disk and output without end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/sandbox/escape.h"

#define MIB ((size_t)1 << 20)
#define TOO_MUCH 1024 /* MiB: far above the limit in the tests */

static size_t eat(size_t most)
{
    size_t n = 0;
    char *p;
    while (n < most && (p = malloc(MIB))) {
        memset(p, 1, MIB);
        n++;
    }
    return n;
}

static void eat_memory(const char *unused)
{
    (void)unused;
    escaped_if(eat(TOO_MUCH) == TOO_MUCH, "a gigabyte");
}

static void eat_together(const char *unused)
{
    (void)unused;
    for (int i = 0; i < 12; i++) {
        if (fork() == 0)
            break;
    }
    eat(TOO_MUCH);
    pause();
}

static void eat_stack(const char *argument)
{
    volatile char here[65536];
    here[0] = 1;
    if (here[0])
        eat_stack(argument);
    here[1] = 1;
}

static void memory_file(const char *unused)
{
    (void)unused;
    tried("memfd_create", syscall(SYS_memfd_create, "x", 0));
    tried("memfd_secret", syscall(447, 0));
}

static void shared_segment(const char *unused)
{
    (void)unused;
    tried("shmget", shmget(IPC_PRIVATE, MIB, IPC_CREAT | 0600));
    tried("msgget", syscall(SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0600));
    tried("semget", syscall(SYS_semget, IPC_PRIVATE, 1, IPC_CREAT | 0600));
}

/* A segment of somebody else, whose key is known. */
static void find_segment(const char *key)
{
    tried("shmget", shmget((key_t)strtol(key, NULL, 10), 1, 0));
}

/* Pages that stay although nobody has them mapped. */
static void shared_mapping(const char *unused)
{
    (void)unused;
    void *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    escaped_if(p != MAP_FAILED, "shared memory without a name");
    int fd = open("/dev/zero", O_RDWR);
    p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    escaped_if(p != MAP_FAILED, "shared memory of /dev/zero");
}

/* Shared memory by name is there, in the counted file system. */
static void named_memory(const char *unused)
{
    struct stat here, there;
    (void)unused;
    int fd = open("/dev/shm/x", O_CREAT | O_RDWR, 0600);
    escaped_if(fd >= 0 && fstat(fd, &there) == 0 && stat(".", &here) == 0 &&
                   here.st_dev != there.st_dev,
               "a file system of its own");
}

static void lock_memory(const char *unused)
{
    static char bytes[1 << 16];
    (void)unused;
    tried("mlock", mlock(bytes, sizeof bytes));
    tried("mlockall", mlockall(MCL_CURRENT));
}

static void large_pipes(const char *unused)
{
    int p[2];
    (void)unused;
    if (pipe(p) == 0)
        tried("F_SETPIPE_SZ", fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
}

static void many_descriptors(const char *unused)
{
    int n = 0, s[2];
    (void)unused;
    while (n < 1000 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0)
        n++;
    escaped_if(n == 1000, "two thousand descriptors");
}

static void fill_disk(const char *unused)
{
    static char bytes[1 << 16];
    size_t written = 0;
    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    memset(bytes, 1, sizeof bytes);
    for (int i = 0; i < 200 && written < 256 * MIB; i++) {
        char name[32];
        ssize_t n;
        snprintf(name, sizeof name, "file%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        while (written < 256 * MIB && (n = write(fd, bytes, sizeof bytes)) > 0)
            written += (size_t)n;
        close(fd);
    }
    escaped_if(written >= 256 * MIB, "256 MiB on the disk");
}

static void fill_inodes(const char *unused)
{
    long n = 0;
    (void)unused;
    for (; n < 20000; n++) {
        char name[32];
        snprintf(name, sizeof name, "inode%ld", n);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            break;
        close(fd);
    }
    escaped_if(n == 20000, "20,000 files");
}

static void deep_folders(const char *unused)
{
    long n = 0;
    (void)unused;
    while (n < 20000 && mkdir("d", 0700) == 0 && chdir("d") == 0)
        n++;
    escaped_if(n == 20000, "20,000 folders");
}

static void huge_file(const char *unused)
{
    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("huge", O_CREAT | O_RDWR, 0600);
    tried("ftruncate", ftruncate(fd, (off_t)1 << 40));
    tried("fallocate", posix_fallocate(fd, 0, (off_t)1 << 32) == 0 ? 0 : -1);
}

static void write_on(int fd)
{
    static char bytes[1 << 16];
    memset(bytes, 'x', sizeof bytes);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
}

static void flood_output(const char *unused)
{
    (void)unused;
    write_on(1);
}

static void flood_errors(const char *unused)
{
    (void)unused;
    write_on(2);
}

static void flood_later(const char *unused)
{
    (void)unused;
    if (fork() != 0)
        return;
    setsid();
    write_on(1);
}

const struct attack resource_attacks[] = {
    {"eat-memory", eat_memory},         {"eat-together", eat_together},
    {"eat-stack", eat_stack},           {"memory-file", memory_file},
    {"shared-segment", shared_segment}, {"find-segment", find_segment},
    {"shared-mapping", shared_mapping}, {"named-memory", named_memory},
    {"lock-memory", lock_memory},       {"large-pipes", large_pipes},
    {"many-descriptors", many_descriptors}, {"fill-disk", fill_disk},
    {"fill-inodes", fill_inodes},       {"deep-folders", deep_folders},
    {"huge-file", huge_file},           {"flood-output", flood_output},
    {"flood-errors", flood_errors},     {"flood-later", flood_later},
    {NULL, NULL},
};
