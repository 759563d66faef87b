/* verifier_exec.c - the verifier `exec`: any program that reads and writes JSON lines. */
#include "reward/verifier_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "reward/offspring.h"
#include "reward/verifier_judge.h"

#define MAX_REPLY (1 << 20)

static struct {
    const char *command;
    double cpu_seconds, wall_seconds;
    int64_t memory_mib;
} options = {.cpu_seconds = 10, .wall_seconds = 60, .memory_mib = 1024};

const struct opt exec_option_table[] = {
    OPT_GROUP("Verifier exec"),
    OPT_STR(0, "exec", &options.command, "COMMAND",
            "a program with its arguments that reads responses and writes scores, JSON lines"),
    OPT_FLOAT(0, "exec-cpu", &options.cpu_seconds, "S", "CPU time for one response, whole seconds",
              1, 86400),
    OPT_FLOAT(0, "exec-wall", &options.wall_seconds, "S", "wall time for one response", 0.01,
              86400),
    OPT_INT(0, "exec-memory", &options.memory_mib, "MIB", "memory of the command, MiB", 16,
            1 << 20),
    OPT_END,
};

static void exec_settings(struct strbuf *out)
{
    strbuf_addf(out, "%s ", options.command ? options.command : "");
}

/* The command of this process. */
static struct {
    pid_t pid; /* 0 = not started */
    int in, out;
    struct strbuf reply;
} program;

static void set_limit(int what, rlim_t limit)
{
    struct rlimit r = {limit, limit};
    setrlimit(what, &r); /* a lower hard limit is a stricter one */
}

static void run_command(int in, int out)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(127);
    close_range(3, ~0U, 0);
    unsetenv(judge_key_variable()); /* a secret of the judge's */
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_AS, (rlim_t)options.memory_mib << 20);
    /* The program is this process, so that its limits can be moved. */
    execl("/bin/sh", "sh", "-c", xasprintf("exec %s", options.command), (char *)NULL);
    _exit(127);
}

static int start(struct err *err)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) < 0)
        return err_errno(err, "cannot start '%s'", options.command);
    if (pipe2(from, O_CLOEXEC) < 0) {
        close(to[0]);
        close(to[1]);
        return err_errno(err, "cannot start '%s'", options.command);
    }
    signal(SIGPIPE, SIG_IGN); /* a command that ends is noticed when it does not answer */
    offspring_adopt();
    pid_t pid = fork();
    if (pid == 0)
        run_command(to[0], from[1]);
    close(to[0]);
    close(from[1]);
    if (pid < 0) {
        err_errno(err, "cannot start '%s'", options.command);
        close(to[1]);
        close(from[0]);
        return -1;
    }
    setpgid(pid, pid);
    fcntl(to[1], F_SETFL, O_NONBLOCK);
    program.pid = pid;
    program.in = to[1];
    program.out = from[0];
    return 0;
}

/* Kills the command and all that it started; returns its status. */
static int stop(void)
{
    int status = 0;
    kill(-program.pid, SIGKILL);
    while (waitpid(program.pid, &status, 0) < 0 && errno == EINTR)
        continue;
    offspring_kill(NULL, 0);
    close(program.in);
    close(program.out);
    strbuf_release(&program.reply);
    program.pid = 0;
    return status;
}

/* Waits for what the command left behind and has ended; the command itself is stop()'s. */
static void reap(void)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0 &&
           info.si_pid != program.pid) {
        waitpid(info.si_pid, NULL, 0);
        info.si_pid = 0;
    }
}

/* Lets it use so many more seconds; the kernel counts whole ones. */
static void allow_cpu(double seconds)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(program.pid, &clock) == 0)
        clock_gettime(clock, &used);
    rlim_t limit = (rlim_t)(used.tv_sec + (used.tv_nsec > 0)) + (rlim_t)ceil(seconds);
    struct rlimit r;
    if (prlimit(program.pid, RLIMIT_CPU, NULL, &r) < 0)
        return; /* it has ended, which shows soon */
    r.rlim_cur = limit < r.rlim_max ? limit : r.rlim_max;
    prlimit(program.pid, RLIMIT_CPU, &r, NULL);
}

/* Reads what is there.  1 a whole line, 0 not yet, -1 ended or too long. */
static int read_some(void)
{
    char block[65536];
    ssize_t n = read(program.out, block, sizeof block);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0)
        return -1;
    strbuf_add(&program.reply, block, (size_t)n);
    if (memchr(program.reply.buf, '\n', program.reply.len))
        return 1;
    return program.reply.len > MAX_REPLY ? -1 : 0;
}

