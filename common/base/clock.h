/* clock.h - seconds of a clock that only goes forward, from some moment on: for spans of time. */
#ifndef TP_BASE_CLOCK_H
#define TP_BASE_CLOCK_H

double clock_s(void);

#endif
