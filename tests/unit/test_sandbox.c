/* The sandbox: attacks from inside, as root and as an ordinary user; each layer left out; refusals;
 * nothing left behind; the same ends on a busy machine. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/mem.h"
#include "reward/sandbox_internal.h"
#include "tests/unit/canaries.h"
#include "tests/unit/check.h"

static struct strbuf escape; /* the hostile program */
static char escape_name[64];

static struct sandbox_limits tight(void)
{
    struct sandbox_limits l = sandbox_default_limits;
    l.cpu_seconds = 0.25;
    l.idle_seconds = 0.25;
    l.memory_bytes = (int64_t)256 << 20;
    l.output_bytes = (int64_t)1 << 20;
    return l;
}

static void read_escape(void)
{
    struct err err = {0};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    self[n > 0 ? n : 0] = '\0';
    char *dir = path_dirname(self), *path = path_join(dir, "../sandbox/escape");
    if (file_read(path, &escape, &err) < 0) {
        printf("%s (make units builds it)\n", err.text);
        exit(1);
    }
    snprintf(escape_name, sizeof escape_name, "escape-%d", (int)getpid());
    free(path);
    free(dir);
}

/* Processes on this machine that run the hostile program; sends them a signal, too. */
static int signal_survivors(int signal)
{
    DIR *dir = opendir("/proc");
    int n = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct err err = {0};
        struct strbuf text = {0};
        char *path = xasprintf("/proc/%s/cmdline", e->d_name);
        pid_t pid = (pid_t)atoi(e->d_name);
        if (pid > 0 && file_read(path, &text, &err) == 0 && text.len &&
            strstr(text.buf, escape_name)) {
            n++;
            kill(pid, signal);
        }
        strbuf_release(&text);
        free(path);
    }
    if (dir)
        closedir(dir);
    return n;
}

static int count_survivors(void)
{
    return signal_survivors(0);
}

/* They are killed when their process 1 ends, which the parent has waited for; a busy machine takes its
 * time. */
static bool any_survivor(void)
{
    for (int i = 0; i < 1000 && count_survivors() > 0; i++)
        usleep(10000);
    return count_survivors() > 0;
}

struct attempt {
    struct sandbox_result r;
    bool refused; /* sandbox_run() failed */
    struct err err;
};

static struct attempt run_escape(const struct sandbox *s, const struct sandbox_limits *l,
                                 const char *name, const char *argument)
{
    struct attempt a = {0};
    char *path = xasprintf("%s/%s", s->without & LAYER_MOUNT ? "/tmp" : BOX, escape_name);
    const char *argv[] = {path, name, argument, NULL};
    struct sandbox_file file = {escape_name, escape.buf, escape.len};
    /* One attack is about running one's own files; it is put in place as any other program is. */
    bool own = strcmp(name, "run-own-code") != 0;
    struct sandbox_program p = {.argv = argv, .files = &file, .n_files = 1, .runs_files = own};
    if (!own) {
        static const char *const shell[] = {
            "/bin/sh", "-c", "cp /usr/bin/true own; chmod 700 own; ./own && echo ESCAPED: own", NULL};
        p.argv = shell;
    }
    a.refused = sandbox_run(s, l, &p, &a.r, 1, &a.err) < 0;
    if (s->without & LAYER_MOUNT) {
        char *left = xasprintf("/tmp/%s", escape_name);
        unlink(left);
        free(left);
    }
    free(path);
    return a;
}

static bool says(const struct strbuf *s, const char *what)
{
    return s->len > 0 && memmem(s->buf, s->len, what, strlen(what)) != NULL;
}

static const char *argument_of(const struct canaries *c, const char *kind)
{
    return strcmp(kind, "FILE") == 0     ? c->file
           : strcmp(kind, "PID") == 0    ? c->pid_text
           : strcmp(kind, "PORT") == 0   ? c->port
           : strcmp(kind, "NAME") == 0   ? c->abstract
           : strcmp(kind, "COOKIE") == 0 ? c->cookie
           : strcmp(kind, "KEY") == 0    ? c->key
                                         : kind;
}

struct attack_case {
    const char *name, *argument;
    enum sandbox_end end; /* how it must end; EXITED: also by a signal; STOPPED: or OUTPUT */
};

