/* sandbox_root.c - the files a program in the sandbox sees: mounts, and Landlock on top of them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/sandbox_internal.h"

/* Newer than Debian 12's headers. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ACCESS_IOCTL (1ULL << 15)

struct landlock_rules { /* grows with the version: struct landlock_ruleset_attr */
    uint64_t files, network, scope;
};

/* Mounts. */

static void make_read_only(const char *path, bool recursive)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    if (recursive)
        a.attr_set |= MOUNT_ATTR_NODEV;
    if (mount_setattr(AT_FDCWD, path, recursive ? AT_RECURSIVE : 0, &a, sizeof a) < 0)
        sandbox_fail("mount namespace: mount_setattr");
}

static void bind(const char *from, const char *to)
{
    if (mount(from, to, NULL, MS_BIND | MS_REC | MS_SILENT, NULL) < 0)
        sandbox_fail("mount namespace: bind");
    make_read_only(to, true);
}

static void put(const char *path, const char *text)
{
    size_t n = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n)
        sandbox_fail("mount namespace: new file");
    close(fd);
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0755) < 0)
        sandbox_fail("mount namespace: mkdir");
}

/* /bin and the like: links into /usr on most systems, folders of their own on some. */
static void make_tops(void)
{
    static const char *const tops[] = {"bin", "lib", "lib64", "lib32"};
    for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
        char path[16], target[64];
        snprintf(path, sizeof path, "/%s", tops[i]);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n > 0) {
            target[n] = '\0';
            if (symlink(target, tops[i]) < 0)
                sandbox_fail("mount namespace: symlink");
        } else if (errno == EINVAL) {
            make_dir(tops[i]);
            bind(path, tops[i]);
        }
    }
}

static void make_etc(void)
{
    make_dir("etc");
    put("etc/passwd", "user:x:1000:1000::" BOX ":/bin/sh\n");
    put("etc/group", "user:x:1000:\n");
    put("etc/hosts", "127.0.0.1 localhost\n");
    if (access("/etc/ld.so.cache", R_OK) == 0) {
        put("etc/ld.so.cache", "");
        bind("/etc/ld.so.cache", "etc/ld.so.cache");
    }
    if (access("/etc/alternatives", R_OK) == 0) {
        make_dir("etc/alternatives");
        bind("/etc/alternatives", "etc/alternatives");
    }
}

static void make_dev(void)
{
    /* Not zero: mapped, it is shared memory. */
    static const char *const devices[] = {"null", "random", "urandom"};
    make_dir("dev");
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
        char from[32], to[32];
        snprintf(from, sizeof from, "/dev/%s", devices[i]);
        snprintf(to, sizeof to, "dev/%s", devices[i]);
        put(to, "");
        if (mount(from, to, NULL, MS_BIND | MS_SILENT, NULL) < 0)
            sandbox_fail("mount namespace: device");
    }
}

/* One small file system is the root; what is to be written goes into another one in it. */
void sandbox_build_root(const struct sandbox *s, const struct sandbox_limits *l)
{
    char options[96];
    if (mount(NULL, "/", NULL, MS_REC | MS_SILENT | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV,
              "size=256k,nr_inodes=64,mode=755") < 0 ||
        chdir("/tmp") < 0)
        sandbox_fail("mount namespace: root");
    make_dir("usr");
    bind("/usr", "usr");
    make_tops();
    make_etc();
    make_dev();
    make_dir("box");
    /* Shared memory by name and temporary files are counted with the rest. */
    if (symlink(BOX, "tmp") < 0 || symlink(BOX, "dev/shm") < 0)
        sandbox_fail("mount namespace: symlink");
    snprintf(options, sizeof options, "size=%lld,nr_inodes=%d,mode=700", (long long)l->disk_bytes,
             l->n_inodes);
    if (s->without & LAYER_DISK)
        snprintf(options, sizeof options, "size=0,nr_inodes=0,mode=700");
    if (mount("tmpfs", "box", "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        sandbox_fail("mount namespace: " BOX);
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        sandbox_fail("mount namespace: pivot_root");
    make_read_only("/", false);
    if (chdir(BOX) < 0)
        sandbox_fail("mount namespace: " BOX);
}

/* Landlock. */

static void allow(int rules, const char *path, uint64_t access)
{
    const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                              LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |
                              ACCESS_IOCTL;
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return;
    if (fd < 0 || fstat(fd, &st) < 0)
        sandbox_fail("Landlock: open");
    struct landlock_path_beneath_attr a = {
        .allowed_access = S_ISDIR(st.st_mode) ? access : access & of_files, .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) < 0)
        sandbox_fail("Landlock: landlock_add_rule");
    close(fd);
}

/* All rights over files that this kernel's version knows. */
static uint64_t all_rights(int version)
{
    uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    if (version >= 2)
        all |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        all |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (version >= 5)
        all |= ACCESS_IOCTL;
    return all;
}

static void allow_paths(const struct sandbox *s, int rules, uint64_t all, bool runs_files)
{
    static const char *const readable[] = {
        "/usr/bin",   "/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/libexec", "/usr/include",
        "/usr/share", "/bin",     "/lib",       "/lib64",     "/lib32",       "/etc/alternatives",
    };
    static const char *const files[] = {"/etc/passwd", "/etc/group", "/etc/hosts",
                                        "/etc/ld.so.cache"};
    static const char *const devices[] = {"/dev/null", "/dev/random", "/dev/urandom"};
    const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE, write = LANDLOCK_ACCESS_FS_WRITE_FILE,
                   run = LANDLOCK_ACCESS_FS_EXECUTE, list = LANDLOCK_ACCESS_FS_READ_DIR;
    const uint64_t nodes = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    for (size_t i = 0; i < ARRAY_SIZE(readable); i++)
        allow(rules, readable[i], (read | list | run) & all);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        allow(rules, files[i], read & all);
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        allow(rules, devices[i], (read | write | LANDLOCK_ACCESS_FS_TRUNCATE) & all);
    const char *box = s->without & LAYER_MOUNT ? "/tmp" : BOX;
    allow(rules, box, all & ~nodes & ~(runs_files ? 0 : run));
}

void sandbox_restrict_files(const struct sandbox *s, bool runs_files)
{
    int version = s->landlock_version;
    uint64_t all = all_rights(version);
    /* From version 4 on also no TCP, from 6 on no signals and abstract sockets outside. */
    struct landlock_rules a = {all, version >= 4 ? 3 : 0, version >= 6 ? 3 : 0};
    size_t size = version >= 6 ? sizeof a : version >= 4 ? 2 * sizeof a.files : sizeof a.files;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0);
    if (rules < 0)
        sandbox_fail("Landlock: landlock_create_ruleset");
    allow_paths(s, rules, all, runs_files);
    if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        sandbox_fail("Landlock: landlock_restrict_self");
    close(rules);
}
