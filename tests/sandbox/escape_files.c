/* escape_files.c - attacks: files and secrets. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sandbox/escape.h"

extern char **environ;

static void open_each(const char *const *paths, int flags)
{
    for (; *paths; paths++)
        tried(*paths, open(*paths, flags, 0644));
}

static void read_secrets(const char *unused)
{
    static const char *const paths[] = {"/etc/shadow", "/etc/gshadow", "/etc/hostname",
                                        "/etc/resolv.conf", "/etc/ssh", "/var/log", "/run", "/opt",
                                        "/srv", "/boot", NULL};
    (void)unused;
    open_each(paths, O_RDONLY);
}

static void read_homes(const char *unused)
{
    static const char *const paths[] = {"/root", "/home", "/root/.bashrc", "/root/.ssh",
                                        "/../root", "/tmp/../root", NULL};
    (void)unused;
    open_each(paths, O_RDONLY);
}

static void read_proc(const char *unused)
{
    static const char *const paths[] = {"/proc/1/environ", "/proc/self/environ", "/proc/1/mem",
                                        "/proc/cpuinfo", "/proc/self/fd", "/proc/1/root/etc",
                                        "/proc/sys/kernel", "/proc/kcore", NULL};
    (void)unused;
    open_each(paths, O_RDONLY);
}

static void read_sys(const char *unused)
{
    static const char *const paths[] = {"/sys", "/sys/class", "/sys/fs/cgroup", "/sys/firmware",
                                        NULL};
    (void)unused;
    open_each(paths, O_RDONLY);
}

static void read_devices(const char *unused)
{
    static const char *const paths[] = {
        "/dev/mem",  "/dev/kmsg", "/dev/vda",   "/dev/sda",     "/dev/nvidia0", "/dev/tty",
        "/dev/ptmx", "/dev/fuse", "/dev/kvm",   "/dev/net/tun", "/dev/zero",    "/dev/pts",
        "/dev",      "/dev/port", "/dev/loop0", NULL};
    (void)unused;
    open_each(paths, O_RDONLY);
}

/* The sandbox has a file of that name, which is not the machine's. */
static void read_passwd(const char *unused)
{
    char text[4096] = "";
    FILE *f = fopen("/etc/passwd", "r");
    (void)unused;
    if (f && fread(text, 1, sizeof text - 1, f) > 0)
        escaped_if(strstr(text, "root:") != NULL, "the machine's users");
}

static void read_canary(const char *canary)
{
    tried("read", open(canary, O_RDONLY));
}

static void see_canary(const char *canary)
{
    struct stat st;
    tried("stat", stat(canary, &st));
    tried("access", access(canary, F_OK));
    tried("stat of /etc/shadow", stat("/etc/shadow", &st));
}

static void write_canary(const char *canary)
{
    tried("write", open(canary, O_WRONLY));
    tried("truncate on open", open(canary, O_WRONLY | O_TRUNC));
    tried("truncate", truncate(canary, 0));
}

static void write_system(const char *unused)
{
    static const char *const paths[] = {"/usr/x",     "/usr/bin/x", "/usr/lib/x", "/etc/passwd",
                                        "/etc/x",     "/dev/x",     "/x",         "/bin/x",
                                        "/var/tmp/x", "/root/x",    "../x",       "../../../x",
                                        "/proc/x",    "/sys/x",     "/home/x",    NULL};
    (void)unused;
    open_each(paths, O_CREAT | O_WRONLY);
}

static void write_by_link(const char *canary)
{
    if (symlink(canary, "link") == 0)
        tried("through a symbolic link", open("link", O_WRONLY));
    if (symlink("/usr/bin", "bin") == 0)
        tried("through a link to a folder", open("bin/x", O_CREAT | O_WRONLY, 0644));
    tried("hard link", link(canary, "hard"));
    tried("hard link to /usr", link("/usr/bin/true", "hard"));
}