static const struct attack_case attacks[] = {
    {"read-secrets", "", SANDBOX_EXITED},     {"read-homes", "", SANDBOX_EXITED},
    {"read-proc", "", SANDBOX_EXITED},        {"read-sys", "", SANDBOX_EXITED},
    {"read-devices", "", SANDBOX_EXITED},     {"read-passwd", "", SANDBOX_EXITED},
    {"read-canary", "FILE", SANDBOX_EXITED},  {"see-canary", "FILE", SANDBOX_EXITED},
    {"write-canary", "FILE", SANDBOX_EXITED}, {"write-system", "", SANDBOX_EXITED},
    {"write-by-link", "FILE", SANDBOX_EXITED}, {"move-canary", "FILE", SANDBOX_EXITED},
    {"change-canary", "FILE", SANDBOX_EXITED}, {"make-devices", "", SANDBOX_EXITED},
    {"leave-root", "", SANDBOX_EXITED},       {"look-around", "", SANDBOX_EXITED},
    {"run-own-code", "", SANDBOX_EXITED},     {"read-keys", "", SANDBOX_EXITED},
    {"use-descriptors", "", SANDBOX_EXITED},  {"read-name", "", SANDBOX_EXITED},
    {"become-root", "", SANDBOX_EXITED},      {"kill-canary", "PID", SANDBOX_EXITED},
    {"kill-thread", "PID", SANDBOX_EXITED},   {"kill-first", "", SANDBOX_EXITED},
    {"kill-all", "", SANDBOX_EXITED},         {"trace-canary", "PID", SANDBOX_EXITED},
    {"trace-parent", "", SANDBOX_EXITED},     {"read-memory", "PID", SANDBOX_EXITED},
    {"take-descriptors", "PID", SANDBOX_EXITED}, {"be-first", "", SANDBOX_EXITED},
    {"fork-many", "", SANDBOX_EXITED},        {"thread-many", "", SANDBOX_EXITED},
    {"zombie-many", "", SANDBOX_EXITED},      {"fork-bomb", "", SANDBOX_CPU},
    {"burn-in-turn", "", SANDBOX_CPU},        {"burn", "", SANDBOX_CPU},
    {"burn-deaf", "", SANDBOX_CPU},           {"sleep-on", "", SANDBOX_IDLE},
    {"stop-oneself", "", SANDBOX_IDLE},       {"leave-daemons", "", SANDBOX_EXITED},
    {"crash", "", SANDBOX_EXITED},            {"eat-memory", "", SANDBOX_EXITED},
    {"eat-together", "", SANDBOX_MEMORY},     {"eat-stack", "", SANDBOX_EXITED},
    {"memory-file", "", SANDBOX_EXITED},      {"shared-segment", "", SANDBOX_EXITED},
    {"find-segment", "KEY", SANDBOX_EXITED},  {"shared-mapping", "", SANDBOX_EXITED},
    {"named-memory", "", SANDBOX_EXITED},     {"lock-memory", "", SANDBOX_EXITED},
    {"large-pipes", "", SANDBOX_EXITED},      {"many-descriptors", "", SANDBOX_EXITED},
    {"fill-disk", "", SANDBOX_EXITED},        {"fill-inodes", "", SANDBOX_EXITED},
    {"deep-folders", "", SANDBOX_EXITED},     {"huge-file", "", SANDBOX_EXITED},
    {"flood-output", "", SANDBOX_OUTPUT},     {"flood-errors", "", SANDBOX_OUTPUT},
    {"flood-later", "", SANDBOX_STOPPED},      {"net-tcp", "PORT", SANDBOX_EXITED},
    {"net-udp", "PORT", SANDBOX_EXITED},      {"net-family", "2", SANDBOX_EXITED},
    {"net-family", "10", SANDBOX_EXITED},     {"net-family", "16", SANDBOX_EXITED},
    {"net-family", "17", SANDBOX_EXITED},     {"net-family", "29", SANDBOX_EXITED},
    {"net-family", "31", SANDBOX_EXITED},     {"net-family", "38", SANDBOX_EXITED},
    {"net-family", "40", SANDBOX_EXITED},     {"net-family", "44", SANDBOX_EXITED},
    {"net-abstract", "NAME", SANDBOX_EXITED}, {"net-number", "COOKIE", SANDBOX_EXITED},
    {"space-unshare", "", SANDBOX_EXITED},    {"space-clone", "", SANDBOX_EXITED},
    {"space-clone3", "", SANDBOX_EXITED},     {"space-enter", "", SANDBOX_EXITED},
    {"mount-new", "", SANDBOX_EXITED},        {"mount-again", "", SANDBOX_EXITED},
    {"calls-mount", "", SANDBOX_EXITED},      {"calls-kernel", "", SANDBOX_EXITED},
    {"calls-machine", "", SANDBOX_EXITED},    {"calls-trace", "", SANDBOX_EXITED},
    {"calls-keys", "", SANDBOX_EXITED},       {"calls-files", "", SANDBOX_EXITED},
    {"calls-ring", "", SANDBOX_EXITED},       {"calls-unknown", "", SANDBOX_EXITED},
    {"foreign-x32", "", SANDBOX_EXITED},      {"foreign-int80", "", SANDBOX_EXITED},
    {"push-characters", "", SANDBOX_EXITED},  {"regain", "", SANDBOX_EXITED},
};

