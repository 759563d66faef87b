/* canaries.h - things outside a sandbox that nothing inside may reach, and whether one was. */
#ifndef TP_TESTS_CANARIES_H
#define TP_TESTS_CANARIES_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/check.h"

#define CANARY_TEXT "a secret of this machine\n"

struct canaries {
    char dir[64], file[96], pid_text[16], port[16], abstract[48], cookie[32], key[16];
    struct stat file_stat;
    pid_t pid;
    int listeners[3], open_file, segment;
};

static int canary_listener(int family, int type, const void *address, socklen_t n)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, address, n) == 0);
    if (type == SOCK_STREAM)
        CHECK(listen(fd, 4) == 0);
    return fd;
}

static void canaries_listen(struct canaries *c)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t n = sizeof in;
    c->listeners[0] = canary_listener(AF_INET, SOCK_STREAM, &in, sizeof in);
    CHECK(getsockname(c->listeners[0], (struct sockaddr *)&in, &n) == 0);
    c->listeners[1] = canary_listener(AF_INET, SOCK_DGRAM, &in, sizeof in);
    snprintf(c->port, sizeof c->port, "%d", ntohs(in.sin_port));
    snprintf(c->abstract, sizeof c->abstract, "thinkpipe-canary-%d", (int)getpid());
    memcpy(un.sun_path + 1, c->abstract, strlen(c->abstract));
    c->listeners[2] = canary_listener(AF_UNIX, SOCK_STREAM, &un,
                                      (socklen_t)(sizeof un.sun_family + 1 + strlen(c->abstract)));
}

static void canaries_open(struct canaries *c)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof cookie;
    snprintf(c->dir, sizeof c->dir, "/tmp/canary-%d", (int)getpid());
    snprintf(c->file, sizeof c->file, "%s/file", c->dir);
    CHECK(mkdir(c->dir, 0700) == 0 && chmod(c->dir, 0777) == 0);
    int fd = open(c->file, O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && write(fd, CANARY_TEXT, strlen(CANARY_TEXT)) > 0 && fchmod(fd, 0666) == 0);
    c->open_file = fd; /* inherited by whoever does not close it */
    CHECK(fstat(fd, &c->file_stat) == 0);
    canaries_listen(c);
    CHECK(getsockopt(c->listeners[2], SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &n) == 0);
    snprintf(c->cookie, sizeof c->cookie, "%llu", (unsigned long long)cookie);
    int key = 0x7468 + (int)getpid();
    c->segment = shmget(key, 4096, IPC_CREAT | 0666);
    snprintf(c->key, sizeof c->key, "%d", key);
    fflush(stdout);
    c->pid = fork();
    if (c->pid == 0) {
        for (;;)
            pause();
    }
    snprintf(c->pid_text, sizeof c->pid_text, "%d", (int)c->pid);
}

/* NULL, or what was done to which of them. */
static const char *canaries_harm(const struct canaries *c)
{
    char text[64] = "";
    struct stat st;
    int status;
    if (waitpid(c->pid, &status, WNOHANG | WUNTRACED) != 0)
        return "the process was stopped or killed";
    int fd = open(c->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0 || fstat(fd, &st) < 0)
        return "the file is gone";
    close(fd);
    if (strcmp(text, CANARY_TEXT) != 0)
        return "the file was written";
    if (st.st_mode != c->file_stat.st_mode || st.st_mtime != c->file_stat.st_mtime ||
        st.st_nlink != c->file_stat.st_nlink)
        return "the file was changed";
    for (int i = 0; i < 3; i++) {
        char byte;
        fd = i == 1 ? (int)recv(c->listeners[i], &byte, 1, 0) : accept(c->listeners[i], NULL, NULL);
        if (fd >= 0)
            return "somebody called";
    }
    return NULL;
}

static void canaries_close(struct canaries *c)
{
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    for (int i = 0; i < 3; i++)
        close(c->listeners[i]);
    close(c->open_file);
    if (c->segment >= 0)
        shmctl(c->segment, IPC_RMID, NULL);
    unlink(c->file);
    rmdir(c->dir);
}

#endif