static void move_canary(const char *canary)
{
    tried("rename to here", rename(canary, "mine"));
    tried("unlink", unlink(canary));
    tried("rename over a program", rename("nothing", "/usr/bin/true"));
    tried("rmdir", rmdir("/usr/games"));
    tried("mkdir", mkdir("/usr/mine", 0755));
}

static void change_canary(const char *canary)
{
    tried("chmod", chmod(canary, 0600));
    tried("utime", utimensat(AT_FDCWD, canary, NULL, 0));
    tried("chown", chown(canary, 1000, 1000));
    tried("chmod of /usr", chmod("/usr/bin/true", 0));
}

static void make_devices(const char *unused)
{
    (void)unused;
    tried("block device", mknod("block", S_IFBLK | 0600, makedev(254, 0)));
    tried("character device", mknod("memory", S_IFCHR | 0600, makedev(1, 1)));
}

static void leave_root(const char *unused)
{
    (void)unused;
    tried("chroot", chroot("."));
    for (int i = 0; i < 64; i++) {
        if (chdir("..") < 0)
            break;
    }
    tried("root's home from above", open("root", O_RDONLY));
    tried("the place of the old root", open("old", O_RDONLY));
}

/* More of the machine than a program needs. */
static void look_around(const char *unused)
{
    (void)unused;
    escaped_if(opendir("/etc") != NULL, "list /etc");
    escaped_if(opendir("/") != NULL, "list /");
    tried("/usr/local", open("/usr/local", O_RDONLY | O_DIRECTORY));
    tried("/usr/sbin", open("/usr/sbin", O_RDONLY | O_DIRECTORY));
}

static void read_keys(const char *unused)
{
    (void)unused;
    for (char **e = environ; *e; e++)
        escaped_if(strstr(*e, "KEY") || strstr(*e, "SECRET"), *e);
}

static void use_descriptors(const char *unused)
{
    char bytes[512];
    (void)unused;
    memset(bytes, 1, sizeof bytes);
    for (int fd = 3; fd < 1024; fd++) {
        escaped_if(fcntl(fd, F_GETFD) >= 0, "an open descriptor");
        escaped_if(write(fd, bytes, sizeof bytes) > 0, "a report in the sandbox's name");
    }
}

static void read_name(const char *unused)
{
    struct utsname u;
    (void)unused;
    escaped_if(uname(&u) == 0 && strcmp(u.nodename, "box") != 0, "the machine's name");
}

static void become_root(const char *unused)
{
    static const char *const programs[] = {"/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd",
                                           "/usr/bin/newgrp"};
    (void)unused;
    tried("setuid", setuid(0));
    tried("setgid", setgid(0));
    escaped_if(geteuid() == 0, "is root");
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        pid_t pid = fork();
        int status = 0;
        if (pid == 0) {
            int null = open("/dev/null", O_RDWR);
            dup2(null, 0);
            dup2(null, 1);
            dup2(null, 2);
            execl(programs[i], programs[i], "-c", "true", (char *)NULL);
            _exit(99);
        }
        waitpid(pid, &status, 0);
        escaped_if(pid > 0 && i == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "su");
    }
}

const struct attack file_attacks[] = {
    {"read-secrets", read_secrets},   {"read-homes", read_homes},
    {"read-proc", read_proc},         {"read-sys", read_sys},
    {"read-devices", read_devices},   {"read-passwd", read_passwd},
    {"read-canary", read_canary},     {"see-canary", see_canary},
    {"write-canary", write_canary},   {"write-system", write_system},
    {"write-by-link", write_by_link}, {"move-canary", move_canary},
    {"change-canary", change_canary}, {"make-devices", make_devices},
    {"leave-root", leave_root},       {"look-around", look_around},
    {"read-keys", read_keys},
    {"use-descriptors", use_descriptors}, {"read-name", read_name},
    {"become-root", become_root},     {NULL, NULL},
};