static void check_attack(const struct sandbox *s, const struct canaries *c,
                         const struct attack_case *k)
{
    struct sandbox_limits l = tight();
    if (k->end == SANDBOX_MEMORY) /* it is the watch that is tried */
        l.cpu_seconds = l.idle_seconds = 20;
    if (k->end == SANDBOX_EXITED)
        l.cpu_seconds = l.idle_seconds = 5;
    struct attempt a = run_escape(s, &l, k->name, argument_of(c, k->argument));
    const char *harm = canaries_harm(c);
    CHECK_MSG(!a.refused, "%s: %s", k->name, a.err.text);
    CHECK_MSG(!says(&a.r.out, "ESCAPED"), "%s %s: %.*s", k->name, k->argument, (int)a.r.out.len,
              a.r.out.buf);
    CHECK_MSG(a.r.end == k->end || (k->end == SANDBOX_EXITED && a.r.end == SANDBOX_SIGNALED) ||
                  (k->end == SANDBOX_STOPPED && /* a race that it may win or lose */
                   (a.r.end == SANDBOX_EXITED || a.r.end == SANDBOX_OUTPUT)),
              "%s %s", k->name, sandbox_end_name(a.r.end));
    CHECK_MSG(!(a.r.end == SANDBOX_EXITED && a.r.code == 2), "%s is no attack", k->name);
    CHECK_MSG(!harm, "%s: %s", k->name, harm);
    CHECK_MSG(!any_survivor(), "%s left a process", k->name);
    sandbox_result_release(&a.r);
}

/* In the languages that models write. */
static const struct {
    const char *name, *argv[5];
    enum sandbox_end end;
} scripts[] = {
    {"python: fork bomb",
     {"/usr/bin/python3", "-sS", "-c",
      "import os\nwhile 1:\n  try: os.fork()\n  except OSError: pass"}, SANDBOX_CPU},
    {"python: memory", {"/usr/bin/python3", "-sS", "-c", "x=[]\nwhile 1: x.append(bytearray(1<<20))"},
     SANDBOX_EXITED},
    {"python: keys",
     {"/usr/bin/python3", "-sS", "-c",
      "import os\nprint('ESCAPED' if [k for k in os.environ if 'KEY' in k] else 'held')"},
     SANDBOX_EXITED},
    {"python: net",
     {"/usr/bin/python3", "-sS", "-c",
      "import socket\ntry:\n  socket.create_connection(('127.0.0.1', 22), 1)\n  print('ESCAPED')\n"
      "except OSError as e: print('ESCAPED' if e.errno == 111 else 'held')"}, SANDBOX_EXITED},
    {"python: subprocess",
     {"/usr/bin/python3", "-sS", "-c",
      "import subprocess\nr=subprocess.run(['cat','/etc/shadow','/proc/1/environ'],"
      "capture_output=True)\nprint('ESCAPED' if r.stdout else 'held')"}, SANDBOX_EXITED},
    {"python: ctypes",
     {"/usr/bin/python3", "-sS", "-c",
      "import ctypes\nc=ctypes.CDLL(None,use_errno=True)\n"
      "print('ESCAPED' if c.unshare(0x10000000)==0 or c.ptrace(16,1,0,0)==0 else 'held')"},
     SANDBOX_EXITED},
    {"python: int bomb", {"/usr/bin/python3", "-sS", "-c", "9**9**9"}, SANDBOX_CPU},
    {"sh: fork bomb", {"/bin/sh", "-c", "f() { f | f & }; (f) & wait; while :; do :; done", NULL},
     SANDBOX_CPU},
    {"sh: files", {"/bin/sh", "-c", "cat /etc/shadow /root/.* /proc/*/environ && echo ESCAPED", NULL},
     SANDBOX_EXITED},
    {"sh: core", {"/bin/sh", "-c", "kill -SEGV $$", NULL}, SANDBOX_EXITED},
};