/* Sends the line and waits for the answer.  1 answered, 0 late, -1 the command ended. */
static int converse(const struct strbuf *line)
{
    double until = clock_s() + options.wall_seconds;
    size_t sent = 0;
    for (;;) {
        double left = until - clock_s();
        struct pollfd p[2] = {{.fd = program.out, .events = POLLIN},
                              {.fd = sent < line->len ? program.in : -1, .events = POLLOUT}};
        if (left <= 0)
            return 0;
        if (poll(p, 2, left > 1000 ? 1000000 : (int)(left * 1000) + 1) < 0 && errno != EINTR)
            return -1;
        if (p[1].revents) {
            ssize_t n = write(program.in, line->buf + sent, line->len - sent);
            if (n < 0 && errno != EINTR && errno != EAGAIN)
                return -1;
            sent += n > 0 ? (size_t)n : 0;
        }
        int got = p[0].revents ? read_some() : 0;
        if (got != 0)
            return got;
    }
}

static int failed(int outcome, struct err *err)
{
    bool long_line = program.reply.len > MAX_REPLY;
    int status = stop();
    if (outcome == 0)
        err_set(err, "'%.200s' did not answer in %g s", options.command, options.wall_seconds);
    else if (long_line)
        err_set(err, "'%.200s' wrote a line of more than %d bytes", options.command, MAX_REPLY);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        err_set(err, "'%.200s' used more than %g s of CPU time", options.command,
                options.cpu_seconds);
    else if (WIFSIGNALED(status))
        err_set(err, "'%.200s' was killed by signal %d (%s)", options.command, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    else
        err_set(err, "'%.200s' ended with status %d", options.command, WEXITSTATUS(status));
    return NO_VERDICT;
}

int exec_read_reply(const char *line, size_t n, struct verdict *out, struct err *err)
{
    struct err why = {0};
    json_t *reply = json_parse(line, n, &why);
    const char *error = NULL, *extracted = NULL, *detail = NULL;
    double score = 0;
    bool ok = reply && json_is_object(reply) && json_opt_str(reply, "error", &error, &why) == 0 &&
              !error && json_get_num(reply, "score", &score, &why) == 0 &&
              json_opt_str(reply, "extracted", &extracted, &why) == 0 &&
              json_opt_str(reply, "detail", &detail, &why) == 0;
    if (ok && !(score >= 0 && score <= 1)) {
        err_set(&why, "'score' is %g, expected 0 to 1", score);
        ok = false;
    }
    if (error)
        err_set(err, "%.500s", error);
    else if (!ok)
        err_set(err, "%s", why.set ? why.text : "no JSON object");
    if (ok) {
        out->score = score;
        out->rule = "exec";
        out->extracted = extracted ? xstrdup(extracted) : NULL;
        out->detail = detail ? xstrdup(detail) : NULL;
    }
    json_decref(reply);
    return ok ? 0 : NO_VERDICT;
}

/* The line that is there; a second one without a question is an error of the command's. */
static int take_reply(struct verdict *out, struct err *err)
{
    size_t n =
        (size_t)((char *)memchr(program.reply.buf, '\n', program.reply.len) - program.reply.buf);
    bool more = n + 1 < program.reply.len;
    int rc = exec_read_reply(program.reply.buf, n, out, err);
    strbuf_clear(&program.reply);
    if (more) {
        stop();
        verdict_release(out);
        err_set(err, "more than one line");
        rc = NO_VERDICT;
    }
    return rc < 0 ? (err_prefix(err, "'%.200s' answered", options.command), NO_VERDICT) : 0;
}

static void make_line(const struct answer *a, const json_t *truth, struct strbuf *line)
{
    json_t *obj = json_object();
    json_object_set_new(obj, "answer", json_string(a->text));
    json_object_set_new(obj, "response", json_string(a->whole));
    if (truth)
        json_object_set(obj, "ground_truth", (json_t *)(uintptr_t)truth);
    json_object_set(obj, "record", (json_t *)(uintptr_t)a->record);
    json_write(line, obj);
    strbuf_addc(line, '\n');
    json_decref(obj);
}

static int judge_exec(const struct answer *a, const json_t *truth, struct verdict *out,
                      struct err *err)
{
    if (!options.command) {
        err_set(err, "verifier 'exec' needs --exec COMMAND");
        return NO_VERDICT;
    }
    if (!program.pid && start(err) < 0)
        return NO_VERDICT;
    struct strbuf line = {0};
    make_line(a, truth, &line);
    reap();
    allow_cpu(options.cpu_seconds);
    int outcome = converse(&line);
    strbuf_release(&line);
    return outcome > 0 ? take_reply(out, err) : failed(outcome, err);
}

static bool same_bytes(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

const struct verifier exec_verifiers[] = {
    {.name = "exec",
     .judge = judge_exec,
     .same = same_bytes,
     .whole_truth = true,
     .settings = exec_settings},
    {.name = NULL},
};
