/* log.h - lines for people, on stderr.
 *
 * "program: text".  log_init() is called by tool_begin().  -q leaves warnings
 * and errors, -v adds debug lines.  Progress is one line redrawn in place, and
 * only when stderr is a terminal; every other line clears it first.
 */
#ifndef TP_BASE_LOG_H
#define TP_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_init(const char *program, enum log_level level);
const char *log_program(void);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);  /* "program: warning: text" */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "program: text", flushes stdout first */

/* Redraws the progress line at most ten times a second; done = total ends it. total 0 = unknown. */
void progress(const char *what, long long done, long long total, const char *detail_fmt, ...)
    PRINTF_LIKE(4, 5);
void progress_end(void);

#endif