static void check_scripts(const struct sandbox *s, const struct canaries *c)
{
    bool python = access("/usr/bin/python3", X_OK) == 0;
    if (!python)
        printf("skip: no /usr/bin/python3 for attacks in Python\n");
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        struct sandbox_program p = {.argv = scripts[i].argv};
        struct sandbox_limits l = tight();
        struct sandbox_result r;
        struct err err = {0};
        if (!python && strncmp(scripts[i].name, "python", 6) == 0)
            continue;
        if (scripts[i].end == SANDBOX_EXITED)
            l.cpu_seconds = l.idle_seconds = 5;
        int rc = sandbox_run(s, &l, &p, &r, 1, &err);
        const char *harm = canaries_harm(c);
        CHECK_MSG(rc == 0, "%s: %s", scripts[i].name, err.text);
        if (rc < 0)
            continue;
        CHECK_MSG(!says(&r.out, "ESCAPED"), "%s", scripts[i].name);
        CHECK_MSG(r.end == scripts[i].end ||
                      (scripts[i].end == SANDBOX_EXITED && r.end == SANDBOX_SIGNALED),
                  "%s %s", scripts[i].name, sandbox_end_name(r.end));
        CHECK_MSG(!harm, "%s: %s", scripts[i].name, harm);
        sandbox_result_release(&r);
    }
}

/* What each layer is good for: an attack that gets through without it. */
static const struct {
    unsigned without;
    const char *attack, *argument;
} layers[] = {
    {LAYER_USER, "become-root", ""},
    {LAYER_PID, "leave-daemons", ""},
    {LAYER_MOUNT, "see-canary", "FILE"},
    {LAYER_NET, "net-number", "COOKIE"},
    {LAYER_IPC | LAYER_SECCOMP, "find-segment", "KEY"}, /* two walls: one is not enough */
    {LAYER_UTS, "read-name", ""},
    {LAYER_LANDLOCK, "run-own-code", ""},
    {LAYER_SECCOMP, "shared-mapping", ""},
    {LAYER_SECCOMP, "space-unshare", ""},
    {LAYER_LIMITS, "fork-many", ""},
    {LAYER_DISK, "fill-inodes", ""},
    {LAYER_ENVIRONMENT, "read-keys", ""},
    {LAYER_DESCRIPTORS, "use-descriptors", ""},
    {LAYER_WATCH, "sleep-on", ""},
};

static void check_layer(const struct canaries *c, size_t i)
{
    struct err err = {0};
    struct sandbox_limits l = sandbox_default_limits;
    if (geteuid() != 0 && layers[i].without == LAYER_USER)
        return; /* an ordinary user has no other namespaces without this one */
    struct sandbox *s = sandbox_open_without(layers[i].without, &err);
    const char *name = sandbox_layer_name(layers[i].without);
    CHECK_MSG(s, "without %s: %s", name, err.text);
    if (!s)
        return;
    if (layers[i].without == LAYER_WATCH)
        l.wall_seconds = 1;
    struct attempt a = run_escape(s, &l, layers[i].attack, argument_of(c, layers[i].argument));
    bool through = says(&a.r.out, "ESCAPED") || (a.refused && layers[i].without == LAYER_WATCH) ||
                   (layers[i].without == LAYER_PID && count_survivors() > 0);
    CHECK_MSG(through, "without %s: %s is held all the same (%s %.*s)", name, layers[i].attack,
              a.err.text, (int)a.r.out.len, a.r.out.buf);
    sandbox_result_release(&a.r);
    sandbox_close(s);
}

/* Again and again: some multiply meanwhile. */
static void kill_survivors(void)
{
    for (int i = 0; i < 1000 && signal_survivors(SIGKILL) > 0; i++)
        usleep(10000);
    CHECK(!any_survivor());
}

