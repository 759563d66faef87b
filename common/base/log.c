/* log.c - lines for people, on stderr. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"

static const char *program;
static enum log_level log_level = LOG_INFO;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the two below and the order */
static bool progress_shown;
static double progress_drawn_s;

void log_init(const char *name, enum log_level level)
{
    program = name;
    log_level = level;
}

const char *log_program(void)
{
    return program ? program : program_invocation_short_name;
}

static bool log_enabled(enum log_level level)
{
    return level <= log_level;
}

/* Messages quote data from files; it must not be able to drive the terminal. */
static void defuse_controls(struct strbuf *s)
{
    for (size_t i = 0; i < s->len; i++) {
        unsigned char c = (unsigned char)s->buf[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            s->buf[i] = '?';
    }
}

/* One fwrite to the unbuffered stderr is one write(2), so lines of several processes do not mix. */
static PRINTF_LIKE(2, 0) void print_line(const char *kind, const char *fmt, va_list ap)
{
    struct strbuf text = {0}, line = {0};
    strbuf_vaddf(&text, fmt, ap);
    defuse_controls(&text);

    pthread_mutex_lock(&lock);
    if (progress_shown)
        strbuf_adds(&line, "\r\033[K");
    progress_shown = false;
    strbuf_adds(&line, log_program());
    strbuf_adds(&line, ": ");
    strbuf_adds(&line, kind);
    strbuf_add(&line, text.buf, text.len);
    strbuf_addc(&line, '\n');
    fwrite(line.buf, 1, line.len, stderr);
    pthread_mutex_unlock(&lock);

    strbuf_release(&text);
    strbuf_release(&line);
}

void log_info(const char *fmt, ...)
{
    if (!log_enabled(LOG_INFO))
        return;
    va_list ap;
    va_start(ap, fmt);
    print_line("", fmt, ap);
    va_end(ap);
}

void log_debug(const char *fmt, ...)
{
    if (!log_enabled(LOG_DEBUG))
        return;
    va_list ap;
    va_start(ap, fmt);
    print_line("", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_line("warning: ", fmt, ap);
    va_end(ap);
}

void log_error(const char *fmt, ...)
{
    fflush(stdout); /* so that the message comes after the output it is about */
    va_list ap;
    va_start(ap, fmt);
    print_line("", fmt, ap);
    va_end(ap);
}

static bool progress_wanted(void)
{
    static int terminal = -1; /* asked once: isatty is a system call */
    if (terminal < 0)
        terminal = isatty(STDERR_FILENO);
    return terminal && log_enabled(LOG_INFO);
}

static size_t terminal_columns(void)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    return 80;
}

/* A line that wraps cannot be redrawn in place.  Cuts at a character, not inside one. */
static void cut_to_columns(struct strbuf *s, size_t columns)
{
    if (s->len < columns)
        return;
    size_t n = columns - 1;
    while (n && ((unsigned char)s->buf[n] & 0xc0) == 0x80)
        n--;
    s->len = n;
}

void progress(const char *what, long long done, long long total, const char *detail_fmt, ...)
{
    bool last = total && done >= total;
    if (!progress_wanted())
        return;
    pthread_mutex_lock(&lock);
    double now = clock_s();
    if (!last && now - progress_drawn_s < 0.1) {
        pthread_mutex_unlock(&lock);
        return;
    }
    progress_drawn_s = now;

    struct strbuf text = {0}, line = {0};
    strbuf_addf(&text, "%s: %s %lld", log_program(), what, done);
    if (total)
        strbuf_addf(&text, "/%lld (%.0f%%)", total, 100.0 * (double)done / (double)total);
    if (detail_fmt && *detail_fmt) {
        va_list ap;
        va_start(ap, detail_fmt);
        strbuf_addc(&text, ' ');
        strbuf_vaddf(&text, detail_fmt, ap);
        va_end(ap);
    }
    defuse_controls(&text);
    cut_to_columns(&text, terminal_columns());
    strbuf_adds(&line, "\r");
    strbuf_add(&line, text.buf, text.len);
    strbuf_adds(&line, last ? "\033[K\n" : "\033[K");
    fwrite(line.buf, 1, line.len, stderr);
    progress_shown = !last;
    pthread_mutex_unlock(&lock);
    strbuf_release(&text);
    strbuf_release(&line);
}

void progress_end(void)
{
    pthread_mutex_lock(&lock);
    if (progress_shown)
        fputs("\n", stderr);
    progress_shown = false;
    progress_drawn_s = 0;
    pthread_mutex_unlock(&lock);
}