static void check_ipc_alone(const struct canaries *c)
{
    struct err err = {0};
    struct sandbox_limits l = tight();
    struct sandbox *s = sandbox_open_without(LAYER_SECCOMP, &err);
    CHECK_MSG(s, "%s", err.text);
    if (!s)
        return;
    struct attempt a = run_escape(s, &l, "find-segment", c->key);
    CHECK(!says(&a.r.out, "ESCAPED"));
    sandbox_result_release(&a.r);
    sandbox_close(s);
}

static void test_attacks(const char *who)
{
    struct err err = {0};
    struct canaries c;
    struct sandbox *s = sandbox_open(&err);
    CHECK_MSG(s, "%s: %s", who, err.text);
    if (!s)
        return;
    canaries_open(&c);
    setenv("OPENAI_API_KEY", "sk-SECRET", 1);
    for (size_t i = 0; i < ARRAY_SIZE(attacks); i++)
        check_attack(s, &c, &attacks[i]);
    check_scripts(s, &c);
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
        check_layer(&c, i);
        if (layers[i].without == LAYER_PID)
            kill_survivors();
    }
    check_ipc_alone(&c);
    printf("%s: %zu attacks\n", who, ARRAY_SIZE(attacks) + ARRAY_SIZE(scripts));
    canaries_close(&c);
    sandbox_close(s);
}

/* Runs fn in a process of its own and takes over its checks. */
static void in_child(void (*fn)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        check_n = check_failed = 0;
        fn();
        fflush(stdout);
        _exit(check_failed ? 1 : 0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
          WEXITSTATUS(status) == 0);
}

static void as_ordinary_user(void)
{
    CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    prctl(PR_SET_DUMPABLE, 1); /* else its own /proc belongs to root */
    snprintf(escape_name, sizeof escape_name, "escape-%d", (int)getpid());
    test_attacks("ordinary user");
}

/* Refusals. */

static void refuses(const char *layer)
{
    struct err err = {0};
    struct sandbox *s = sandbox_open(&err);
    CHECK_MSG(!s && strstr(err.text, layer), "expected '%s', got '%s'", layer,
              s ? "a sandbox" : err.text);
    sandbox_close(s);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK_MSG(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(fd);
}

/* Root of a user namespace of one user, as in a container. */
static void become_namespace_root(int more)
{
    char *uid = xasprintf("0 %d 1", (int)geteuid()), *gid = xasprintf("0 %d 1", (int)getegid());
    CHECK(unshare(CLONE_NEWUSER | more) == 0);
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", uid);
    write_text("/proc/self/gid_map", gid);
    free(uid);
    free(gid);
}

/* The kernel does not bind it by RLIMIT_NPROC, because outside it is the machine's root. */
static void as_root_of_a_container(void)
{
    bool root = geteuid() == 0;
    become_namespace_root(0);
    if (root)
        refuses("resource limits");
}

static void without_user_namespaces(void)
{
    become_namespace_root(0);
    write_text("/proc/sys/user/max_user_namespaces", "0");
    refuses("user namespace");
}

static void without_net_namespaces(void)
{
    become_namespace_root(0);
    write_text("/proc/sys/user/max_net_namespaces", "0");
    refuses("network namespace");
}

static void deny_call(int number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0x00050000u | 38 /* ENOSYS */),
        BPF_STMT(BPF_RET | BPF_K, 0x7fff0000u),
    };
    struct sock_fprog prog = {ARRAY_SIZE(code), code};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, 2, &prog) == 0);
}

static void without_landlock(void)
{
    deny_call(SYS_landlock_create_ruleset);
    refuses("Landlock");
}

static void without_pivot(void)
{
    deny_call(SYS_pivot_root);
    refuses("mount namespace");
}

static void without_proc(void)
{
    become_namespace_root(CLONE_NEWNS);
    CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
    refuses("watch over /proc");
}

static void test_refusals(void)
{
    in_child(without_user_namespaces);
    in_child(without_net_namespaces);
    in_child(without_landlock);
    in_child(without_pivot);
    in_child(without_proc);
    in_child(as_root_of_a_container);
}

int main(void)
{
    struct err err = {0};
    struct sandbox *s = sandbox_open(&err);
    if (!s) {
        printf("skip: %s\n", err.text);
        return 77;
    }
    sandbox_close(s);
    read_escape();
    if (geteuid() == 0) {
        test_attacks("root");
        in_child(as_ordinary_user);
    } else {
        test_attacks("ordinary user");
    }
    test_refusals();
    strbuf_release(&escape);
    return check_done();
}
